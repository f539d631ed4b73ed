"""Why everything that waits waits: with numbers, until when, and because of whom."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TypeVar

from scheduler.model.plan import Reason, StartJob, Unplaced
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, JobState, TrainingJob
from scheduler.planning.draft import Draft
from scheduler.planning.feasibility import empty, never_fits_on
from scheduler.planning.fleet import Fleet, count_by_row, survivors
from scheduler.planning.headroom import Held
from scheduler.planning.placing import capped, limit_of
from scheduler.planning.room import Counted, Room
from scheduler.planning.scarcity import Scarcity, scarcity
from scheduler.planning.serving import Served
from scheduler.planning.wording import asks, listed, plural, unit

_Item = TypeVar("_Item", bound=Hashable)

MOST_NAMES = 5
"""More names of those in the way than these help nobody."""
MOST_MOMENTS = 12
"""Moments in the future that are looked at for an "until"."""


@dataclass(frozen=True, eq=False)
class Explainer:
    """Everything a reason may draw on, after all has been decided.

    Attributes:
        draft: room and promises as the plan leaves them.
        held: room held for peaks.
        served: what serving was given.
        starts: jobs that start now.
    """

    draft: Draft
    held: Sequence[Held]
    served: Served
    starts: Sequence[StartJob]

    @cached_property
    def whole(self) -> Counted:
        """The cluster as if it were empty."""
        return empty(self.draft.snapshot.hosts)

    @cached_property
    def without_holds(self) -> Counted:
        """Usable room if nothing were held."""
        return self._room_without_holds.now

    @cached_property
    def without_promises(self) -> Counted:
        """Usable room if nothing were held or promised."""
        room = self._room_without_holds.copy()
        for _, shape, slots in self.draft.promises.holders():
            room.expect(slots, shape)
        return room.now

    @cached_property
    def holders_by_host(self) -> dict[str, list[str]]:
        """Jobs, then models, that hold room on each host."""
        snapshot = self.draft.snapshot
        held = [(slot.host, str(job.job_id)) for job in snapshot.jobs for slot in job.slots]
        return _grouped([*held, *sorted((replica.slot.host, replica.model) for replica in snapshot.replicas)])

    @cached_property
    def leaving_by_host(self) -> dict[str, list[tuple[str, float]]]:
        """Jobs whose room on a host is being freed, and when each is gone as far as is known, epoch seconds."""
        fresh = self.draft.preemptions
        now_s, jobs = self.draft.snapshot.taken_at_s, self.draft.snapshot.jobs
        leaving = [job for job in jobs if job.state is JobState.PREEMPTING or job.job_id in fresh]
        return _grouped((slot.host, (job.job_id, now_s + job.grace_period_s)) for job in leaving for slot in job.slots)

    @cached_property
    def scarcity_of(self) -> Callable[[Gang], Scarcity]:
        """What is short for a gang; many jobs ask for the same."""
        return cache(partial(scarcity, now=self.draft.room.now))

    def all_gone_s(self, gang: Gang) -> float | None:
        """Return when a gang fits at the latest: enough of those that say how long they run have ended by then."""
        return next((at_s for at_s, room in self._ends if _fits(gang, room)), None)

    @cached_property
    def _ends(self) -> tuple[tuple[float, Counted], ...]:
        """Moments, and the room when all jobs that end before each are gone; a dozen moments are exact enough."""
        ending = sorted(
            (job.started_at_s + job.max_runtime_s, job.job_id, job)
            for job in self.draft.snapshot.jobs
            if job.state.holds_room and job.started_at_s is not None and job.max_runtime_s is not None
        )
        room, ends = self._room_without_holds.coming, []
        size = max(1, -(-len(ending) // MOST_MOMENTS))
        for chunk in (ending[first : first + size] for first in range(0, len(ending), size)):
            room = Counted(room)
            for _, _, job in chunk:
                room.give_all(job.slots, job.gang.shape)
            ends.append((chunk[-1][0], room))
        return tuple(ends)

    @cached_property
    def _room_without_holds(self) -> Room:
        room = self.draft.room.copy()
        for held in self.held:
            room.expect(held.slots, held.model.shape)
        return room


def _grouped(pairs: Iterable[tuple[str, _Item]]) -> dict[str, list[_Item]]:
    """Return the different items of each key, in their order."""
    groups: dict[str, dict[_Item, None]] = {}
    for key, item in pairs:
        groups.setdefault(key, {})[item] = None
    return {key: list(items) for key, items in groups.items()}


def explain(explainer: Explainer) -> tuple[Unplaced, ...]:
    """Return the reason of every job that waits or is held, in queue order, then of every model short of replicas."""
    snapshot, policy = explainer.draft.snapshot, explainer.draft.policy
    started = {start.job_id for start in explainer.starts}
    queue = [job for job in policy.queue_order(snapshot) if job.job_id not in started]
    on_hold = [job for job in snapshot.jobs if job.state is JobState.HELD]
    reasons = [why_job_waits(job, explainer) for job in [*queue, *on_hold]]
    return (*reasons, *(why for fleet in explainer.served.fleets if (why := why_model_lacks(fleet, explainer))))


def why_job_waits(job: TrainingJob, explainer: Explainer) -> Unplaced:
    """Return the first reason that holds."""
    rules: tuple[Callable[[TrainingJob, Explainer], Unplaced | None], ...] = (
        _held_by_owner,
        _never_fits,
        _backing_off,
        _being_freed,
        _held_for_serving,
        _reserved,
    )
    return next((why for rule in rules if (why := rule(job, explainer))), None) or _insufficient(job, explainer)


def _held_by_owner(job: TrainingJob, _: Explainer) -> Unplaced | None:
    if job.state is not JobState.HELD:
        return None
    return Unplaced(job.job_id, Reason.HELD_BY_OWNER, "held by its owner or an operator", job.gang.workers)


def _never_fits(job: TrainingJob, explainer: Explainer) -> Unplaced | None:
    return never_fits_on(explainer.whole, job.gang, job.job_id)


def _backing_off(job: TrainingJob, explainer: Explainer) -> Unplaced | None:
    if job.not_before_s <= explainer.draft.snapshot.taken_at_s:
        return None
    message = "its last start failed; it is tried again after a pause"
    return Unplaced(job.job_id, Reason.BACKING_OFF, message, job.gang.workers, until_s=job.not_before_s)


def _being_freed(job: TrainingJob, explainer: Explainer) -> Unplaced | None:
    slots = explainer.draft.promises.of(job.job_id)
    if not slots:
        return None
    return _freed_for(job.job_id, f"needs {asks(job.gang)}", slots, job.gang.workers, explainer)


def _freed_for(subject: str, needs: str, slots: Sequence[Slot], asked: int, explainer: Explainer) -> Unplaced:
    hosts = {slot.host for slot in slots}
    leaving = sorted({pair for host in hosts for pair in explainer.leaving_by_host.get(host, ())})
    names = tuple(job_id for job_id, _ in leaving)
    who = f"{listed(names)} {'is' if len(names) == 1 else 'are'} making room" if names else "room is being freed"
    until_s = max((gone_s for _, gone_s in leaving), default=None)
    message = f"{needs}; {who} on {listed(sorted(hosts))}"
    return Unplaced(subject, Reason.WAITS_FOR_PREEMPTION, message, asked, 0, until_s, names)


def _fits(gang: Gang, ledger: Counted) -> bool:
    return bool(capped(ledger.units(gang.shape), limit_of(gang), gang.workers).sum() >= gang.workers)


def _held_for_serving(job: TrainingJob, explainer: Explainer) -> Unplaced | None:
    if not explainer.held or not _fits(job.gang, explainer.without_holds):
        return None
    models = tuple(held.model.name for held in explainer.held)
    now_s = explainer.draft.snapshot.taken_at_s
    until_s = max((held.until_s for held in explainer.held if held.until_s > now_s), default=None)
    message = f"needs {asks(job.gang)}; the room is held for the peak of {listed(models)}"
    return Unplaced(job.job_id, Reason.HELD_FOR_SERVING, message, job.gang.workers, 0, until_s, models)


def _reserved(job: TrainingJob, explainer: Explainer) -> Unplaced | None:
    holders = tuple(holder for holder, _, _ in explainer.draft.promises.holders() if holder != job.job_id)
    if not holders or not _fits(job.gang, explainer.without_promises):
        return None
    message = f"needs {asks(job.gang)}; the room was freed for {listed(holders)}"
    return Unplaced(job.job_id, Reason.RESERVED, message, job.gang.workers, 0, None, holders[:MOST_NAMES])


def _insufficient(job: TrainingJob, explainer: Explainer) -> Unplaced:
    short = explainer.scarcity_of(job.gang)
    until_s = explainer.all_gone_s(job.gang)
    blockers = tuple(explainer.holders_by_host.get(short.host, ())[:MOST_NAMES])
    return Unplaced(job.job_id, short.reason, short.message, short.asked, short.free, until_s, blockers)


def why_model_lacks(fleet: Fleet, explainer: Explainer) -> Unplaced | None:
    """Say why a model has fewer replicas than wanted, or would not outlive lost hosts; None when all is well."""
    model = fleet.model
    starts = sum(start.model == model.name for start in explainer.served.starts)
    have = len(fleet.staying) + starts
    if have >= fleet.wanted:
        return _why_fragile(fleet, explainer)
    gang = Gang(fleet.wanted - have, model.shape, model.max_per_host)
    slots = explainer.draft.promises.of(model.name)
    has = f"has {have} of {plural(fleet.wanted, 'replica')}"
    if slots:
        return _freed_for(model.name, f"{has}, needs {unit(model.shape)} each", slots, gang.workers, explainer)
    impossible = never_fits_on(explainer.whole, gang, model.name)
    if impossible and impossible.reason is Reason.NO_HOST_MATCHES:
        return impossible
    short = explainer.scarcity_of(gang)
    blockers = tuple(explainer.holders_by_host.get(short.host, ())[:MOST_NAMES])
    return Unplaced(model.name, short.reason, f"{has}; {short.message}", short.asked, short.free, None, blockers)


def _why_fragile(fleet: Fleet, explainer: Explainer) -> Unplaced | None:
    """Say when losing hosts would leave too few replicas."""
    losses, snapshot = fleet.model.survive_host_losses, explainer.draft.snapshot
    rows = snapshot.ledger.table.rows
    counts = count_by_row(fleet.staying, rows)
    for start in explainer.served.starts:
        counts[rows[start.slot.host]] += start.model == fleet.model.name
    left = survivors(counts, losses)
    if not losses or left >= fleet.needed:
        return None
    message = f"losing {plural(losses, 'host')} would leave {left} of the {plural(fleet.needed, 'replica')} needed now"
    return Unplaced(fleet.model.name, Reason.INSUFFICIENT_HOSTS, message, fleet.needed, left)
