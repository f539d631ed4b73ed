"""Jobs that are given to the cluster itself: judged by the rules of a submission, followed while they are there.

What is asked for is the cluster's to say: an edit there counts as soon as the job has no open attempt, its priority at
once, and one that is absent from the list was deleted. What was decided is the store's: hold, stop and resume are ours.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from scheduler.control.ports import Store
from scheduler.control.records import DesiredState, EventKind, EventRecord, JobRecord
from scheduler.control.service.admission import SiteLimits, faults_here
from scheduler.control.service.people import Person
from scheduler.model.errors import Conflict, HeadroomError
from scheduler.model.hosts import Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.model.observation import Observation, Order
from scheduler.planning.reasons.feasibility import empty

THERE: Final = "held on the cluster itself"
"""How the reason of a hold begins that the cluster ends, too."""
SUBJECT: Final = 255
"""Longest subject of an event; what the cluster calls a job may be longer."""
MOST_AT_ONCE: Final = 500
"""Orders that become jobs in one turn, each in a transaction of its own; the others are looked at in the next."""


class Adopted(NamedTuple):
    """What follows from the orders there are.

    Attributes:
        accepted: to be stored as jobs, the oldest first, their priority as the site has it; `MOST_AT_ONCE` at most.
        changed: open jobs that are otherwise now: edited, held or let go there, or deleted.
        refused: orders that are no jobs, or stay what they were before an edit, and why.
    """

    accepted: tuple[Order, ...]
    changed: tuple[JobRecord, ...]
    refused: tuple[tuple[Order, str], ...]


def adopt(  # noqa: PLR0913, PLR0917  # the parts of a judgement
    orders: Sequence[Order],
    jobs: Sequence[JobRecord],
    known: Mapping[str, Order | None],
    limits: SiteLimits,
    hosts: Sequence[Host],
    now_s: float,
) -> Adopted:
    """Judge the jobs that were given to the cluster itself, and follow those that are ours already.

    Args:
        orders: all there are.
        jobs: all open ones.
        known: by origin what was accepted before, as it stood when nothing was to be done about it; None when that is
            not known. What is the same object still costs nothing, and what ended is not begun anew.
        limits: of the site.
        hosts: as the cluster shows them.
        now_s: epoch seconds; an order is never accepted before it was given.
    """
    ours = {job.spec.origin: job for job in jobs if job.spec.origin}
    waiting = Counter(job.spec.owner for job in jobs if not job.state.holds_room)
    accepted, changed, refused = list[Order](), list[JobRecord](), list[tuple[Order, str]]()
    site = _Site(limits, empty(hosts))
    new = [order for order in orders if known.get(order.spec.origin) is not order]
    for order in sorted(new, key=lambda order: (order.at_s, order.spec.origin)):
        job = ours.get(order.spec.origin)
        is_full = len(accepted) == MOST_AT_ONCE
        if (job is None and (is_full or order.spec.origin in known)) or order.at_s > now_s:
            continue
        asked, why = site.judged(order, None if job else waiting)
        if why:
            refused.append((order, why))
        if job is not None:
            changed.append(_followed(job, order, job.spec if why else asked))
        elif not why:
            waiting[asked.owner] += 1
            accepted.append(replace(order, spec=asked))
    there = {order.spec.origin for order in orders}
    changed += [_deleted(job) for origin, job in ours.items() if origin not in there]
    before = {job.job_id: job for job in jobs}
    return Adopted(tuple(accepted), tuple(job for job in changed if job != before[job.job_id]), tuple(refused))


def is_followed(job: JobRecord, order: Order) -> bool:
    """Whether a job is all that its order says."""
    return job.spec == replace(order.spec, priority=job.spec.priority) and not _is_otherwise(job, order)


class _Site(NamedTuple):
    """What a site allows, and the room of its hosts when they are empty."""

    limits: SiteLimits
    whole: Ledger

    def judged(self, order: Order, waiting: Mapping[str, int] | None) -> tuple[JobSpec, str]:
        """Return what is asked for with the priority that the site gives it, and why it cannot be had, or ""."""
        spec, limits = order.spec, self.limits
        if order.fault:
            return spec, order.fault
        try:
            asked = replace(spec, priority=limits.priority(spec.priority_class))
            limits.refuse_priority(asked.priority_class, asked.queue, Person(asked.owner, "submitter"))
            if waiting is not None:
                limits.refuse_beside(asked.owner, waiting.get(asked.owner, 0))
        except HeadroomError as error:
            return spec, "; ".join(fault.message for fault in error.faults)
        return asked, "; ".join(fault.message for fault in faults_here(asked, limits, self.whole))


def _followed(job: JobRecord, order: Order, asked: JobSpec) -> JobRecord:
    """Return a job as the cluster has it: what runs keeps its gang until it is over."""
    if job.attempt is not None and job.attempt.is_open:
        asked = replace(job.spec, priority=asked.priority, priority_class=asked.priority_class)
    moved = job if asked == job.spec else replace(job, spec=asked)
    return held_there(moved, order) if _is_otherwise(job, order) else moved


def _is_otherwise(job: JobRecord, order: Order) -> bool:
    if order.held:
        return job.desired is DesiredState.RUN
    return is_held_there(job)


def held_there(job: JobRecord, order: Order) -> JobRecord:
    """Return a job held as the cluster says, or let go."""
    if not order.held:
        return replace(job, desired=DesiredState.RUN, hold_reason="")
    return replace(job, desired=DesiredState.HOLD, hold_reason=f"{THERE}: {order.held}")


def is_held_there(job: JobRecord) -> bool:
    """Whether a job waits because the cluster says so."""
    return job.desired is DesiredState.HOLD and job.hold_reason.startswith(THERE)


def _deleted(job: JobRecord) -> JobRecord:
    return job if job.desired is DesiredState.STOP else replace(job, desired=DesiredState.STOP)


def refuse_what_the_cluster_says(job: JobRecord) -> None:
    """Let a job be changed that was submitted to Headroom.

    Raises:
        Conflict: the cluster says what is asked for.
    """
    if job.spec.origin:
        said = f"job {job.job_id} was given to the cluster itself, which says what it asks for"
        raise Conflict(said, help=f"change it there: {job.spec.origin}")


def not_held_there(job: JobRecord) -> JobRecord:
    """Return a job that may be resumed.

    Raises:
        Conflict: the cluster itself holds it.
    """
    if is_held_there(job):
        raise Conflict(f"job {job.job_id} is {job.hold_reason}", help=f"let it go there: {job.spec.origin}")
    return job


@dataclass(slots=True)
class OrderBook:
    """Carries out what follows from the orders, turn by turn; tells once of each that is refused.

    Attributes:
        store: where jobs are.
        gate: held while records are read, changed and saved.
        limits: of the site.
    """

    store: Store
    gate: AbstractContextManager[object]
    limits: SiteLimits
    _known: dict[str, Order | None] | None = None
    _listed: frozenset[str] = frozenset()
    _judged_by: SiteLimits | None = None
    _told: dict[str, str] = field(default_factory=dict)

    def take(self, seen: Observation, number: int) -> None:
        """Store new jobs, change those that are otherwise now, and tell of both.

        Raises:
            Unreachable: the store does not answer; what was stored stays.
        """
        known = self._known = dict.fromkeys(self.store.origins()) if self._known is None else self._known
        if not seen.orders and not known:
            return
        listed = frozenset(order.spec.origin for order in seen.orders)
        is_judged = listed == self._listed and self.limits is self._judged_by
        if is_judged and all(known.get(order.spec.origin) is order for order in seen.orders):
            return
        with self.gate:
            jobs = self.store.jobs()
            done = adopt(seen.orders, jobs, known, self.limits, seen.hosts, seen.taken_at_s)
            for order in done.accepted:
                self._accept(order, seen.taken_at_s, number)
            known |= dict.fromkeys(order.spec.origin for order in done.accepted)
            told = (*_changes(jobs, done.changed, seen, number), *self._refusals(done, seen, number))
            if done.changed or told:
                self.store.save_all(done.changed, told)
            self._settle(seen.orders, self.store.jobs(), known)
        self._listed, self._judged_by = listed, self.limits

    def _accept(self, order: Order, now_s: float, number: int) -> None:
        def told(job: JobRecord) -> EventRecord:
            title = f"{job.job_id} {job.spec.name} accepted from the cluster"
            return EventRecord(now_s, number, EventKind.TRAINING, job.job_id, title, job.spec.origin)

        job = self.store.accept(order.spec, order.at_s, told=told)
        if order.held:
            self.store.save(held_there(job, order))

    def _refusals(self, done: Adopted, seen: Observation, number: int) -> Iterator[EventRecord]:
        now = {order.spec.origin: why for order, why in done.refused}
        for origin, why in now.items():
            if self._told.get(origin) != why:
                title = f"{origin} cannot be taken as it is"
                yield EventRecord(seen.taken_at_s, number, EventKind.FAILURE, origin[:SUBJECT], title, why)
        self._told = now

    def _settle(self, orders: Sequence[Order], jobs: Sequence[JobRecord], known: dict[str, Order | None]) -> None:
        """Remember the orders about which nothing is to be done while they stay as they are."""
        ours = {job.spec.origin: job for job in jobs if job.spec.origin}
        for order in orders:
            job = ours.get(order.spec.origin)
            if order.spec.origin in known and (job is None or (not order.fault and is_followed(job, order))):
                known[order.spec.origin] = order


def _changes(
    before: Sequence[JobRecord], changed: Sequence[JobRecord], seen: Observation, number: int
) -> Iterator[EventRecord]:
    known = {job.job_id: job for job in before}
    for job in changed:
        what = _told(known[job.job_id], job)
        title = f"{job.job_id} {job.spec.name} {what}"
        yield EventRecord(seen.taken_at_s, number, EventKind.TRAINING, job.job_id, title, job.spec.origin)


def _told(before: JobRecord, after: JobRecord) -> str:
    if after.desired is DesiredState.STOP:
        return "deleted on the cluster"
    if is_held_there(after) and not is_held_there(before):
        return THERE
    if is_held_there(before) and not is_held_there(after):
        return "let go on the cluster"
    return "edited on the cluster"
