"""Jobs that can go on with fewer workers: they shrink rather than wait, when that costs less.

A shrink is a stop with a reservation: the job is told to save and stop, and some of its own slots stay reserved for
it.
Only the others count as freed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.resources import Slot, slots_without
from scheduler.model.running import AMOUNTS, Running
from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need
from scheduler.planning.placement.room import fits_in
from scheduler.planning.preemption.candidates import Candidates, Victim
from scheduler.planning.preemption.victims import victims_for

FOR_OTHERS: Final = frozenset({Cause.SERVING, Cause.PRIORITY, Cause.SHORTER, Cause.GUARANTEE})
"""Causes for which jobs are stopped so that somebody gets their room."""
MOST_OFFERS: Final = 256
"""Elastic jobs that are looked at as shrinking in one search: of those on hosts of use, the cheapest by worker that is
given up. The others count as whole in it, and keep afterwards what turns out not to be needed."""


def victims_by_cost(need: Need, draft: Draft, candidates: Candidates) -> tuple[Victim, ...] | None:
    """Choose whom to stop or to shrink, whichever costs less; None when stopping everybody is not enough.

    What a shrink costs is the work it loses and the restart, over all the job's devices; there is no wait in it.

    Args:
        need: what found no room.
        draft: what was decided so far.
        candidates: who may be stopped.
    """
    coming = draft.room.coming
    stopped = victims_for(need, coming, candidates)
    if not stopped:
        return stopped
    now_s = draft.snapshot.taken_at_s
    given = _offered(candidates, need, draft)
    if not given:
        return stopped
    offers = _Offers(candidates, given, coming, now_s)
    shrunk = victims_for(need, coming, offers.candidates)
    if not shrunk or _cost(shrunk) > _cost(stopped):
        return stopped
    return tuple(offers.in_full(victim) for victim in shrunk)


def keep_remainders(draft: Draft) -> None:
    """Reserve for elastic jobs that are stopped for others as much of their own room as nobody needs, if it is enough.

    One whose whole room turns out not to be needed is spared. Room that is booked, too, is needed.
    """
    for job_id, order in list(draft.stops.items()):
        job = draft.snapshot.by_id[job_id]
        if job.gang.is_elastic and order.cause in FOR_OTHERS and not _spared(job, draft):
            _keep(job, draft)


def keep_off_draining(draft: Draft) -> None:
    """Reserve for elastic jobs on draining hosts the room they have on others, if it is enough to go on."""
    for order in draft.ended:
        job = draft.snapshot.by_id[order.job_id]
        if order.cause is Cause.DRAIN and job.gang.is_elastic:
            _keep(job, draft)


def with_sizes(orders: Iterable[PreemptJob], draft: Draft) -> tuple[PreemptJob, ...]:
    """Return orders to stop, each with the workers for which its job has room reserved."""
    return tuple(
        replace(order, goes_on_with=len(draft.reservations.of(order.job_id)))
        if draft.reservations.of(order.job_id) and order.cause not in {Cause.STOP_ASKED, Cause.TIME_LIMIT}
        else order
        for order in orders
    )


def _spared(job: TrainingJob, draft: Draft) -> bool:
    """Spare a job if nobody needs any of its room."""
    with draft.trial() as trial:
        draft.release(job.job_id)
        if _may_go_on(job, job.slots, draft):
            draft.spare(job)
            if not draft.bookings.are_delayed(job.slots):
                trial.keep()
        return trial.kept


def _keep(job: TrainingJob, draft: Draft) -> None:
    """Reserve for a job what it can keep of its room, but not all of it, if with that it can go on."""
    with draft.trial() as trial:
        before = draft.release(job.job_id)
        kept: list[Slot] = []
        for slot in (*before, *_fullest_hosts_first(job, before)):
            if len(kept) + 1 < len(job.slots) and _may_go_on(job, (*kept, slot), draft):
                kept.append(slot)
        kept = _undelaying(job, kept, draft) if len(kept) >= job.gang.workers else []
        if len(kept) >= job.gang.workers:
            draft.reserve_at(job.job_id, slots_without(job.slots, slots_without(job.slots, kept)))
            trial.keep()


def _may_go_on(job: TrainingJob, slots: Sequence[Slot], draft: Draft) -> bool:
    """Whether nobody needs these slots of a job that is told to stop, and its queue may hold them."""
    return fits_in(draft.room.coming, slots, job.gang.shape) and (
        draft.quotas is None or draft.quotas.may_go_on(job, slots)
    )


def _undelaying(job: TrainingJob, slots: Sequence[Slot], draft: Draft) -> list[Slot]:
    """Return those slots with which a job may go on, one after the other, without delaying a booking."""
    fitting: list[Slot] = []
    with draft.trial():
        for slot in slots:
            with draft.trial() as trial:
                if draft.reserve_at(job.job_id, (slot,)) and not draft.bookings.are_delayed((slot,)):
                    fitting.append(slot)
                    trial.keep()
    return fitting


def _fullest_hosts_first(job: TrainingJob, without: Iterable[Slot]) -> list[Slot]:
    hosts = [slot.host for slot in job.slots]
    return sorted(slots_without(job.slots, without), key=lambda slot: (-hosts.count(slot.host), slot))


def _cost(victims: Iterable[Victim]) -> float:
    return sum(victim.cost for victim in victims)


def _offered(candidates: Candidates, need: Need, draft: Draft) -> dict[int, tuple[Slot, ...]]:
    """Return what running jobs of a candidates would give up, by their row: at most `MOST_OFFERS` that could go on."""
    running, coming, now_s = candidates.running, draft.room.coming, draft.snapshot.taken_at_s
    wanted = np.asarray(coming.table.matching(need.shape).any(axis=1), dtype=bool)
    there, useful = np.zeros((2, len(running.jobs)), dtype=bool)
    there[candidates.order[np.unique(candidates.who)]] = True
    useful[running.who[wanted[running.row]]] = True
    offered = np.flatnonzero(there & useful & (running.surplus > 0))
    if len(offered) > MOST_OFFERS:
        price = _lost_gpu_s(running, offered, now_s) / running.surplus[offered]
        offered = np.sort(offered[np.argsort(price, kind="stable")[:MOST_OFFERS]])
    given = {index: _given(running.jobs[index], wanted, coming) for index in offered.tolist()}
    return {index: slots for index, slots in given.items() if _can_go_on(running.jobs[index], slots, draft)}


def _can_go_on(job: TrainingJob, without: Sequence[Slot], draft: Draft) -> bool:
    """Whether a job may start again in the slots left to it: their hosts take new work, and its queue may hold them."""
    rows, usable = draft.room.coming.table.rows, draft.room.coming.table.usable
    kept = slots_without(job.slots, without)
    if not all(slot.host in rows and bool(usable[rows[slot.host]]) for slot in kept):
        return False
    return draft.quotas is None or draft.quotas.may_shrink_by(job, without)


class _Offers:
    """A candidates in which some elastic jobs are to be had only down to their fewest workers, at what that costs."""

    def __init__(self, full: Candidates, given: dict[int, tuple[Slot, ...]], coming: CachedTrial, now_s: float) -> None:
        self._full, running = full, full.running
        offered = np.array(list(given), dtype=np.int64)
        jobs, freed = list(running.jobs), running.freed.copy()
        freed[np.isin(running.who, offered)] = 0
        entry_of = {
            (int(running.who[entry]), int(running.row[entry])): int(entry)
            for entry in np.flatnonzero(np.isin(running.who, offered))
        }
        for index, slots in given.items():
            job = running.jobs[index]
            jobs[index] = replace(job, slots=slots)
            for slot in slots:
                _add(freed[entry_of[index, coming.row(slot.host)]], slot, job)
        there = np.zeros(len(jobs), dtype=bool)
        there[full.order[np.unique(full.who)]] = True
        cost = np.zeros(len(jobs))
        cost[full.order] = full.cost
        cost[offered] = np.minimum(cost[offered], _lost_gpu_s(running, offered, now_s))
        part = Candidates.of(replace(running, jobs=tuple(jobs), freed=freed), there, cost)
        self.candidates = part.only(np.asarray(part.freed.any(axis=1), dtype=bool))

    def in_full(self, victim: Victim) -> Victim:
        """Return a victim found here as the full candidates knows it, with the slots that it keeps."""
        index = int(self.candidates.order[victim.index])
        job = self._full.running.jobs[index]
        keeps = slots_without(job.slots, victim.job.slots)
        return Victim(int(np.flatnonzero(self._full.order == index)[0]), job, victim.cost, keeps)


def _given(job: TrainingJob, wanted: NDArray[np.bool_], coming: CachedTrial) -> tuple[Slot, ...]:
    """Return the slots that a job gives up first, down to its fewest workers: where they are of use.

    That is on hosts that the need can be met on, there where most is free already, so that what is given up adds to
    it; then where the job has fewest workers, so that it stays on few hosts. Where it could not start again anyhow, it
    gives up its slots before all others.
    """
    hosts = [slot.host for slot in job.slots]

    def rank(slot: Slot) -> tuple[bool, bool, int, int, Slot]:
        row = coming.table.rows[slot.host]
        free = int(coming.gpu_milli[row].clip(min=0).sum() if job.gang.shape.gpu_count else coming.cpu_milli[row])
        return (bool(coming.table.usable[row]), not wanted[row], -free, hosts.count(slot.host), slot)

    known = [slot for slot in job.slots if slot.host in coming.table.rows]
    return tuple(sorted(known, key=rank)[: len(job.slots) - job.gang.workers])


def _add(freed: NDArray[np.int64], slot: Slot, job: TrainingJob) -> None:
    shape = job.gang.shape
    freed[0] += shape.cpu_milli
    freed[1] += shape.memory_mib
    freed[[AMOUNTS + device for device in slot.devices]] += shape.gpu_milli


def _lost_gpu_s(running: Running, rows: NDArray[np.int64], now_s: float) -> NDArray[np.float64]:
    lost: NDArray[np.float64] = running.lost_s(now_s)[rows] * running.gpus[rows]
    return lost
