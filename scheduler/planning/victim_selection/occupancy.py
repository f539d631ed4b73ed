"""Who has which room while what follows from a stop is played through, and what is booked for those who wait."""

from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Final, NamedTuple

from scheduler.model.policy import Policy, Scorer
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot, slots_without
from scheduler.model.workloads import TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial, ElementwiseMinimum
from scheduler.planning.placement.placing import hosts_for_gang, takes
from scheduler.planning.placement.room import fits_in
from scheduler.planning.victim_selection.foreseen import Foreseen, Stay

HOLDER: Final = ""
"""Stands for whom somebody is stopped for."""


class Booked(NamedTuple):
    """What is booked for one who waits.

    Attributes:
        begins_s: from when on, in seconds from now.
        room: what is free then beside.
        slots: that are booked.
        shape: what of each.
    """

    begins_s: float
    room: CachedTrial
    slots: Sequence[Slot]
    shape: Shape


class Occupancy:
    """Stays and the room they leave, as time goes on, in seconds from now.

    Attributes:
        room: what is free, or will be as soon as those have left who were told to.
        stays: who has room, by job id.
        idle_gpus: devices that nobody has, less those that nobody has now and those that are left by who is done: one
            who is done later has gained nothing.
    """

    def __init__(self, foreseen: Foreseen) -> None:
        """Begin with those who have room now."""
        self.room, self.stays, self.idle_gpus = CachedTrial(foreseen.draft.room.coming), foreseen.stays.copy(), 0.0
        self._ran = frozenset(foreseen.stays)
        self._moments, self._given_up = foreseen.moments.copy(), dict[str, tuple[Slot, ...]]()
        self._empty_s = dict[tuple[str, int], float]()
        self._policy: Policy = foreseen.draft.policy
        self._scorer: Scorer = foreseen.draft.scorer

    def look_at(self, at_s: float) -> None:
        """See to it that a moment is not passed over."""
        heappush(self._moments, at_s)

    def next_s(self) -> float:
        """Return the next moment at which something may change; infinity when there is none."""
        at_s = self._moments[0] if self._moments else inf
        while self._moments and self._moments[0] <= at_s:
            heappop(self._moments)
        return at_s

    def take(self, stay: Stay) -> None:
        """Let somebody have room that has been taken off already."""
        self.stays[stay.job.job_id if stay.job else HOLDER] = stay
        self.idle_gpus -= gpus_of(stay.slots, stay.shape)
        self.look_at(stay.leaves_s)

    def leave(self, at_s: float) -> None:
        """Let all go who are over by a moment."""
        for key, stay in list(self.stays.items()):
            if stay.leaves_s <= at_s:
                del self.stays[key]
                self.room.give_all(self.known(stay.slots), stay.shape)
                self.idle_gpus += 0.0 if key in self._ran else gpus_of(stay.slots, stay.shape)

    def stop(self, job: TrainingJob, freed: Sequence[Slot], empty_s: float) -> Stay:
        """Take slots from a job that has left them by some time, and return what it had."""
        stay = self.stays.pop(job.job_id)
        self._give(freed, stay.shape)
        self._empty_s |= {(slot.host, device): empty_s for slot in freed for device in slot.devices}
        if len(freed) < len(stay.slots):
            self.stays[job.job_id] = stay._replace(slots=slots_without(stay.slots, freed))
            self._given_up[job.job_id] = tuple(freed)
        return stay

    def start(self, job: TrainingJob, at_s: float, ahead: Sequence[TrainingJob]) -> bool:
        """Start a job where it fits and delays nobody ahead of it who waits, and say whether it does."""
        if not takes(self.room, job.gang):
            return False
        booked = [one.room for one in self.booked(ahead, at_s) if one.begins_s < at_s + job.runtime_s]
        usable = ElementwiseMinimum([self.room, *booked]) if booked else self.room
        rows = hosts_for_gang(usable, job.gang, self._scorer)
        if rows is None:
            return False
        slots = CachedTrial(usable).put(rows, job.gang.shape)
        self.room.take_all(slots, job.gang.shape)
        places = ((slot.host, device) for slot in slots for device in slot.devices)
        begins_s = max([at_s, *(self._empty_s.get(place, at_s) for place in places)])
        self.take(Stay(job, slots, job.gang.shape, begins_s, begins_s + job.runtime_s, begins_s + job.runtime_s))
        self.look_at(begins_s + self._policy.min_runtime_s)
        return True

    def grow_back(self) -> None:
        """Let jobs that were shrunk have those slots back that nobody else wanted."""
        for job_id, slots in list(self._given_up.items()):
            stay = self.stays.get(job_id)
            if stay is None or not fits_in(self.room, slots, stay.shape):
                continue
            del self._given_up[job_id]
            self.room.take_all(slots, stay.shape)
            self.take(stay._replace(slots=(*stay.slots, *slots)))
            self.idle_gpus += gpus_of(stay.slots, stay.shape)

    def booked(self, waiting: Sequence[TrainingJob], at_s: float) -> list[Booked]:
        """Return what the first of those who wait are booked, as a plan of that moment would."""
        made = list[Booked]()
        due = sorted(((stay.expected_s(at_s), key) for key, stay in self.stays.items()) if waiting else ())
        for job in waiting[: self._policy.bookings]:
            room = CachedTrial(self.room)
            for one in made:
                room.take_all(one.slots, one.shape)
            for begins_s, key in due:
                room.give_all(self.known(self.stays[key].slots), self.stays[key].shape)
                rows = hosts_for_gang(room, job.gang, self._scorer) if takes(room, job.gang) else None
                if rows is not None:
                    made.append(Booked(begins_s, room, room.put(rows, job.gang.shape), job.gang.shape))
                    break
        return made

    def delays_nobody(
        self, job: TrainingJob, victims: Iterable[TrainingJob], at_s: float, booked: Iterable[Booked]
    ) -> bool:
        """Whether a job that has others stopped fits beside what is booked: a plan books slots, not any as good."""
        room = CachedTrial(self.room)
        for stay in (self.stays[victim.job_id] for victim in victims):
            room.give_all(self.known(stay.slots), stay.shape)
        for one in (one for one in booked if one.begins_s < at_s + job.runtime_s):
            for slot in one.slots:
                if fits_in(room, (slot,), one.shape):
                    room.take_all((slot,), one.shape)
        return takes(room, job.gang)

    def known(self, slots: Iterable[Slot]) -> list[Slot]:
        """Return those on hosts that are there."""
        return [slot for slot in slots if slot.host in self.room.table.rows]

    def _give(self, slots: Sequence[Slot], shape: Shape) -> None:
        self.room.give_all(self.known(slots), shape)
        self.idle_gpus += gpus_of(slots, shape)


def gpus_of(slots: Sequence[Slot], shape: Shape) -> float:
    """Return how many devices these are."""
    return len(slots) * shape.total_gpu_milli / WHOLE_DEVICE_MILLI
