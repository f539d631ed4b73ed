"""What a control plane answers to a question of the kind "what if"."""

from datetime import timedelta
from typing import Any

from scheduler.wire.base import Single
from scheduler.wire.whatif import Estimate, JobSide, ShortTime, WhatIf, WhatIfAnswer, WhatIfJob, WhatIfSide


def a_side(at: Any, ratio: float | None = 1.16, *short: ShortTime, late: float = 0.0, preemptions: float = 4.0) -> Any:
    return WhatIfSide(
        lowest_ratio=ratio,
        lowest_model="edit-check" if ratio else "",
        lowest_at=at + timedelta(hours=2) if ratio else None,
        short=short,
        requests=914_000.0,
        late_requests=late,
        failed_requests=0.0,
        preemptions=preemptions,
        trained_gpu_s=3600.0 * 700,
        jobs_ended=11.0,
    )


def a_job(at: Any, number: str, later_s: float, stopped: float = 0.0, *, running: bool = False) -> WhatIfJob:
    def one(moved_s: float, share: float) -> JobSide:
        first, last = (at + timedelta(hours=hours, seconds=moved_s) for hours in (3, 5))
        told = Estimate(p50=at + timedelta(hours=1), p90=at + timedelta(hours=1)) if share else None
        return JobSide(
            start=None if running else Estimate(p50=first, p90=last),
            end=Estimate(p50=last, p90=None),
            preempted_share=share,
            preempted_at=told,
            preempted_for="4 GPUs for edit-check" if share else "",
        )

    before, after = one(0.0, 0.0), one(later_s, stopped)
    return WhatIfJob(
        job=number,
        name=f"job-{number}",
        running=running,
        as_is=before,
        what_if=after,
        start_later_s=0.0 if running else later_s,
        end_later_s=later_s,
    )


def a_question(at: Any, phase: str = "done", **changes: Any) -> Single[WhatIf]:
    """Return a question with what is known of its answer."""
    short = ShortTime(
        model="edit-check", since=at + timedelta(hours=2), until=at + timedelta(hours=4), runs=14, lacks_room=True
    )
    parts = {
        "cycle": 18422,
        "now": at,
        "until": at + timedelta(hours=48),
        "runs": 20,
        "as_is": a_side(at),
        "what_if": a_side(at, 0.93, short, late=1920.0, preemptions=9.0),
        "jobs": (a_job(at, "401", 0.0), a_job(at, "417", 9600.0, 0.4), a_job(at, "398", 0.0, 0.25, running=True)),
        "cover": "Would cover it: 1 more host like ml-serve1013 (for edit-check), tried on the worst run.",
    } | changes
    answer = WhatIfAnswer.model_validate(parts)
    item = WhatIf(name="w1", asked_by="ana", phase=phase, runs_wanted=20, took_s=41.2, failure="", answer=answer)
    return Single(kind="WhatIf", observed_at=at, cycle=18422, item=item)
