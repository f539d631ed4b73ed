"""Who may be stopped, and what each of them holds on each host: tables, so that a search looks at all hosts at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import count_units
from scheduler.model.resources import Shape, Slot, slots_without
from scheduler.model.running import AMOUNTS, Running
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial


@dataclass(frozen=True)
class Victim:
    """A running job that may be stopped.

    Attributes:
        index: its place in the order of stopping: least cost, then lowest priority, then youngest.
        job: the job.
        cost: what stopping it costs by the site's policy, in GPU-seconds.
        keeps: slots with which it goes on; () when it is to wait for room.
    """

    index: int
    job: TrainingJob = field(compare=False)
    cost: float = field(compare=False)
    keeps: tuple[Slot, ...] = field(default=(), compare=False)

    @property
    def freed(self) -> tuple[Slot, ...]:
        """The slots that it gives up."""
        return slots_without(self.job.slots, self.keeps) if self.keeps else self.job.slots


@dataclass(frozen=True, eq=False)
class Candidates:
    """Victims and what they hold. One entry stands for one victim on one host; entries are sorted by host, then rank.

    Attributes:
        running: all jobs that hold room.
        order: int64 (V,), rows of V victims in `running`, in the order of stopping; those without an entry are not to
            be stopped (any more).
        cost: float64 (V,), what stopping each costs.
        row: int64 (N,), host row of each entry.
        who: int64 (N,), index of its victim.
        freed: int64 (N, 2 + D): CPU, memory, then each device, that it would free there.
    """

    running: Running
    order: NDArray[np.int64]
    cost: NDArray[np.float64]
    row: NDArray[np.int64]
    who: NDArray[np.int64]
    freed: NDArray[np.int64]

    @classmethod
    def of(cls, running: Running, stoppable: NDArray[np.bool_], cost: NDArray[np.float64]) -> "Candidates":
        """Tabulate some of the running jobs.

        Args:
            running: all of them, J.
            stoppable: bool (J,), which of them.
            cost: float64 (J,), what stopping each costs.
        """
        chosen = np.flatnonzero(stoppable)
        order = chosen[np.lexsort((-running.started_s[chosen], running.priority[chosen], cost[chosen]))]
        place = np.full(len(running.jobs), -1)
        place[order] = np.arange(len(order))
        who = place[running.who]
        entries = np.flatnonzero(who >= 0)
        entries = entries[np.argsort(running.row[entries] * len(order) + who[entries])]  # all different
        return cls(running, order, cost[order], running.row[entries], who[entries], running.freed[entries])

    def victim(self, index: int) -> Victim:
        """Return a victim by its place in the order of stopping."""
        return Victim(index, self.running.jobs[self.order[index]], float(self.cost[index]))

    def only(self, entries: NDArray[np.bool_]) -> "Candidates":
        """Return the candidates with only some of its entries, bool (N,); its victims keep their indices."""
        return Candidates(
            self.running, self.order, self.cost, self.row[entries], self.who[entries], self.freed[entries]
        )

    def without(self, indices: Sequence[int]) -> "Candidates":
        """Return the candidates without the entries of some victims."""
        return self.only(~np.isin(self.who, indices)) if len(indices) else self

    def units_if_all_stopped(self, coming: CachedTrial, shape: Shape) -> NDArray[np.int64]:
        """Return how many units of a shape would fit on each host, int64 (H,), if every victim were gone."""
        if not len(self.row):
            return coming.units(shape)
        rows, freed = self._by_host
        units = coming.units(shape).copy()
        units[rows] = units_with(coming, shape, rows, freed)
        return units

    @cached_property
    def queue(self) -> NDArray[np.int64]:
        """In which queue each victim is, int64 (V,): a value of `Running.queue_names`."""
        return self.running.queue[self.order]

    @cached_property
    def there(self) -> NDArray[np.int64]:
        """The victims that have entries, in the order of stopping."""
        return np.unique(self.who)

    @cached_property
    def by_host(self) -> NDArray[np.int64]:
        """As `there`, but host by host, those first on which most could be freed; each at the first where it is."""
        freed = np.bincount(self.row, weights=self.freed.sum(axis=1))
        host = np.zeros(len(self.order), dtype=np.int64)
        host[self.who[::-1]] = self.row[::-1]
        there = self.there
        return there[np.lexsort((there, host[there], -freed[host[there]]))]

    @cached_property
    def _by_host(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows of hosts with victims, and all that they would free there."""
        starts = np.flatnonzero(np.diff(self.row, prepend=-1))
        return self.row[starts], np.add.reduceat(self.freed, starts)


def units_with(
    coming: CachedTrial, shape: Shape, rows: NDArray[np.int64], freed: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return how many units would fit, int64 (N,), on each of N host rows if (N, 2 + D) were freed there."""
    return count_units(
        shape,
        coming.table.matching(shape)[rows] & coming.table.usable[rows][:, None],
        coming.cpu_milli[rows] + freed[:, 0],
        coming.memory_mib[rows] + freed[:, 1],
        coming.gpu_milli[rows] + freed[:, AMOUNTS:],
    )


def worth_stopping(snapshot: Snapshot) -> NDArray[np.bool_]:
    """Return which running jobs may be stopped for somebody, bool (J,): not those on draining or lost hosts."""
    running = snapshot.running
    may_stop = running.stoppable.copy()
    may_stop[running.who[snapshot.ledger.table.leaving[running.row]]] = False
    return may_stop
