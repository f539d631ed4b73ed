"""When running work is expected to leave: what is free at any later time, and from when on a gang fits."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable, count_units
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import AMOUNTS, Running
from scheduler.model.workloads import TrainingJob, rank_of
from scheduler.planning.lowest import Lowest
from scheduler.planning.room import Counted
from scheduler.planning.wants import Wants

FIRST_LOOKED_AT: Final = (256, 4096)
"""Releases that are looked at before all of them."""
LEAST_LEFT_S: Final = 60.0
"""What a job is given at least that has run for longer than expected."""


class Release(NamedTuple):
    """Room that somebody has until a time, epoch seconds; `is_known` when the columns of what runs say so."""

    at_s: float
    slots: tuple[Slot, ...]
    shape: Shape
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class Booking:
    """Room that a waiting job has from a time on.

    Attributes:
        job: the job.
        start_s: when, epoch seconds.
        end_s: when it is expected to be over again; infinity when unknown.
        slots: one per worker.
    """

    job: TrainingJob
    start_s: float
    end_s: float
    slots: tuple[Slot, ...]


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
    return float(expected_ends_s(np.array([started_s]), np.array([started_s + job.runtime_s]), now_s)[0])


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
class Timetable:
    """N releases of room, by host row and then by time.

    Attributes:
        table: the hosts.
        at_s: float64 (N,), when, epoch seconds.
        row: int64 (N,), on which host row.
        freed: int64 (N, 2 + D): CPU, memory, then each device, that is left there.
    """

    table: HostTable
    at_s: NDArray[np.float64]
    row: NDArray[np.int64]
    freed: NDArray[np.int64]

    @classmethod
    def of(cls, running: Running, table: HostTable, now_s: float, gone: Iterable[TrainingJob] = ()) -> "Timetable":
        """Tabulate the expected ends of running jobs, but of those that are being stopped, or are `gone`."""
        ends_s = expected_ends_s(running.started_s, running.ends_s, now_s)
        ends_s[running.leaving] = np.inf
        for job in gone:
            ends_s[bisect_left(running.jobs, rank_of(job), key=rank_of)] = np.inf
        entries = np.flatnonzero(np.isfinite(ends_s[running.who]))
        return cls._sorted(table, ends_s[running.who[entries]], running.row[entries], running.freed[entries])

    @classmethod
    def _sorted(
        cls, table: HostTable, at_s: NDArray[np.float64], row: NDArray[np.int64], freed: NDArray[np.int64]
    ) -> "Timetable":
        order = np.lexsort((at_s, row))
        return cls(table, at_s[order], row[order], freed[order])

    def plus(self, releases: Iterable[Release]) -> "Timetable":
        """Return the timetable with more releases."""
        known = [(release, slot) for release in releases for slot in release.slots if slot.host in self.table.rows]
        if not known:
            return self
        freed = np.zeros((len(known), self.freed.shape[1]), dtype=np.int64)
        for entry, (release, slot) in zip(freed, known, strict=True):
            entry[:AMOUNTS] = (release.shape.cpu_milli, release.shape.memory_mib)
            entry[[AMOUNTS + device for device in slot.devices]] = release.shape.gpu_milli
        at_s = np.array([release.at_s for release, _ in known])
        row = np.array([self.table.rows[slot.host] for _, slot in known], dtype=np.int64)
        return self._sorted(
            self.table,
            np.concatenate([self.at_s, at_s]),
            np.concatenate([self.row, row]),
            np.concatenate([self.freed, freed]),
        )

    def room_at(self, at_s: float, base: Ledger) -> Counted:
        """Return `base` with all in it that has been released at a time."""
        room = Counted(base)
        due = self.at_s <= at_s
        last = np.flatnonzero(due & ~np.append(due[1:] & ~self._begins[1:], False))  # an array's value
        room.release(self.row[last], self._freed_so_far[last])
        return room

    def first_fit_s(self, wants: Wants, base: Counted, ceiling: Counted | None, until_s: float) -> float | None:
        """Return when enough is free for a gang: -infinity at once, None not before `until_s`.

        Args:
            wants: what has to fit.
            base: room now.
            ceiling: room that is not exceeded whatever is released; None for no such bound.
            until_s: releases from then on are not counted, epoch seconds.
        """
        now = base if ceiling is None else Lowest((base, ceiling))
        before = wants.fitting(now.units(wants.shape))
        if wants.are_met_by(before):
            return -np.inf
        found = (self._first_met_s(wants, base, ceiling, before, sooner_s) for sooner_s in self._sooner(until_s))
        return next((at_s for at_s in found if at_s is not None), None)

    def _sooner(self, until_s: float) -> Iterator[float]:
        """Yield moments with ever more releases before them, the last one `until_s`: most gangs fit soon."""
        for rank in FIRST_LOOKED_AT:
            if rank < len(self.at_s) and (at_s := float(np.partition(self.at_s, rank)[rank])) < until_s:
                yield at_s
        yield until_s

    def _first_met_s(
        self, wants: Wants, base: Counted, ceiling: Counted | None, before: NDArray[np.int64], until_s: float
    ) -> float | None:
        entries = slice(None) if until_s == np.inf else np.flatnonzero(self.at_s < until_s)
        row, at_s = self.row[entries], self.at_s[entries]
        units = wants.fitting(self._units_after(wants.shape, base, ceiling, entries))
        previous = np.roll(units, 1)
        first = np.diff(row, prepend=-1) != 0
        previous[first] = before[row[first]]
        return wants.first_met_s(before, row, at_s, units - previous)

    def _units_after(
        self, shape: Shape, base: Counted, ceiling: Counted | None, entries: NDArray[np.int64] | slice
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
