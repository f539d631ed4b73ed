"""Who may be stopped, and what each of them holds on each host: tables, so that a search looks at all hosts at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.model.hosts import HostState
from scheduler.model.ledger import HostTable, count_units
from scheduler.model.policy import Policy
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, TrainingJob
from scheduler.planning.room import Counted


@dataclass(frozen=True, eq=False)
class Victim:
    """A running job that may be stopped.

    Attributes:
        job: the job.
        lost_gpu_s: GPU-seconds of work that stopping it loses.
    """

    job: TrainingJob
    lost_gpu_s: float

    @cached_property
    def rank(self) -> tuple[float, int, float, str]:
        """Order of stopping: least lost work, then lowest priority, then youngest."""
        return (self.lost_gpu_s, self.job.priority, -(self.job.started_at_s or 0.0), self.job.job_id)


@dataclass(frozen=True, eq=False)
class Roster:
    """Victims and what they hold. One entry stands for one victim on one host; entries are sorted by host, then rank.

    Attributes:
        victims: V victims in the order of stopping; those without an entry are not to be stopped (any more).
        lost_gpu_s: float64 (V,), lost work of each.
        row: int64 (N,), host row of each entry.
        who: int64 (N,), index of its victim.
        freed: int64 (N, 2 + D): CPU, memory, then each device, that it would free there.
    """

    victims: tuple[Victim, ...]
    lost_gpu_s: NDArray[np.float64]
    row: NDArray[np.int64]
    who: NDArray[np.int64]
    freed: NDArray[np.int64]

    @classmethod
    def of(cls, victims: Iterable[Victim], table: HostTable) -> "Roster":
        """Tabulate victims; slots on hosts that are not in the table are passed over."""
        in_order = tuple(sorted(victims, key=lambda victim: victim.rank))
        width = 2 + table.device_exists.shape[1]
        held: dict[tuple[int, int], NDArray[np.int64]] = {}
        for who, victim in enumerate(in_order):
            for slot in victim.job.slots:
                if slot.host in table.rows:
                    entry = held.setdefault((table.rows[slot.host], who), np.zeros(width, dtype=np.int64))
                    _add(entry, slot, victim.job.gang.shape)
        keys = np.array(sorted(held), dtype=np.int64).reshape(-1, 2)
        freed = np.array([held[row, who] for row, who in keys.tolist()], dtype=np.int64).reshape(len(keys), width)
        lost_gpu_s = np.array([victim.lost_gpu_s for victim in in_order], dtype=np.float64)
        return cls(in_order, lost_gpu_s, keys[:, 0], keys[:, 1], freed)

    def only(self, entries: NDArray[np.bool_]) -> "Roster":
        """Return the roster with only some of its entries, bool (N,); its victims keep their indices."""
        return Roster(self.victims, self.lost_gpu_s, self.row[entries], self.who[entries], self.freed[entries])

    def without(self, indices: Sequence[int]) -> "Roster":
        """Return the roster without the entries of some victims."""
        return self.only(~np.isin(self.who, indices)) if len(indices) else self

    def units_if_all_stopped(self, coming: Counted, shape: Shape) -> NDArray[np.int64]:
        """Return how many units of a shape would fit on each host, int64 (H,), if every victim were gone."""
        if not len(self.row):
            return coming.units(shape)
        units = coming.units(shape).copy()
        starts = np.flatnonzero(np.diff(self.row, prepend=-1))
        units[self.row[starts]] = units_with(coming, shape, self.row[starts], np.add.reduceat(self.freed, starts))
        return units


def _add(entry: NDArray[np.int64], slot: Slot, shape: Shape) -> None:
    entry[:2] += (shape.cpu_milli, shape.memory_mib)
    for device in slot.devices:
        entry[2 + device] += shape.gpu_milli


def units_with(coming: Counted, shape: Shape, rows: NDArray[np.int64], freed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many units would fit, int64 (N,), on each of N host rows if (N, 2 + D) were freed there."""
    return count_units(
        shape,
        coming.table.matching(shape)[rows] & coming.table.usable[rows][:, None],
        coming.cpu_milli[rows] + freed[:, 0],
        coming.memory_mib[rows] + freed[:, 1],
        coming.gpu_milli[rows] + freed[:, 2:],
    )


def stoppable(snapshot: Snapshot, policy: Policy) -> Roster:
    """Return all jobs that may be stopped for somebody."""
    leaving = {host.name for host in snapshot.hosts if host.state in {HostState.DRAINING, HostState.LOST}}
    jobs = (job for job in snapshot.jobs if _is_stoppable(job, leaving))
    victims = (Victim(job, policy.victim_cost(job, snapshot.taken_at_s)) for job in jobs)
    return Roster.of(victims, snapshot.ledger.table)


def _is_stoppable(job: TrainingJob, leaving: set[str]) -> bool:
    runs = job.state in {JobState.ADMITTED, JobState.RUNNING} and job.preemptible and not job.stop_asked
    return runs and not any(slot.host in leaving for slot in job.slots)


def allowed_for(job: TrainingJob, roster: Roster, policy: Policy, now_s: float) -> NDArray[np.bool_]:
    """Return whom the policy lets be stopped for a waiting job and who has had its minimum run, bool (V,)."""
    answers: dict[tuple[int, str, str], bool] = {}
    allowed = np.zeros(len(roster.victims), dtype=bool)
    for index, victim in enumerate(roster.victims):
        key = (victim.job.priority, victim.job.queue, victim.job.owner)
        if key not in answers:
            answers[key] = policy.may_preempt(job, victim.job)
        allowed[index] = answers[key] and now_s - (victim.job.started_at_s or 0.0) >= policy.min_runtime_s
    return allowed
