"""Why everything that waits waits: with numbers, until when, and because of whom."""

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TypeVar

import numpy as np

from scheduler.model.ledger import Ledger
from scheduler.model.plan import Reason, StartJob, Unplaced
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.blocked import Fits
from scheduler.planning.draft import Draft
from scheduler.planning.feasibility import empty, never_fits_on
from scheduler.planning.fleet import Fleet, count_by_row, survivors
from scheduler.planning.headroom import Held
from scheduler.planning.near import near
from scheduler.planning.placing import capped, limit_of
from scheduler.planning.queue_reasons import QueueReasons
from scheduler.planning.room import Room
from scheduler.planning.scarcity import Scarcity, scarcity
from scheduler.planning.serving import Served
from scheduler.planning.shadow import behind_bookings, with_bookings
from scheduler.planning.wording import asks, listed, plural, unit

_Item = TypeVar("_Item", bound=Hashable)

MOST_NAMES = 5
"""More names of those in the way than these help nobody."""
MOST_MOMENTS = 12
"""Moments in the future that are looked at for an "until"."""
MOST_GANGS = 100_000
"""Different gangs of which it is remembered whether they could ever run."""
MOST_ESTIMATES = 8
"""Different gangs for which they are looked at."""


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
    def whole(self) -> Ledger:
        """The cluster as if it were empty."""
        table = self.draft.snapshot.ledger.table
        return table.remembered("whole", lambda: empty(table.hosts))

    @cached_property
    def fits_without_holds(self) -> Fits:
        """Whether a gang would fit if nothing were held."""
        return _fits_into(self._room_without_holds.now)

    @cached_property
    def fits_without_promises(self) -> Fits:
        """Whether a gang would fit if nothing were held or promised."""
        room = self._room_without_holds.copy()
        for _, shape, slots in self.draft.promises.holders():
            room.expect(slots, shape)
        return _fits_into(room.now)

    @cached_property
    def fits_now(self) -> Fits:
        """Whether a gang fits into what is usable now."""
        return _fits_into(self.draft.room.now)

    @cached_property
    def holders(self) -> tuple[str, ...]:
        """Who has been promised room."""
        return tuple(holder for holder, _, _ in self.draft.promises.holders())

    @cached_property
    def peaks(self) -> tuple[tuple[str, ...], float | None]:
        """The models for whose peaks room is held, and when the last of these is."""
        now_s = self.draft.snapshot.taken_at_s
        models = tuple(dict.fromkeys(name for held in self.held for name in held.models))
        return models, max((held.until_s for held in self.held if held.until_s > now_s), default=None)

    def never_fits(self, gang: Gang) -> Unplaced | None:
        """Say why a gang is larger than the whole cluster, or None; asked once for as long as the hosts stay."""
        known: dict[Gang, Unplaced | None] = self.draft.snapshot.ledger.table.remembered("never fits", dict)
        if gang not in known:
            if len(known) >= MOST_GANGS:
                known.clear()
            known[gang] = never_fits_on(self.whole, gang)
        return known[gang]

    @cached_property
    def holders_on(self) -> Callable[[str], tuple[str, ...]]:
        """The first few jobs, then models, that hold room on a host."""
        return cache(self._holders_on)

    def _holders_on(self, host: str) -> tuple[str, ...]:
        snapshot = self.draft.snapshot
        running, row = snapshot.running, snapshot.ledger.table.rows.get(host, -1)
        jobs = [str(running.jobs[who].job_id) for who in running.who[running.row == row][:MOST_NAMES].tolist()]
        models = sorted({replica.model for replica in snapshot.replicas if replica.slot.host == host})
        return (*jobs, *models)[:MOST_NAMES]

    @cached_property
    def leaving_by_host(self) -> dict[str, list[tuple[str, float]]]:
        """Jobs whose room on a host is being freed, and when each is gone as far as is known, epoch seconds."""
        fresh, snapshot = self.draft.preemptions, self.draft.snapshot
        leaving = [snapshot.running.jobs[index] for index in np.flatnonzero(snapshot.running.leaving)]
        leaving += [snapshot.by_id[job_id] for job_id in fresh]
        now_s = snapshot.taken_at_s
        return _grouped((slot.host, (job.job_id, now_s + job.grace_period_s)) for job in leaving for slot in job.slots)

    @cached_property
    def scarcity_of(self) -> Callable[[Gang], Scarcity]:
        """What is short for a gang; many jobs ask for the same."""
        return cache(partial(scarcity, now=self.draft.room.now))

    def all_gone_s(self, gang: Gang) -> float | None:
        """Return when a gang fits at the latest: enough of those that say how long they run have ended by then.

        Looked at for the first gangs in queue order only; what comes after them is not known.
        """
        if len(self._estimated) >= MOST_ESTIMATES and gang not in self._estimated:
            return None
        if gang not in self._estimated:
            ends = self._ends
            first = bisect_left(ends, True, key=lambda end: _fits(gang, end[1]))  # noqa: FBT003  # the value sought
            self._estimated[gang] = ends[first][0] if first < len(ends) else None
        return self._estimated[gang]

    @cached_property
    def _estimated(self) -> dict[Gang, float | None]:
        return {}

    @cached_property
    def _ends(self) -> tuple[tuple[float, Ledger], ...]:
        """Moments, and the room when all jobs that end before each are gone; a dozen moments are exact enough."""
        running, coming = self.draft.snapshot.running, self._room_without_holds.coming
        ending = np.flatnonzero(np.isfinite(running.ends_s))
        ending = ending[np.argsort(running.ends_s[ending], kind="stable")]
        moment_of = np.full(len(running.jobs), MOST_MOMENTS)
        moment_of[ending] = np.arange(len(ending)) // max(1, -(-len(ending) // MOST_MOMENTS))
        freed = np.zeros((len(coming.hosts), running.freed.shape[1]), dtype=np.int64)
        ends = []
        for moment in range(int(moment_of[ending].max(initial=-1)) + 1):
            entries = moment_of[running.who] == moment
            np.add.at(freed, running.row[entries], running.freed[entries])
            at_s = float(running.ends_s[moment_of == moment].max())
            ends.append((at_s, coming.with_freed(freed)))
        return tuple(ends)

    @cached_property
    def _room_without_holds(self) -> Room:
        room = self.draft.room.copy()
        for held in self.held:
            room.expect(held.slots, held.shape)
        return room


