"""All expected ends, in no order: the soonest are put in order first, as most gangs fit soon, and all if need be."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.ledger import Ledger
from scheduler.model.running import AMOUNTS, Running
from scheduler.model.workloads import TrainingJob, rank_of
from scheduler.planning.placement.availability import AvailabilityProfile, Release, expected_ends_s
from scheduler.planning.placement.cached_trial import CachedTrial, ElementwiseMinimum
from scheduler.planning.placement.need import GangNeed

FIRST_LOOKED_AT: Final = (256, 4096)
"""Releases that are put in order before all of them."""


class ExpectedReleases:
    """When running jobs are expected to leave their room, and jobs that this plan starts."""

    def __init__(self, running: Running, table: HostTable, now_s: float, gone: Iterable[TrainingJob]) -> None:
        """Take the expected ends of running jobs, but of those that are being stopped, or are `gone`."""
        ends_s = expected_ends_s(running.started_s, running.ends_s, now_s)
        ends_s[running.leaving] = np.inf
        for job in gone:
            ends_s[bisect_left(running.jobs, rank_of(job), key=rank_of)] = np.inf
        self._table, self._at_s, self._row, self._freed = table, ends_s[running.who], running.row, running.freed
        self._more = _tabulated((), table, running.freed.shape[1])
        self._made: list[AvailabilityProfile] = []

    def with_also(self, releases: Iterable[Release]) -> Self:
        """Let others leave, too, instead of those given before."""
        self._more = _tabulated(releases, self._table, self._freed.shape[1])
        self._made.clear()
        return self

    def first_fit_s(
        self, need: GangNeed, base: CachedTrial, ceiling: CachedTrial | None, until_s: float
    ) -> float | None:
        """Return when enough is free for a gang: -infinity at once, None not before `until_s`.

        Args:
            need: what has to fit.
            base: room now.
            ceiling: room that is not exceeded whatever is released; None for no such bound.
            until_s: releases from then on are not counted, epoch seconds.
        """
        now = base if ceiling is None else ElementwiseMinimum((base, ceiling))
        before = need.fitting(now.units(need.shape))
        if need.are_met_by(before):
            return -np.inf
        for profile in self._profiles():
            at_s = profile.first_met_s(need, base, ceiling, before, until_s)
            if at_s is not None or until_s <= profile.horizon_s:
                return at_s
        return None

    def room_at(self, at_s: float, base: Ledger) -> CachedTrial:
        """Return `base` with all in it that has been released at a time."""
        return next(profile for profile in self._profiles() if at_s < profile.horizon_s).room_at(at_s, base)

    def _profiles(self) -> Iterator[AvailabilityProfile]:
        """Yield profiles with ever more of the ends in them, the last one with all."""
        yield from self._made
        for rank in (*FIRST_LOOKED_AT, len(self._at_s))[len(self._made) :]:
            horizon_s = float(np.partition(self._at_s, rank)[rank]) if rank < len(self._at_s) else np.inf
            self._made.append(self._until(horizon_s))
            yield self._made[-1]

    def _until(self, horizon_s: float) -> AvailabilityProfile:
        parts = ((self._at_s, self._row, self._freed), self._more)
        chosen = [np.flatnonzero(at_s < horizon_s) for at_s, _, _ in parts]
        at_s, row, freed = (
            np.concatenate([part[column][rows] for part, rows in zip(parts, chosen, strict=True)])
            for column in range(3)
        )
        order = np.lexsort((at_s, row))
        return AvailabilityProfile(self._table, at_s[order], row[order], freed[order], horizon_s)


def _tabulated(
    releases: Iterable[Release], table: HostTable, columns: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return for each slot that is left when, on which row, and what, int64 (N, 2 + D)."""
    known = [(release, slot) for release in releases for slot in release.slots if slot.host in table.rows]
    freed = np.zeros((len(known), columns), dtype=np.int64)
    for entry, (release, slot) in zip(freed, known, strict=True):
        entry[:AMOUNTS] = (release.shape.cpu_milli, release.shape.memory_mib)
        entry[[AMOUNTS + device for device in slot.devices]] = release.shape.gpu_milli
    at_s = np.array([release.at_s for release, _ in known], dtype=np.float64)
    return at_s, np.array([table.rows[slot.host] for _, slot in known], dtype=np.int64), freed
