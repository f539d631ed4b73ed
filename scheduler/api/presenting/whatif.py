"""Questions of the kind "what if" as they go over the wire."""

from math import isfinite

from scheduler.api.presenting.times import moment
from scheduler.control.whatif.answer import Answer, JobAnswer, JobSide, Side, Spread
from scheduler.control.whatif.desk import Inquiry
from scheduler.wire import whatif as wire


def inquiry_view(inquiry: Inquiry) -> wire.WhatIf:
    """Return a question with what is known of its answer."""
    return wire.WhatIf(
        name=inquiry.name,
        asked_by=inquiry.by,
        phase=inquiry.phase.value,
        runs_wanted=inquiry.question.runs,
        took_s=inquiry.took_s,
        failure=inquiry.failure,
        answer=_answer(inquiry.answer) if inquiry.answer else None,
    )


def _answer(answer: Answer) -> wire.WhatIfAnswer:
    return wire.WhatIfAnswer(
        cycle=answer.cycle,
        now=moment(answer.now_s),
        until=moment(answer.until_s),
        runs=answer.runs,
        as_is=_side(answer.as_is),
        what_if=_side(answer.what_if),
        jobs=tuple(map(_job, answer.jobs)),
        cover=answer.cover,
    )


def _side(side: Side) -> wire.WhatIfSide:
    is_served = isfinite(side.lowest_ratio)
    return wire.WhatIfSide(
        lowest_ratio=side.lowest_ratio if is_served else None,
        lowest_model=side.lowest_model if is_served else "",
        lowest_at=moment(side.lowest_at_s) if is_served else None,
        short=tuple(
            wire.ShortTime(
                model=one.model,
                since=moment(one.from_s),
                until=moment(one.to_s),
                runs=one.runs,
                lacks_room=one.lacks_room,
            )
            for one in side.short
        ),
        requests=side.requests,
        late_requests=side.late,
        failed_requests=side.failed,
        preemptions=side.preemptions,
        trained_gpu_s=side.trained_gpu_s,
        jobs_ended=side.ended,
    )


def _job(job: JobAnswer) -> wire.WhatIfJob:
    return wire.WhatIfJob(
        job=job.job_id,
        name=job.name,
        running=job.runs_now,
        as_is=_job_side(job.as_is) if job.as_is else None,
        what_if=_job_side(job.what_if),
        start_later_s=job.start_moves_s if isfinite(job.start_moves_s) else None,
        end_later_s=job.end_moves_s if isfinite(job.end_moves_s) else None,
    )


def _job_side(side: JobSide) -> wire.JobSide:
    return wire.JobSide(
        start=_spread(side.start) if side.start else None,
        end=_spread(side.end),
        preempted_share=side.stopped_share,
        preempted_at=_spread(side.stopped_at) if side.stopped_at else None,
        preempted_for=side.stopped_for,
    )


def _spread(spread: Spread) -> wire.Estimate:
    p50, p90 = (moment(at_s) if isfinite(at_s) else None for at_s in (spread.p50_s, spread.p90_s))
    return wire.Estimate(p50=p50, p90=p90)
