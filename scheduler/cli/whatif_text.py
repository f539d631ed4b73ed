"""The answer to a question of the kind "what if", in words and as a table of the jobs that fare otherwise."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, seconds, thousands
from scheduler.model.counting import plural
from scheduler.wire.whatif import Estimate, JobSide, ShortTime, WhatIf, WhatIfAnswer, WhatIfJob, WhatIfSide

MOVES_S: Final = 60.0
"""A job that starts and ends within so long of what comes as it is fares as it is."""
SHARE_MOVES: Final = 0.05
"""Likewise the share of runs in which it is stopped."""
HOUR_S: Final = 3600.0


def answer_lines(item: WhatIf, answer: WhatIfAnswer, screen: Screen) -> Iterator[str]:
    """Yield the answer line by line."""
    before, after, now = answer.as_is, answer.what_if, answer.now
    runs = f"{plural(answer.runs, 'run')} to {moment(answer.until, now, screen)}, {item.took_s:.0f} s"
    yield screen.paint("As is → what if", "bold") + f", from state {answer.cycle} (nothing is touched) · {runs}"
    if before.lowest_ratio is not None or after.lowest_ratio is not None:
        yield f"lowest headroom   {_ratio(before, now, screen)} → {_ratio(after, now, screen)}"
        yield f"late requests     {_late(before)} → {_late(after)}"
    yield from _short_lines(answer, screen)
    yield f"preemptions       {before.preemptions:.1f} → {after.preemptions:.1f} a run"
    yield f"training          {before.trained_gpu_s / HOUR_S:.0f} → {after.trained_gpu_s / HOUR_S:.0f} GPU-hours"
    yield f"jobs that end     {before.jobs_ended:.1f} → {after.jobs_ended:.1f}"
    yield from _submitted(answer, screen)
    yield screen.paint(answer.cover, "bold")


def jobs_table(item: WhatIf, screen: Screen, *, everybody: bool) -> Table:
    """Return a row for each job that fares otherwise, or for every one."""
    answer = item.answer
    jobs = [job for job in answer.jobs if everybody or _moves(job)] if answer else []
    columns = (
        Column("JOB"),
        Column("NAME", drop=4),
        Column("START AS IS", drop=2),
        Column("START WHAT IF"),
        Column("END AS IS", drop=3),
        Column("END WHAT IF"),
        Column("LATER", right=True),
        Column("PREEMPTED", drop=1),
    )
    rows = tuple(_row(job, answer.now, screen) for job in jobs) if answer else ()
    return Table(columns, rows, tuple(job.job or job.name for job in jobs))


def _row(job: WhatIfJob, now: datetime, screen: Screen) -> tuple[Cell | str, ...]:
    before, after = job.as_is, job.what_if
    return (
        cell(job.job or "new", "bold"),
        cell(job.name),
        "running" if job.running else _span(before.start if before else None, now, screen),
        "running" if job.running else _span(after.start, now, screen),
        _span(before.end if before else None, now, screen),
        _span(after.end, now, screen),
        _later(job),
        _stopped(before, after, now, screen),
    )


def _ratio(side: WhatIfSide, now: datetime, screen: Screen) -> str:
    if side.lowest_ratio is None:
        return NOTHING
    text = f"{side.lowest_ratio:.2f} ({side.lowest_model}, {moment(side.lowest_at, now, screen)})"
    return screen.paint(text, "red") if side.lowest_ratio < 1 else text


def _late(side: WhatIfSide) -> str:
    bad = side.late_requests + side.failed_requests
    share = f" ({100 * bad / side.requests:.3g} %)" if side.requests and bad >= 1 else ""
    return f"{thousands(round(bad))}{share}"


def _short_lines(answer: WhatIfAnswer, screen: Screen) -> Iterator[str]:
    for name, side in (("short as is", answer.as_is), ("short what if", answer.what_if)):
        for one in side.short[:3]:
            yield f"{name:<18}{screen.paint(_short(one, answer, screen), 'red')}"
        if len(side.short) > 3:  # noqa: PLR2004  # as many as are shown
            yield f"{'':<18}and {len(side.short) - 3} times more"


def _short(one: ShortTime, answer: WhatIfAnswer, screen: Screen) -> str:
    span = f"{moment(one.since, answer.now, screen)} – {moment(one.until, answer.now, screen)}"
    why = "no room for its replicas" if one.lacks_room else "replicas not ready in time"
    return f"{span} {one.model}, {why} ({one.runs} of {plural(answer.runs, 'run')})"


def _submitted(answer: WhatIfAnswer, screen: Screen) -> Iterator[str]:
    for job in (one for one in answer.jobs if one.as_is is None):
        start = _span(job.what_if.start, answer.now, screen)
        yield f"{job.name:<18}start {start}, end {_span(job.what_if.end, answer.now, screen)} (p50 – p90)"


def _span(estimate: Estimate | None, now: datetime, screen: Screen) -> str:
    if estimate is None:
        return NOTHING
    if estimate.p50 is None:
        return "later"
    first = moment(estimate.p50, now, screen)
    last = "later" if estimate.p90 is None else moment(estimate.p90, now, screen)
    return first if first == last else f"{first} – {last}"


def _moves(job: WhatIfJob) -> bool:
    if job.as_is is None or job.start_later_s is None or job.end_later_s is None:
        return True
    is_moved = max(abs(job.start_later_s), abs(job.end_later_s)) > MOVES_S
    return is_moved or abs(job.what_if.preempted_share - job.as_is.preempted_share) > SHARE_MOVES


def _later(job: WhatIfJob) -> str:
    if job.as_is is None:
        return NOTHING
    moves = [move for move in (job.start_later_s, job.end_later_s) if move is not None and abs(move) > MOVES_S]
    if job.start_later_s is None or job.end_later_s is None:
        return "beyond"
    if not moves:
        return "0"
    most = max(moves, key=abs)
    return f"{'+' if most > 0 else '-'}{seconds(round(abs(most) / 60) * 60.0)}"


def _stopped(before: JobSide | None, after: JobSide, now: datetime, screen: Screen) -> str:
    share = f"{before.preempted_share:.0%} → " if before else ""
    if not after.preempted_share:
        return f"{share}0%" if before and before.preempted_share else NOTHING
    when = moment(after.preempted_at.p50, now, screen) if after.preempted_at else NOTHING
    return f"{share}{after.preempted_share:.0%} at {when} ({after.preempted_for})"
