"""When running work is expected to leave: what is free at any later time, and from when on a gang fits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable, count_units
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Booking
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import AMOUNTS
from scheduler.model.workloads import TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import GangNeed

LEAST_LEFT_S: Final = 60.0
"""What a job is given at least that has run for longer than expected."""


class Release(NamedTuple):
    """Room that somebody has until a time, epoch seconds; `is_known` when the columns of what runs say so."""

    at_s: float
    slots: tuple[Slot, ...]
    shape: Shape
    is_known: bool = False


class ExpectedScaleDown(NamedTuple):
    """Room that the replicas of a model leave when fewer are needed."""

    model: str
    release: Release

    def is_on(self, slots: Iterable[Slot]) -> bool:
        """Whether it leaves room on a host of these slots."""
        return not {slot.host for slot in self.release.slots}.isdisjoint(slot.host for slot in slots)


@dataclass(frozen=True, slots=True)
class PlannedStart:
    """Room that a waiting job has from a time on.

    Attributes:
        job: the job.
        start_s: when, epoch seconds.
        end_s: when it is expected to be over again; infinity when unknown.
        slots: one per worker.
        scale_downs: models that are expected to need fewer replicas by then, where it counts on that.
    """

    job: TrainingJob
    start_s: float
    end_s: float
    slots: tuple[Slot, ...]
    scale_downs: tuple[str, ...] = ()

    @property
    def booking(self) -> Booking:
        """What a plan says of it."""
        return Booking(self.job.job_id, self.slots, self.start_s, self.end_s, self.scale_downs)


def expected_ends_s(started_s: NDArray[np.float64], said_s: NDArray[np.float64], now_s: float) -> NDArray[np.float64]:
    """Return when each of J running jobs is expected to be over, float64 (J,), epoch seconds, all after now.

    One that has run for longer than it said (or than jobs like it) is expected to exceed that by as much again, so
    that its end moves a number of times that only grows with the logarithm; one of which nothing is known, to run for
    as long again as it has run.

    Args:
        started_s: float64 (J,), when they began.
        said_s: float64 (J,), when they should be over; infinity when unknown.
        now_s: epoch seconds.
    """
    known_s = np.where(np.isfinite(said_s), said_s, started_s)
    ends_s: NDArray[np.float64] = np.where(known_s > now_s, known_s, now_s + np.maximum(now_s - known_s, LEAST_LEFT_S))
    return ends_s


def expected_end_s(job: TrainingJob, now_s: float) -> float:
    """Return as `expected_ends_s`, for one running job."""
    started_s = job.started_at_s or 0.0
    return float(
        expected_ends_s(
            np.array([started_s]), np.array([job.ends_s if job.started_at_s else started_s + job.runtime_s]), now_s
        )[0]
    )


def going_on(job: TrainingJob, now_s: float) -> Release:
    """Return what a running job has when it is left alone."""
    return Release(expected_end_s(job, now_s), job.slots, job.gang.shape, is_known=True)


def beginning_anew(job: TrainingJob, slots: Sequence[Slot], now_s: float) -> Release:
    """Return what a job has that starts now, or is stopped to go on in these slots, which makes it end no sooner."""
    end_s = now_s + job.runtime_s
    if job.state.holds_room:
        end_s = max(end_s, expected_end_s(job, now_s))
    return Release(end_s, tuple(slots), job.gang.shape)


@dataclass(frozen=True, eq=False)
class AvailabilityProfile:
    """N releases of room, by host row and then by time.

    Attributes:
        table: the hosts.
        at_s: float64 (N,), when, epoch seconds.
        row: int64 (N,), on which host row.
        freed: int64 (N, 2 + D): CPU, memory, then each device, that is left there.
        horizon_s: releases from then on are not in it, epoch seconds.
    """

    table: HostTable
    at_s: NDArray[np.float64]
    row: NDArray[np.int64]
    freed: NDArray[np.int64]
    horizon_s: float

    def room_at(self, at_s: float, base: Ledger) -> CachedTrial:
        """Return `base` with all in it that has been released at a time before the horizon."""
        room = CachedTrial(base)
        due = self.at_s <= at_s
        last = np.flatnonzero(due & ~np.append(due[1:] & ~self._begins[1:], False))  # an array's value
        room.release(self.row[last], self._freed_so_far[last])
        return room

    def first_met_s(
        self, need: GangNeed, base: CachedTrial, ceiling: CachedTrial | None, before: NDArray[np.int64], until_s: float
    ) -> float | None:
        """Return when enough is free for a gang that has too little room now; None not before `until_s`.

        Args:
            need: what has to fit.
            base: room now.
            ceiling: room that is not exceeded whatever is released; None for no such bound.
            before: int64 (H,), workers that each host takes now.
            until_s: releases from then on are not counted, epoch seconds.
        """
        entries = slice(None) if until_s >= self.horizon_s else np.flatnonzero(self.at_s < until_s)
        row, at_s = self.row[entries], self.at_s[entries]
        units = need.fitting(self._units_after(need.shape, base, ceiling, entries))
        previous = np.roll(units, 1)
        first = np.diff(row, prepend=-1) != 0
        previous[first] = before[row[first]]
        return need.first_met_s(before, row, at_s, units - previous)

    def _units_after(
        self, shape: Shape, base: CachedTrial, ceiling: CachedTrial | None, entries: NDArray[np.int64] | slice
    ) -> NDArray[np.int64]:
        """Return how many units fit on the host of each entry, int64 (N,), once it has been released."""
        row, freed = self.row[entries], self._freed_so_far[entries]
        amounts = [
            base.cpu_milli[row] + freed[:, 0],
            base.memory_mib[row] + freed[:, 1],
            base.gpu_milli[row] + freed[:, AMOUNTS:],
        ]
        if ceiling is not None:
            tops = (ceiling.cpu_milli[row], ceiling.memory_mib[row], ceiling.gpu_milli[row])
            amounts = [np.minimum(amount, top) for amount, top in zip(amounts, tops, strict=True)]
        matches = self.table.matching(shape)[row] & self.table.usable[row][:, None]
        return count_units(shape, matches, *amounts)

    @cached_property
    def _begins(self) -> NDArray[np.bool_]:
        """Whether an entry is the first of its host, bool (N,)."""
        begins: NDArray[np.bool_] = np.diff(self.row, prepend=-1) != 0
        return begins

    @cached_property
    def _freed_so_far(self) -> NDArray[np.int64]:
        """What has been left on the host of an entry by then, int64 (N, 2 + D)."""
        total = np.cumsum(self.freed, axis=0)
        first = np.flatnonzero(self._begins)
        before = np.repeat(total[first] - self.freed[first], np.diff(first, append=len(self.row)), axis=0)
        so_far: NDArray[np.int64] = total - before
        return so_far
