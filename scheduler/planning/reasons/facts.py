"""What reasons draw on, after all has been decided: each answer is worked out when it is first asked for."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache, cached_property, partial
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.model.ledger import Ledger
from scheduler.model.plan import Reason, StartJob, Unplaced
from scheduler.model.resources import Slot
from scheduler.model.running import place_of
from scheduler.model.workloads import Gang
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.room import Room, lifted
from scheduler.planning.placement.topology import near
from scheduler.planning.reasons.feasibility import empty, never_fits_on
from scheduler.planning.reasons.fit_cache import FitCache
from scheduler.planning.reasons.shortage import Scarcities, Scarcity
from scheduler.planning.reasons.wording import listed
from scheduler.planning.serving.supply import ServingDecision

_Item = TypeVar("_Item", bound=Hashable)

MOST_NAMES: Final = 5
"""More names of those in the way than these help nobody."""
MOST_MOMENTS: Final = 12
"""Moments in the future that are looked at for an "until"."""
MOST_GANGS: Final = 100_000
"""Different gangs of which it is remembered whether they could ever run."""
MOST_ESTIMATES: Final = 8
"""Different gangs for which they are looked at."""
MOST_OF_SERVING: Final = 2
"""The first of these, for which it is looked at whether serving alone is in the way."""


class Obstacle(IntEnum):
    """What would have to give way for a gang to fit now, beside all that is named before it."""

    NONE = 0
    HOLDS = 1
    """Room held for peaks."""
    RESERVATIONS = 2
    """Room reserved for others."""
    WORK = 3
    """Work that runs."""


@dataclass(frozen=True, eq=False)
class ReasonFacts:
    """Everything a reason may draw on, after all has been decided.

    Attributes:
        draft: room and reservations as the plan leaves them.
        served: what serving was given.
        starts: jobs that start now.
    """

    draft: Draft
    served: ServingDecision
    starts: Sequence[StartJob]

    @cached_property
    def whole(self) -> Ledger:
        """The cluster as if it were empty."""
        table = self.draft.snapshot.ledger.table
        return table.remembered("whole", lambda: empty(table.hosts))

    def must_give_way(self, gang: Gang) -> Obstacle:
        """Return the least that would have to give way for a gang to fit now."""
        if self._fits_without_holds(gang):
            return Obstacle.NONE if self._fits_now(gang) else Obstacle.HOLDS
        return Obstacle.RESERVATIONS if self._fits_without_reservations(gang) else Obstacle.WORK

    @cached_property
    def _fits_without_reservations(self) -> FitCache:
        if not self.holders:
            return self._fits_without_holds
        reserved = [(slots, shape) for _, shape, slots in self.draft.reservations.holders()]
        return _fits_into(lifted(self._room_without_holds, reserved).now)

    @cached_property
    def _fits_without_holds(self) -> FitCache:
        return _fits_into(self._room_without_holds.now) if self.draft.holds else self._fits_now

    @cached_property
    def _fits_now(self) -> FitCache:
        return _fits_into(self.draft.room.now)

    @cached_property
    def holders(self) -> tuple[str, ...]:
        """Who has room reserved."""
        return tuple(holder for holder, _, _ in self.draft.reservations.holders())

    @cached_property
    def starts_of(self) -> Counter[tuple[str, int]]:
        """How many replicas of each revision of a model start now."""
        return Counter(start.revised for start in self.served.starts)

    @cached_property
    def peaks(self) -> tuple[tuple[str, ...], float | None]:
        """The models for whose peaks room is held, and when the last of these is."""
        now_s = self.draft.snapshot.taken_at_s
        models = tuple(dict.fromkeys(name for held in self.draft.holds for name in held.models))
        return models, max((held.until_s for held in self.draft.holds if held.until_s > now_s), default=None)

    def never_fits(self, gang: Gang) -> Unplaced | None:
        """Say why a gang is larger than the whole cluster, or None; asked once for as long as the hosts stay."""
        known: dict[int, tuple[Gang, Unplaced | None]]
        known = self.draft.snapshot.ledger.table.remembered("never fits", dict)
        if id(gang) not in known:
            if len(known) >= MOST_GANGS:
                known.clear()
            known[id(gang)] = (gang, never_fits_on(self.whole, gang))
        return known[id(gang)][1]

    @cached_property
    def holders_on(self) -> Callable[[str], tuple[str, ...]]:
        """The first few jobs, then models, that hold room on a host."""
        return cache(self._holders_on)

    def _holders_on(self, host: str) -> tuple[str, ...]:
        snapshot = self.draft.snapshot
        running, row = snapshot.running, snapshot.ledger.table.rows.get(host, -1)
        jobs = [str(running.jobs[who].job_id) for who in running.who[running.row == row][:MOST_NAMES].tolist()]
        return (*jobs, *sorted(self._models_by_host.get(host, ())))[:MOST_NAMES]

    @cached_property
    def _models_by_host(self) -> dict[str, list[str]]:
        return _grouped((replica.slot.host, replica.model) for replica in self.draft.snapshot.replicas)

    @cached_property
    def leaving_by_host(self) -> dict[str, list[tuple[str, float]]]:
        """Jobs whose room on a host is being freed, and when each is gone as far as is known, epoch seconds."""
        snapshot = self.draft.snapshot
        leaving = [snapshot.running.jobs[index] for index in np.flatnonzero(snapshot.running.leaving)]
        leaving += [snapshot.by_id[job_id] for job_id in self.draft.gone]
        now_s = snapshot.taken_at_s
        return _grouped((slot.host, (job.job_id, now_s + job.grace_period_s)) for job in leaving for slot in job.slots)

    @cached_property
    def scarcity_of(self) -> Callable[[Gang], Scarcity]:
        """What is short for a gang; many jobs ask for the same."""
        return cache(Scarcities(self.draft.room.now))

    def all_gone_s(self, gang: Gang) -> float | None:
        """Return when a gang fits at the latest: enough of those that say how long they run have ended by then.

        Looked at for the first gangs in queue order only; what comes after them is not known.
        """
        if len(self._estimated) >= MOST_ESTIMATES and gang not in self._estimated:
            return None
        if gang not in self._estimated:
            ends = self._ends
            first = bisect_left(ends, True, key=lambda end: end[1](gang))  # noqa: FBT003  # the value sought
            self._estimated[gang] = ends[first][0] if first < len(ends) else None
        return self._estimated[gang]

    def waits_for_serving(self, gang: Gang) -> bool:
        """Whether a gang would not fit although no training ran; looked at for the first where no time is known."""
        first = gang in list(self._estimated)[:MOST_OF_SERVING]
        return first and self._estimated[gang] is None and not self._fits_without_training(gang)

    @cached_property
    def _fits_without_training(self) -> FitCache:
        running, by_id = self.draft.snapshot.running, self.draft.snapshot.by_id
        runs = ~running.leaving
        runs[[place_of(by_id[job_id], running.jobs) for job_id in self.draft.gone]] = False
        stays = runs[running.who]
        reserved = [
            (slots, shape) for holder, shape, slots in self.draft.reservations.holders() if self._is_job(holder)
        ]
        placed = [(start.slots, self.draft.snapshot.by_id[start.job_id].gang.shape) for start in self.starts]
        room = lifted(self._room_without_holds, [*reserved, *placed]).coming
        freed = np.zeros((len(room.hosts), running.freed.shape[1]), dtype=np.int64)
        np.add.at(freed, running.row[stays], running.freed[stays])
        return _fits_into(room.with_freed(freed))

    def _is_job(self, holder: str) -> bool:
        return holder in self.draft.snapshot.by_id

    @cached_property
    def _estimated(self) -> dict[Gang, float | None]:
        return {}

    @cached_property
    def _ends(self) -> tuple[tuple[float, FitCache], ...]:
        """Moments, and what fits when all jobs that end before each are gone; a dozen moments are exact enough."""
        running = self.draft.snapshot.running
        ending = np.flatnonzero(np.isfinite(running.ends_s))
        ending = ending[np.argsort(running.ends_s[ending], kind="stable")]
        moment_of = np.full(len(running.jobs), MOST_MOMENTS)
        moment_of[ending] = np.arange(len(ending)) // max(1, -(-len(ending) // MOST_MOMENTS))
        moments = range(int(moment_of[ending].max(initial=-1)) + 1)
        return tuple(
            (float(running.ends_s[moment_of == moment].max()), self._fits_without(moment_of <= moment))
            for moment in moments
        )

    def _fits_without(self, gone: NDArray[np.bool_]) -> FitCache:
        """Return whether a gang fits when running jobs, bool (J,), are gone; their room is summed up when asked for."""
        room = cache(partial(self._room_without, gone))
        return FitCache(lambda gang: _fits(gang, room()))

    def _room_without(self, gone: NDArray[np.bool_]) -> Ledger:
        running, coming = self.draft.snapshot.running, self._room_without_holds.coming
        entries = np.flatnonzero(gone[running.who])
        entries = entries[np.argsort(running.row[entries], kind="stable")]
        begins = np.flatnonzero(np.diff(running.row[entries], prepend=-1))
        freed = np.zeros((len(coming.hosts), running.freed.shape[1]), dtype=np.int64)
        if len(entries):
            freed[running.row[entries[begins]]] = np.add.reduceat(running.freed[entries], begins)
        return coming.with_freed(freed)

    @cached_property
    def _room_without_holds(self) -> Room:
        return lifted(self.draft.room, [(held.slots, held.shape) for held in self.draft.holds])


def _grouped(pairs: Iterable[tuple[str, _Item]]) -> dict[str, list[_Item]]:
    """Return the different items of each key, in their order."""
    groups: dict[str, dict[_Item, None]] = {}
    for key, item in pairs:
        groups.setdefault(key, {})[item] = None
    return {key: list(items) for key, items in groups.items()}


def freed_for(subject: str, needs: str, slots: Sequence[Slot], asked: int, facts: ReasonFacts) -> Unplaced:
    """Return the reason of who has room reserved, by those who are leaving it."""
    hosts = {slot.host for slot in slots}
    leaving = sorted({pair for host in hosts for pair in facts.leaving_by_host.get(host, ())})
    names = tuple(job_id for job_id, _ in leaving)
    who = f"{listed(names)} {'is' if len(names) == 1 else 'are'} making room" if names else "room is being freed"
    until_s = max((gone_s for _, gone_s in leaving), default=None)
    message = f"{needs}; {who} on {listed(sorted(hosts))}"
    return Unplaced(subject, Reason.WAITS_FOR_PREEMPTION, message, asked, 0, until_s, names)


def _fits_into(room: Ledger) -> FitCache:
    return FitCache(lambda gang: _fits(gang, room))


def _fits(gang: Gang, ledger: Ledger) -> bool:
    units = capped(ledger.units(gang.shape), limit_of(gang), gang.workers)
    return bool(near(gang, units, ledger.table).sum() >= gang.workers)
