"""Columns of the jobs that wait: tables kept beside the jobs, so that looking at all of them costs microseconds.

Row j of every column is job j of `Waiting.jobs`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.gang_table import GangTable
from scheduler.model.running import Who, place_of
from scheduler.model.workloads import TrainingJob, rank_of

SPARE_GANGS: Final = 256
"""Gangs that nobody waits with any more, beyond as many as somebody does, from which on the table is made anew."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """W jobs that wait, in the order of the snapshot's jobs.

    Attributes:
        jobs: the jobs.
        gangs: the different gangs among them; some that nobody waits with any more may be left.
        gang: int64 (W,), which of `gangs` each asks for.
        groups: the different priorities and queues among them, likewise.
        group: int64 (W,), which of `groups` each is.
        priority: int64 (W,).
        submitted_s: float64 (W,), when it was accepted, epoch seconds.
        ran_before_s: float64 (W,), how long its earlier attempts held room.
        runtime_s: float64 (W,), how long an attempt takes at most; infinity when unknown.
        not_before_s: float64 (W,), not to be tried earlier, epoch seconds.
        trusted_from_s: float64 (W,), nobody is stopped for it earlier, epoch seconds.
    """

    jobs: tuple[TrainingJob, ...]
    gangs: GangTable
    gang: NDArray[np.int64]
    groups: tuple[Who, ...]
    group: NDArray[np.int64]
    priority: NDArray[np.int64]
    submitted_s: NDArray[np.float64]
    ran_before_s: NDArray[np.float64]
    runtime_s: NDArray[np.float64]
    not_before_s: NDArray[np.float64]
    trusted_from_s: NDArray[np.float64]

    @classmethod
    def of(cls, jobs: Iterable[TrainingJob]) -> "Waiting":
        """Tabulate those of the jobs that wait."""
        return cls._tabulated(tuple(job for job in jobs if job.state.is_waiting), GangTable(), ())

    @classmethod
    def _tabulated(cls, jobs: tuple[TrainingJob, ...], known: GangTable, groups: tuple[Who, ...]) -> "Waiting":
        gangs = known.having(job.gang for job in jobs)
        places = {who: n for n, who in enumerate(groups)}
        group = [places.setdefault((job.priority, job.queue), len(places)) for job in jobs]
        return cls(
            jobs,
            gangs,
            np.array([gangs.row_by_id[id(job.gang)] for job in jobs], dtype=np.int64),
            tuple(places),
            np.array(group, dtype=np.int64),
            np.array([job.priority for job in jobs], dtype=np.int64),
            np.array([job.submitted_at_s for job in jobs], dtype=np.float64),
            np.array([job.ran_before_s for job in jobs], dtype=np.float64),
            np.array([job.runtime_s for job in jobs], dtype=np.float64),
            np.array([job.not_before_s for job in jobs], dtype=np.float64),
            np.array([job.trusted_from_s for job in jobs], dtype=np.float64),
        )

    @cached_property
    def row_by_id(self) -> dict[int, int]:
        """The row of each job, by the identity of the object."""
        return dict(zip(map(id, self.jobs), range(len(self.jobs)), strict=True))

    def after(self, gone: Sequence[TrainingJob], come: Sequence[TrainingJob]) -> "Waiting":
        """Return the table without some jobs and with others, all of which wait."""
        if not gone and not come:
            return self
        left = self._without([place_of(job, self.jobs) for job in gone]) if gone else self
        return left._having(sorted(come, key=rank_of)) if come else left  # noqa: SLF001  # one of its kind

    def _without(self, rows: Sequence[int]) -> "Waiting":
        jobs = list(self.jobs)
        for row in sorted(rows, reverse=True):
            del jobs[row]
        columns = {name: np.delete(getattr(self, name), rows) for name in _COLUMNS}
        left = Waiting(jobs=tuple(jobs), gangs=self.gangs, groups=self.groups, **columns)
        in_use = len(np.unique(left.gang))
        return Waiting.of(jobs) if len(left.gangs.gangs) > 2 * in_use + SPARE_GANGS else left

    def _having(self, come: Sequence[TrainingJob]) -> "Waiting":
        new = self._tabulated(tuple(come), self.gangs, self.groups)
        at = np.array([place_of(job, self.jobs) for job in come], dtype=np.int64)
        jobs = list(self.jobs)
        for number, (row, job) in enumerate(zip(at.tolist(), come, strict=True)):
            jobs.insert(row + number, job)
        columns = {name: np.insert(getattr(self, name), at, getattr(new, name)) for name in _COLUMNS}
        return Waiting(jobs=tuple(jobs), gangs=new.gangs, groups=new.groups, **columns)


_COLUMNS: Final = tuple(field.name for field in fields(Waiting) if field.name not in {"jobs", "gangs", "groups"})
