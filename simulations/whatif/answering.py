"""From the runs of both sides to the answer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import inf, isfinite
from typing import Final

import numpy as np

from scheduler.control.whatif.answer import Answer, JobAnswer, JobSide, ShortTime, Side, Spread
from scheduler.control.whatif.question import Question
from scheduler.model.workloads import TrainingJob
from simulations.whatif.counting import JobRun, Run
from simulations.whatif.moment import Moment

GAP_S: Final = 3600.0
"""Short times no further apart are told as one."""
Pair = tuple[Run, Run]


def answer_of(moment: Moment, question: Question, pairs: Sequence[Pair], cover: str = "") -> Answer:
    """Return what is known after some runs, each (as it is, as it would be)."""
    before, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    jobs = [_job(job, before, after) for job in moment.snapshot.jobs if "." not in job.job_id]
    if question.job is not None:
        runs = [run.jobs[run.submitted] for run in after]
        side = _job_side(runs, is_waiting=True)
        jobs.append(JobAnswer("", question.job.name, runs_now=False, as_is=None, what_if=side))
    return Answer(
        moment.number,
        moment.now_s,
        moment.now_s + question.horizon_s,
        len(pairs),
        _side(before),
        _side(after),
        tuple(jobs),
        cover,
    )


def _side(runs: Sequence[Run]) -> Side:
    lowest = [_lowest(run) for run in runs]
    middle = sorted(lowest)[(len(lowest) - 1) // 2]
    return Side(
        *middle,
        tuple(_short_times(runs)),
        _mean(sum(model.requests for model in run.models.values()) for run in runs),
        _mean(sum(model.late for model in run.models.values()) for run in runs),
        _mean(sum(model.failed for model in run.models.values()) for run in runs),
        _mean(sum(job.stops for job in run.jobs.values()) for run in runs),
        _mean(run.trained_gpu_s for run in runs),
        _mean(sum(isfinite(job.end_s) for job in run.jobs.values()) for run in runs),
    )


def _lowest(run: Run) -> tuple[float, str, float]:
    """Return the lowest headroom of a run, whose it is and when."""
    found = ((model.lowest_ratio, name, model.lowest_at_s) for name, model in run.models.items())
    return min(found, default=(inf, "", 0.0))


def _short_times(runs: Sequence[Run]) -> list[ShortTime]:
    """Return the stretches in which serving is short in any run, with who is short in most runs."""
    entries = sorted(
        (from_s, to_s, name, number, is_room)
        for number, run in enumerate(runs)
        for name, model in run.models.items()
        for spans, is_room in ((model.short, False), ([lack[:2] for lack in model.lacks], True))
        for from_s, to_s in spans
    )
    found, together = list[ShortTime](), list[tuple[float, float, str, int, bool]]()
    for entry in entries:
        if together and entry[0] > max(one[1] for one in together) + GAP_S:
            found.append(_short_time(together))
            together = []
        together.append(entry)
    return [*found, *([_short_time(together)] if together else [])]


def _short_time(entries: Sequence[tuple[float, float, str, int, bool]]) -> ShortTime:
    runs_of = Counter(name for name, _ in {(name, number) for _, _, name, number, _ in entries})
    model = min(runs_of, key=lambda name: (-runs_of[name], name))
    return ShortTime(
        model,
        entries[0][0],
        max(entry[1] for entry in entries),
        len({entry[3] for entry in entries}),
        any(entry[4] for entry in entries if entry[2] == model),
    )


def _job(job: TrainingJob, before: Sequence[Run], after: Sequence[Run]) -> JobAnswer:
    as_is, what_if = ([run.jobs[job.job_id] for run in runs] for runs in (before, after))
    return JobAnswer(
        job.job_id,
        job.name,
        job.state.holds_room,
        _job_side(as_is, is_waiting=job.state.is_waiting),
        _job_side(what_if, is_waiting=job.state.is_waiting),
        0.0 if job.state.holds_room else _moves((a.start_s, b.start_s) for a, b in zip(as_is, what_if, strict=True)),
        _moves((a.end_s, b.end_s) for a, b in zip(as_is, what_if, strict=True)),
    )


def _job_side(runs: Sequence[JobRun], *, is_waiting: bool) -> JobSide:
    stopped = [run for run in runs if isfinite(run.stop_s)]
    reasons = Counter(run.stopped_for for run in stopped)
    return JobSide(
        _spread([run.start_s for run in runs]) if is_waiting else None,
        _spread([run.end_s for run in runs]),
        len(stopped) / len(runs),
        _spread([run.stop_s for run in stopped]) if stopped else None,
        min(reasons, key=lambda said: (-reasons[said], said)) if reasons else "",
    )


def _moves(pairs: Iterable[tuple[float, float]]) -> float:
    """Return the middle of the differences; one that is never on one side only is infinitely later, or sooner."""
    moves = [0.0 if one == other else other - one for one, other in pairs]
    return float(np.quantile(moves, 0.5, method="lower")) if moves else 0.0


def _spread(values: Sequence[float]) -> Spread:
    p50_s, p90_s = np.quantile(values, (0.5, 0.9), method="higher")
    return Spread(float(p50_s), float(p90_s))


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known)