def _grouped(pairs: Iterable[tuple[str, _Item]]) -> dict[str, list[_Item]]:
    """Return the different items of each key, in their order."""
    groups: dict[str, dict[_Item, None]] = {}
    for key, item in pairs:
        groups.setdefault(key, {})[item] = None
    return {key: list(items) for key, items in groups.items()}


def explain(explainer: Explainer) -> tuple[Unplaced, ...]:
    """Return the reason of every job that waits or is held, in queue order, then of every model short of replicas."""
    draft = explainer.draft
    started = {start.job_id for start in explainer.starts}
    why_not = _WhyNot(explainer)
    reasons = [why_not(job) for job in draft.queue if job.job_id not in started]
    on_hold = [_held_by_owner(job) for job in draft.snapshot.held]
    lacking = (why_model_lacks(fleet, explainer) for fleet in explainer.served.fleets)
    reasons = [*with_bookings(reasons, draft)]
    return (*reasons, *on_hold, *(why for why in lacking if why))


class _WhyNot:
    """Why a job waits: the first reason that holds. What depends on the gang alone is found once for all like it."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._now_s = explainer.draft.snapshot.taken_at_s
        self._promised = explainer.draft.promises.of
        self._of_gang: dict[int, tuple[Unplaced | None, bool, Unplaced]] = {}
        self._by_queue = QueueReasons(explainer.draft)

    def __call__(self, job: TrainingJob) -> Unplaced:
        known = self._of_gang.get(id(job.gang))
        if known is None:
            known = self._of_gang[id(job.gang)] = self._why_gang_waits(job.gang)
        never, fits, lacks = known
        why = never or self._by_queue.of(job) or lacks
        if not never and (fits or job.not_before_s > self._now_s or self._promised(job.job_id)):
            own = _backing_off(job, self._now_s) or _being_freed(job, self._explainer)
            why = own or self._by_queue.of(job) or (behind_bookings(job, self._explainer.draft) if fits else lacks)
        return Unplaced(job.job_id, why.reason, why.message, why.asked, why.free, why.until_s, why.blocked_by)

    def _why_gang_waits(self, gang: Gang) -> tuple[Unplaced | None, bool, Unplaced]:
        """Return why a gang never fits, if so; whether it would fit but for bookings; and what it lacks."""
        never = self._explainer.never_fits(gang)
        if never:
            return never, False, never
        rules = (_held_for_serving, _reserved)
        lacks = next((why for rule in rules if (why := rule(gang, self._explainer))), None)
        draft = self._explainer.draft
        fits = bool(draft.bookings) and self._explainer.fits_now(gang)
        return None, fits, lacks or _insufficient(gang, self._explainer)


def _held_by_owner(job: TrainingJob) -> Unplaced:
    return Unplaced(job.job_id, Reason.HELD_BY_OWNER, "held by its owner or an operator", job.gang.workers)


def _backing_off(job: TrainingJob, now_s: float) -> Unplaced | None:
    if job.not_before_s <= now_s:
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


def _fits_into(room: Ledger) -> Fits:
    return Fits(lambda gang: _fits(gang, room))


def _fits(gang: Gang, ledger: Ledger) -> bool:
    units = capped(ledger.units(gang.shape), limit_of(gang), gang.workers)
    return bool(near(gang, units, ledger.table).sum() >= gang.workers)


def _held_for_serving(gang: Gang, explainer: Explainer) -> Unplaced | None:
    if not explainer.held or not explainer.fits_without_holds(gang):
        return None
    models, until_s = explainer.peaks
    message = f"needs {asks(gang)}; the room is held for the peak of {listed(models)}"
    return Unplaced("", Reason.HELD_FOR_SERVING, message, gang.workers, 0, until_s, models)


def _reserved(gang: Gang, explainer: Explainer) -> Unplaced | None:
    holders = explainer.holders
    if not holders or not explainer.fits_without_promises(gang):
        return None
    message = f"needs {asks(gang)}; the room was freed for {listed(holders)}"
    return Unplaced("", Reason.RESERVED, message, gang.workers, 0, None, holders[:MOST_NAMES])


def _insufficient(gang: Gang, explainer: Explainer) -> Unplaced:
    short = explainer.scarcity_of(gang)
    until_s = explainer.all_gone_s(gang)
    blockers = explainer.holders_on(short.host)
    return Unplaced("", short.reason, short.message, short.asked, short.free, until_s, blockers)


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
    blockers = explainer.holders_on(short.host)
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
