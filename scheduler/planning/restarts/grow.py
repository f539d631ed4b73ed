"""More workers for jobs that can use them, after everybody had a turn: at their start for nothing, later by a restart.

A growth is a stop with a reservation: the job is told to save and stop, and its own room and free room beside it are
reserved for it. Room that is held or reserved is never taken, and nobody grows into room that another job waits for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isfinite
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.plan import Cause, StartJob
from scheduler.model.policy import Scorer
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import more_workers
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import capped, fewest_hosts, limit_of

MOST_LOOKED_AT: Final = 32
"""Running jobs for which room to grow is looked for in one plan: half of them those of highest priority and furthest
from their most workers; the others take turns for the other half, so that in a few plans everybody is looked at."""
PAYS_TWICE: Final = 2.0
"""Work gained over work lost from which on growing is worth it; jobs seldom gain in full from more workers."""
FRESH_SHARE: Final = 0.25
"""Jobs grow while their unsaved work is at most this share of what a checkpoint interval leaves unsaved at worst."""


def top_up(draft: Draft, starts: Sequence[StartJob]) -> list[StartJob]:
    """Give elastic jobs that start now as many workers as still fit, in the order in which they had their turn."""
    return [_topped_up(start, draft) for start in starts]


def grow(draft: Draft, starts: Sequence[StartJob]) -> None:
    """Have running jobs go on with more workers where there is room that nobody waits for, and where it pays.

    A restart makes a job end later; nobody grows on whose end a booking counts.
    """
    able = _able_to_grow(draft)
    if not able:
        return
    awaited = _awaited(draft, starts)
    for job in able:
        rows = _rows_beside(job.slots, job.gang, draft.room.now, draft.scorer, ~awaited)
        rows = rows[: more_workers(job, draft, rows)]
        more = CachedTrial(draft.room.now).put(rows, job.gang.shape) if rows else ()
        if more and _pays(job, len(more), draft):
            _restart_unless_that_delays(job, (*job.slots, *more), draft)


def _topped_up(start: StartJob, draft: Draft) -> StartJob:
    job = draft.snapshot.by_id[start.job_id]
    if len(start.slots) >= job.gang.most:
        return start
    usable = draft.bookings.room_for(job)
    rows = _rows_beside(start.slots, job.gang, usable, draft.scorer)
    more = draft.start(job, rows[: more_workers(job, draft, rows)], usable)
    return replace(start, slots=(*start.slots, *more))


def _rows_beside(
    slots: Sequence[Slot], gang: Gang, usable: CachedTrial, scorer: Scorer, allowed: NDArray[np.bool_] | None = None
) -> list[int]:
    """Return the host rows of as many more workers as fit, on the hosts of `slots` first, then near them.

    Args:
        slots: what the job has already.
        gang: the job's.
        usable: the room that may be used.
        scorer: the site's placement score.
        allowed: bool (H,), hosts that may be used; None for all.
    """
    here = np.bincount([usable.row(slot.host) for slot in slots], minlength=len(usable.hosts))
    units = capped(usable.units(gang.shape), np.maximum(limit_of(gang) - here, 0), gang.most - len(slots))
    if allowed is not None:
        units = np.where(allowed, units, 0)
    missing, rows = gang.most - len(slots), list[int]()
    for part in _parts(here > 0, gang, usable):
        fitting = np.where(part, units, 0)
        count = min(missing - len(rows), int(fitting.sum()))
        if count:
            rows += fewest_hosts(fitting, count, usable.score(gang.shape, scorer))
    return rows


def _parts(here: NDArray[np.bool_], gang: Gang, usable: CachedTrial) -> Iterator[NDArray[np.bool_]]:
    """Yield the hosts that a job is on, then those near them, then the others, as far as the gang may go there."""
    seen = here
    yield here
    for label in filter(None, (gang.require_same, gang.prefer_same)):
        domains = usable.table.domains(label)
        near = np.isin(domains, domains[here])
        yield near & ~seen
        seen = seen | near
        if label == gang.require_same:
            return
    yield ~seen


def _able_to_grow(draft: Draft) -> list[TrainingJob]:
    """Return running jobs that may grow now: not lately started, just saved, and not being stopped."""
    running, policy, now_s = draft.snapshot.running, draft.policy, draft.snapshot.taken_at_s
    may = running.stoppable & (running.lacking > 0)
    may &= now_s - running.started_s >= max(policy.grow_after_s, policy.min_runtime_s)
    may &= now_s - running.saved_s <= FRESH_SHARE * running.saves_every_s
    if not may.any():
        return []
    may[running.who[draft.snapshot.ledger.table.leaving[running.row]]] = False
    found = np.flatnonzero(may)
    share = running.lacking[found] / (running.lacking[found] + running.surplus[found] + 1)
    order = _in_turn(found[np.lexsort((found, -share, -running.priority[found]))], draft.snapshot.version)
    rows, stopped = draft.room.now.table.rows, draft.stops
    able = (job for job in map(running.jobs.__getitem__, order) if job.job_id not in stopped)
    return [job for job in able if all(slot.host in rows for slot in job.slots)]


def _in_turn(order: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """Return which of many jobs are looked at in the plan of this number, in their order: the first and some others."""
    fixed = MOST_LOOKED_AT // 2
    others = len(order) - fixed
    if others <= MOST_LOOKED_AT - fixed:
        return order
    turn = (number * (MOST_LOOKED_AT - fixed) + np.arange(MOST_LOOKED_AT - fixed)) % others
    looked_at: NDArray[np.int64] = order[np.concatenate([np.arange(fixed), fixed + np.sort(turn)])]
    return looked_at


def _awaited(draft: Draft, starts: Sequence[StartJob]) -> NDArray[np.bool_]:
    """Return the hosts that some waiting job could use and does not have reserved, bool (H,)."""
    table = draft.snapshot.ledger.table
    started = {start.job_id for start in starts}
    waiting = (job for job in draft.queue if job.job_id not in started and not draft.reservations.of(job.job_id))
    shapes = {id(job.gang): job.gang.shape for job in waiting}
    awaited = np.zeros(len(table.usable), dtype=bool)
    for shape in set(shapes.values()):
        awaited |= table.matching(shape).any(axis=1)
    return awaited


def _pays(job: TrainingJob, more: int, draft: Draft) -> bool:
    """Whether the work that more workers do until a job may grow again outweighs what the restart loses.

    It is counted only while the job still runs: what it has left by its own word, or as long again as it has run.
    """
    workers, now_s = len(job.slots), draft.snapshot.taken_at_s
    has_run_s = now_s - (job.started_at_s or 0.0)
    left_s = job.runtime_s - has_run_s if isfinite(job.runtime_s) else job.ran_before_s + has_run_s
    gains_for_s = min(left_s * workers / (workers + more), draft.policy.grow_after_s)
    lost_s = job.unsaved_s(now_s) + job.restart_cost_s
    return gains_for_s * more > PAYS_TWICE * lost_s * workers


def _restart_unless_that_delays(job: TrainingJob, slots: Sequence[Slot], draft: Draft) -> None:
    with draft.trial() as trial:
        draft.restart_as(job, slots, Cause.GROWTH)
        if not draft.bookings.are_delayed(slots):
            trial.keep()
