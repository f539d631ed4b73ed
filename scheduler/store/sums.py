"""How attempts ended, counted as they are written: asking for the totals reads a few rows, however long the history."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from sqlalchemy import Connection, func, insert, select, update

from scheduler.control.records import AttemptRecord, AttemptTotal, JobRecord, Outcome
from scheduler.model.plan import Cause
from scheduler.store.tables import attempt_sums, attempts

_Kind: TypeAlias = tuple[str, str, bool]
"""Outcome, cause of the stop, and whether it saved."""
_ALIKE = (attempts.c.outcome, attempts.c.stop_cause, attempts.c.saved)


def kind_of(attempt: AttemptRecord) -> _Kind:
    """Return what an attempt is counted under."""
    return attempt.outcome.value, attempt.stop_cause or "", attempt.checkpoint_step is not None


def count_changes(connection: Connection, jobs: Sequence[JobRecord], keys: Iterable[Sequence[int]]) -> None:
    """Take note of what jobs are about to be saved as; call it before they are.

    Args:
        connection: of the transaction that saves them.
        jobs: as they will be.
        keys: their numbers, in groups that fit into one query.
    """
    counts, lost = Counter[_Kind](), Counter[_Kind]()
    for attempt in (attempt for job in jobs for attempt in job.attempts):
        counts[kind_of(attempt)] += 1
        lost[kind_of(attempt)] += attempt.lost_gpu_s  # type: ignore[assignment]  # a counter of floats adds as well
    for group in keys:
        query = select(*_ALIKE, func.count(), func.sum(attempts.c.lost_gpu_s)).where(attempts.c.job_id.in_(group))
        for outcome, cause, saved, count, lost_gpu_s in connection.execute(query.group_by(*_ALIKE)):
            counts[outcome, cause, saved] -= count
            lost[outcome, cause, saved] -= lost_gpu_s
    _add(connection, {kind: (counts[kind], lost[kind]) for kind in counts if counts[kind] or lost[kind]})


def totals(connection: Connection) -> tuple[AttemptTotal, ...]:
    """Return how all attempts ever made ended, by outcome, cause and whether they saved."""
    table = attempt_sums.c
    query = select(attempt_sums).where(table.attempts > 0).order_by(table.outcome, table.stop_cause, table.saved)
    return tuple(
        AttemptTotal(
            Outcome(row.outcome),
            Cause(row.stop_cause) if row.stop_cause else None,
            row.saved,
            row.attempts,
            row.lost_gpu_s,
        )
        for row in connection.execute(query)
    )


def _add(connection: Connection, changes: Mapping[_Kind, tuple[int, float]]) -> None:
    table = attempt_sums.c
    for (outcome, cause, saved), (count, lost_gpu_s) in sorted(changes.items()):
        which = (table.outcome == outcome) & (table.stop_cause == cause) & (table.saved == saved)
        more = {"attempts": table.attempts + count, "lost_gpu_s": table.lost_gpu_s + lost_gpu_s}
        if not connection.execute(update(attempt_sums).where(which).values(**more)).rowcount:
            row = {"outcome": outcome, "stop_cause": cause, "saved": saved, "attempts": count, "lost_gpu_s": lost_gpu_s}
            connection.execute(insert(attempt_sums).values(**row))
