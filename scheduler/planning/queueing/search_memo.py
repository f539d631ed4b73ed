"""What a run through the queue has tried in vain, so that it is tried again only when more room is expected.

Between two growths of the room it only shrinks. So a gang that finds no room finds none later, and none does that asks
for as much or more; where bookings are in the way, those find none either that run for longer. All that is known is
kept as tables of the different gangs, and what follows from it for all waiting jobs is worked out at once.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.model.workloads import TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.draft.queue_terms import could_be_won, eligibility_of
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import takes

MOST_DISPLACING: Final = 8
"""Waiting jobs for which equals are looked at in one plan, where the site wants that: the first that find nobody less
important."""
ALL_AFTER: Final = 32
"""Jobs that are found one by one to find nothing until this is worked out for all."""
NEVER: Final = np.iinfo(np.int64).max
"""Bookings that a job would have to meet where none are in the way."""


class _Case(NamedTuple):
    """A waiting job: row of its gang and group in the tables, and how many bookings begin before it would be over."""

    gang: int
    group: int
    meets: int


class SearchMemo:
    """Gangs and jobs that found nothing.

    Attributes:
        displacing: for how many more jobs equals are looked at.
    """

    def __init__(self, draft: Draft) -> None:
        """Start with nothing tried."""
        self._draft, self._room = draft, draft.room
        self._queued = draft.snapshot.queued
        self._gang, self._group = self._queued.gang.tolist(), self._queued.group.tolist()
        self.displacing = MOST_DISPLACING if draft.policy.may_displace else 0
        self._fits_coming: tuple[int, NDArray[np.bool_]] = (-1, self._no_gang())
        self._as_of, self._over, self._unforeseen = (-1, -1), b"", 0
        self._sync()

    def is_known_to_be_over(self, job: TrainingJob) -> bool:
        """Whether it has been worked out already that a job finds nothing: quicker yet than `is_over`."""
        self._sync()
        return bool(self._over[self._queued.row_by_id[id(job)]])

    def is_over(self, job: TrainingJob) -> bool:
        """Whether a job finds nothing at all, now or coming, and has no reservation either: the quick answer."""
        if self.is_known_to_be_over(job):
            return True
        if self._draft.reservations.of(job.job_id) or not self._finds_nothing(job):
            return False
        self._unforeseen += 1
        if self._unforeseen == ALL_AFTER:
            self._over, self._unforeseen = self._over_by_row(), 0
        return True

    def finds_no_room(self, job: TrainingJob) -> bool:
        """Whether a job without a reservation need not be tried."""
        return not self._draft.reservations.of(job.job_id) and self._starts_nowhere(self._case(job))

    def is_hopeless(self, job: TrainingJob) -> bool:
        """Whether there is nothing to be reserved and nobody to be stopped, or a reservation is there already."""
        return bool(self._draft.reservations.of(job.job_id)) or self._is_hopeless(job, self._case(job))

    def has_nobody(self, job: TrainingJob) -> bool:
        """Whether nobody could be stopped for a job who may be stopped for it, as far as is known."""
        known = self._nobody.get(eligibility_of(job, self._draft))
        return known is not None and bool(known[self._case(job).gang])

    def found_nobody(self, job: TrainingJob) -> None:
        """Remember that nobody could be stopped for a job."""
        case, gangs, eligibility = self._case(job), self._queued.gangs, eligibility_of(job, self._draft)
        least = gangs.least[gangs.kind[case.gang]]
        for_all = least is not job.gang and not could_be_won(job, self._draft, least)
        known = self._nobody.setdefault(eligibility, self._no_gang())
        known |= gangs.above(least if for_all else job.gang, case.gang)

    def found_no_room(self, job: TrainingJob, usable: CachedTrial) -> None:
        """Remember that a job found no room in what it may use now."""
        case, now = self._case(job), self._room.now
        if usable is now or not takes(now, job.gang):
            self._now |= self._as_much_as(case, now, "now")
        else:
            self._lower(self._behind_now, self._as_much_as(case, usable, "now", case.meets), case.meets)

    def finds_nothing_coming(self, job: TrainingJob) -> bool:
        """Whether there is too little that could be reserved for a job: then nothing is looked for."""
        case = self._case(job)
        if self._coming[case.gang]:
            return True
        if case.meets >= self._behind_coming[case.gang]:
            self._learn_what_is_short(job, case)
            return True
        return False

    def found_nothing_coming(self, job: TrainingJob, usable: CachedTrial) -> None:
        """Remember that too little is coming of what may be reserved for a job."""
        case, coming = self._case(job), self._room.coming
        if usable is coming:
            self._coming |= self._as_much_as(case, coming, "coming")
        else:
            self._lower(self._behind_coming, self._as_much_as(case, usable, "coming", case.meets), case.meets)
            self._learn_what_is_short(job, case)

    def waits_for_bookings(self, job: TrainingJob) -> bool:
        """Whether enough is coming for a job for which nothing can be reserved, so that bookings are in the way."""
        return not self._coming[self._case(job).gang]

    def stops_nobody(self, job: TrainingJob) -> None:
        """Remember that nobody is stopped for a job; where some could be, it is bookings that are in the way."""
        if not self.has_nobody(job):
            gang, group, meets = self._case(job)
            self._waits_of_group[gang, group] = min(meets, self._waits_of_group[gang, group])

    def _case(self, job: TrainingJob) -> _Case:
        self._sync()
        row = self._queued.row_by_id[id(job)]
        return _Case(self._gang[row], self._group[row], self._meets[row])

    def _sync(self) -> None:
        """Forget what holds no longer: all when room has grown, what is due to bookings when there are others."""
        grown, made = self._room.grown, len(self._draft.bookings)
        if self._as_of == (grown, made):
            return
        if self._as_of[0] != grown:
            self._now, self._coming = self._no_gang(), self._no_gang()
            self._nobody: dict[bytes, NDArray[np.bool_]] = {}
        self._meets: list[int] = self._draft.bookings.met(self._queued.runtime_s).tolist()
        self._behind_now, self._behind_coming, self._waits = self._never(), self._never(), self._never()
        self._waits_of_group = np.full((len(self._queued.gangs.gangs), len(self._queued.groups)), NEVER)
        self._least_fits: set[tuple[object, ...]] = set()
        self._over, self._unforeseen = bytes(len(self._queued.jobs)), 0
        self._as_of = (grown, made)

    def _finds_nothing(self, job: TrainingJob) -> bool:
        case = self._case(job)
        return self._starts_nowhere(case) and self._is_hopeless(job, case)

    def _starts_nowhere(self, case: _Case) -> bool:
        return bool(self._now[case.gang] or case.meets >= self._behind_now[case.gang])

    def _is_hopeless(self, job: TrainingJob, case: _Case) -> bool:
        gang, group, meets = case
        if meets >= self._waits[gang] or meets >= self._waits_of_group[gang, group]:
            return True
        return bool(not self.displacing and self._coming[gang] and self.has_nobody(job))

    def _over_by_row(self) -> bytes:
        """Return for each waiting job whether it finds nothing, as far as is known; nobody with a reservation."""
        queued, meets = self._queued, np.array(self._meets, dtype=np.int64)
        gang, group = queued.gang, queued.group
        over = self._now[gang] | (meets >= self._behind_now[gang])
        hopeless = (meets >= self._waits[gang]) | (meets >= self._waits_of_group[gang, group])
        if not self.displacing:
            hopeless |= self._coming[gang] & self._nobody_by_group()[group, gang]
        over &= hopeless
        for holder, _, _ in self._draft.reservations.holders():
            job = self._draft.snapshot.by_id.get(holder)
            if job is not None and id(job) in queued.row_by_id:
                over[queued.row_by_id[id(job)]] = False
        return over.tobytes()

    def _nobody_by_group(self) -> NDArray[np.bool_]:
        """Return for each group and gang whether nobody could be stopped, bool (groups, G)."""
        nobody, known = self._no_gang(), dict[int, NDArray[np.bool_]]()
        groups, first = np.unique(self._queued.group, return_index=True)
        for group, row in zip(groups.tolist(), first.tolist(), strict=True):
            known[group] = self._nobody.get(eligibility_of(self._queued.jobs[row], self._draft), nobody)
        return np.stack([known.get(group, nobody) for group in range(len(self._queued.groups))])

    def _learn_what_is_short(self, job: TrainingJob, case: _Case) -> None:
        """Remember whether it is room or bookings that a job lacks."""
        if self._fits_into_coming(job, case):
            self._waits[case.gang] = min(case.meets, self._waits[case.gang])
        else:
            self._coming |= self._as_much_as(case, self._room.coming, "coming")

    def _fits_into_coming(self, job: TrainingJob, case: _Case) -> bool:
        coming, gangs = self._room.coming, self._queued.gangs
        if self._fits_coming[0] != len(coming.touched):
            self._fits_coming = (len(coming.touched), self._no_gang())
        known = self._fits_coming[1]
        if not known[case.gang] and takes(coming, job.gang):
            most = gangs.most[gangs.kind[case.gang]]
            known |= gangs.below(most if takes(coming, most) else job.gang, case.gang)
        return bool(known[case.gang])

    def _as_much_as(self, case: _Case, room: CachedTrial, *what: object) -> NDArray[np.bool_]:
        """Return which gangs find no room where one finds none, bool (G,): all of a kind if its least does not."""
        gangs = self._queued.gangs
        gang, kind = gangs.gangs[case.gang], int(gangs.kind[case.gang])
        least = gangs.least[kind]
        if least is not gang and (kind, *what) not in self._least_fits:
            if not takes(room, least):
                return gangs.above(least, case.gang)
            self._least_fits.add((kind, *what))
        return gangs.above(gang, case.gang)

    @staticmethod
    def _lower(known: NDArray[np.int64], gangs: NDArray[np.bool_], meets: int) -> None:
        known[gangs] = np.minimum(known[gangs], meets)

    def _no_gang(self) -> NDArray[np.bool_]:
        return np.zeros(len(self._queued.gangs.gangs), dtype=bool)

    def _never(self) -> NDArray[np.int64]:
        return np.full(len(self._queued.gangs.gangs), NEVER)
