"""Columns of the jobs that hold room: tables kept beside the jobs, so that looking at all of them costs microseconds.

Row j of every job column is job j of `Running.jobs`; an entry says what one job holds on one host.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.host_table import HostTable
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.workloads import JobState, TrainingJob, rank_of

Who = tuple[int, str]
"""Priority and queue: all that `MayPreempt` looks at."""
LEAST_GPUS: Final = 1e-9
"""Weight of work without devices, so that means exist where nobody has any."""
AMOUNTS: Final = 2
"""Columns of `Running.freed` before those of the devices: CPU and memory."""


@dataclass(frozen=True, eq=False)
class Running:
    """J jobs that hold room, in the order of the snapshot's jobs, and N entries of what they hold, by job then host.

    Attributes:
        jobs: the jobs.
        groups: the different priorities and queues among them.
        group: int64 (J,), which of `groups` each is.
        accounts: the different queues and owners among them.
        account: int64 (J,), which of `accounts` each is.
        priority: int64 (J,).
        started_s: float64 (J,), when the attempt got its room, epoch seconds; 0 when unknown.
        saved_s: float64 (J,), its last checkpoint, or else its start; infinity when neither is known.
        ends_s: float64 (J,), when it is expected to be over (`TrainingJob.ends_s`); infinity when unknown.
        limit_s: float64 (J,), when it has run for as long as it is let; infinity where nothing limits it.
        restart_cost_s: float64 (J,).
        saves_within_s: float64 (J,), see `TrainingJob.saves_within_s`.
        submitted_s: float64 (J,), when it was accepted, epoch seconds.
        ran_before_s: float64 (J,), how long its earlier attempts held room.
        stops: int64 (J,), how many of them were stopped for others.
        gpus: float64 (J,), devices of all its workers; shares, and partitions of devices, count in part.
        saves_every_s: float64 (J,), how often the attempt saves, once it has saved; 0 until then, and when it does not.
        surplus: int64 (J,), workers above the fewest with which it runs.
        lacking: int64 (J,), workers below the most with which it runs.
        stoppable: bool (J,), whether it runs, is preemptible, and is not being stopped by its owner anyhow.
        stop_asked: bool (J,), whether it runs and its owner wants it ended.
        leaving: bool (J,), whether it was told to stop and its room is not free yet.
        row: int64 (N,), host row of each entry; slots on unknown hosts have none.
        who: int64 (N,), its job.
        freed: int64 (N, 2 + D): CPU, memory, then each device, that it holds there.
        gpu_milli: int64 (N,), thousandths of whole devices that it holds there: a partition counts as its share.
    """

    jobs: tuple[TrainingJob, ...]
    groups: tuple[Who, ...]
    group: NDArray[np.int64]
    accounts: tuple[tuple[str, str], ...]
    account: NDArray[np.int64]
    priority: NDArray[np.int64]
    started_s: NDArray[np.float64]
    saved_s: NDArray[np.float64]
    ends_s: NDArray[np.float64]
    limit_s: NDArray[np.float64]
    restart_cost_s: NDArray[np.float64]
    saves_within_s: NDArray[np.float64]
    submitted_s: NDArray[np.float64]
    ran_before_s: NDArray[np.float64]
    stops: NDArray[np.int64]
    gpus: NDArray[np.float64]
    saves_every_s: NDArray[np.float64]
    surplus: NDArray[np.int64]
    lacking: NDArray[np.int64]
    stoppable: NDArray[np.bool_]
    stop_asked: NDArray[np.bool_]
    leaving: NDArray[np.bool_]
    row: NDArray[np.int64]
    who: NDArray[np.int64]
    freed: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]

    @classmethod
    def of(cls, jobs: Iterable[TrainingJob], table: HostTable) -> "Running":
        """Tabulate those of the jobs that hold room."""
        return cls._tabulated(tuple(job for job in jobs if job.state.holds_room), table, (), ())

    @cached_property
    def queue_names(self) -> dict[str, int]:
        """A number for each of the queues in `groups`."""
        return {name: number for number, name in enumerate(dict.fromkeys(queue for _, queue in self.groups))}

    @cached_property
    def queue(self) -> NDArray[np.int64]:
        """In which queue each job is, int64 (J,)."""
        numbers = np.array([self.queue_names[name] for _, name in self.groups], dtype=np.int64)
        return numbers[self.group]

    @cached_property
    def held(self) -> NDArray[np.int64]:
        """CPU, memory and thousandths of whole devices that each job holds on known hosts, int64 (J, 3)."""
        parts = (*self.freed[:, :AMOUNTS].T, self.gpu_milli)
        sums = [np.bincount(self.who, weights=part, minlength=len(self.jobs)) for part in parts]
        return np.stack(sums, axis=1).astype(np.int64)

    def summed_by_account(self, amounts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return sums over the jobs of each queue and owner, int64 (A, R), of amounts of each job, (J, R)."""
        sums = [np.bincount(self.account, weights=column, minlength=len(self.accounts)) for column in amounts.T]
        return np.stack(sums, axis=1).astype(np.int64)

    @classmethod
    def _tabulated(
        cls,
        jobs: tuple[TrainingJob, ...],
        table: HostTable,
        groups: tuple[Who, ...],
        accounts: tuple[tuple[str, str], ...],
    ) -> "Running":
        numbers = {who: number for number, who in enumerate(groups)}
        group = [numbers.setdefault((job.priority, job.queue), len(numbers)) for job in jobs]
        owners = {account: number for number, account in enumerate(accounts)}
        account = [owners.setdefault((job.queue, job.owner), len(owners)) for job in jobs]
        row, who, freed = _entries(jobs, table)
        gpu_milli = table.in_whole(freed[:, AMOUNTS:], row)
        gpus = np.array([job.gang_now.gpus for job in jobs], dtype=np.float64)
        if table.is_cut:
            gpus = np.bincount(who, weights=gpu_milli, minlength=len(jobs)) / WHOLE_DEVICE_MILLI
        runs = [job.state is not JobState.PREEMPTING for job in jobs]
        return cls(
            jobs,
            tuple(numbers),
            np.array(group, dtype=np.int64),
            tuple(owners),
            np.array(account, dtype=np.int64),
            np.array([job.priority for job in jobs], dtype=np.int64),
            np.array([job.started_at_s or 0.0 for job in jobs], dtype=np.float64),
            np.array([_saved_s(job) for job in jobs], dtype=np.float64),
            np.array([job.ends_s for job in jobs], dtype=np.float64),
            np.array([job.limit_s for job in jobs], dtype=np.float64),
            np.array([job.restart_cost_s for job in jobs], dtype=np.float64),
            np.array([job.saves_within_s for job in jobs], dtype=np.float64),
            np.array([job.submitted_at_s for job in jobs], dtype=np.float64),
            np.array([job.ran_before_s for job in jobs], dtype=np.float64),
            np.array([job.stops for job in jobs], dtype=np.int64),
            gpus,
            np.array([_saves_every_s(job) for job in jobs], dtype=np.float64),
            np.array([len(job.slots) - job.gang.workers for job in jobs], dtype=np.int64),
            np.array([job.gang.most - len(job.slots) for job in jobs], dtype=np.int64),
            np.array([r and j.preemptible and not j.stop_asked for j, r in zip(jobs, runs, strict=True)], dtype=bool),
            np.array([r and j.stop_asked for j, r in zip(jobs, runs, strict=True)], dtype=bool),
            ~np.array(runs, dtype=bool),
            row,
            who,
            freed,
            gpu_milli,
        )

    def after(self, gone: Iterable[TrainingJob], come: Iterable[TrainingJob], table: HostTable) -> "Running":
        """Return the table without some jobs and with others; those that hold no room are passed over."""
        left = self.without([place_of(job, self.jobs) for job in gone if job.state.holds_room])
        added = sorted((job for job in come if job.state.holds_room), key=rank_of)
        return left.having([(place_of(job, left.jobs), job) for job in added], table)

    def served_s(self, now_s: float) -> NDArray[np.float64]:
        """Return how long each has held room in all its attempts, float64 (J,)."""
        return np.maximum(now_s - self.started_s, 0.0) + self.ran_before_s

    def lost_s(self, now_s: float) -> NDArray[np.float64]:
        """Return what stopping each loses on every device, float64 (J,): work that is not saved, and the restart."""
        lost: NDArray[np.float64] = np.minimum(np.maximum(now_s - self.saved_s, 0.0), self.saves_within_s)
        return lost + self.restart_cost_s

    def mean_held_s(self, now_s: float) -> float:
        """Return how long a device that somebody holds has been held by him on average, in all his attempts."""
        weight = np.maximum(self.gpus, LEAST_GPUS)
        return float((self.served_s(now_s) * weight).sum()) / max(float(weight.sum()), LEAST_GPUS)

    def without(self, gone: Sequence[int]) -> "Running":
        """Return the table without some of its jobs, by their row."""
        if not len(gone):
            return self
        kept = np.ones(len(self.jobs), dtype=bool)
        kept[list(gone)] = False
        entries = kept[self.who]
        jobs = list(self.jobs)
        for index in sorted(gone, reverse=True):
            del jobs[index]
        columns = {name: getattr(self, name)[kept] for name in _JOB_COLUMNS}
        new_index = np.cumsum(kept) - 1
        return Running(
            jobs=tuple(jobs),
            groups=self.groups,
            accounts=self.accounts,
            row=self.row[entries],
            who=new_index[self.who[entries]],
            freed=self.freed[entries],
            gpu_milli=self.gpu_milli[entries],
            **columns,
        )

    def having(self, come: Sequence[tuple[int, TrainingJob]], table: HostTable) -> "Running":
        """Return the table with jobs added, each before the row that it is given with, in their order."""
        if not come:
            return self
        at = np.array([index for index, _ in come], dtype=np.int64)
        new = self._tabulated(tuple(job for _, job in come), table, self.groups, self.accounts)
        take = np.insert(np.arange(len(self.jobs)), at, len(self.jobs) + np.arange(len(at)))
        columns = {name: np.concatenate([getattr(self, name), getattr(new, name)])[take] for name in _JOB_COLUMNS}
        moved = np.arange(len(self.jobs)) + np.searchsorted(at, np.arange(len(self.jobs)), side="right")
        place = at + np.arange(len(at))
        who = np.concatenate([moved[self.who], place[new.who]])
        order = np.argsort(who, kind="stable")
        jobs = list(self.jobs)
        for number, (index, job) in enumerate(come):
            jobs.insert(index + number, job)
        return Running(
            jobs=tuple(jobs),
            groups=new.groups,
            accounts=new.accounts,
            row=np.concatenate([self.row, new.row])[order],
            who=who[order],
            freed=np.concatenate([self.freed, new.freed])[order],
            gpu_milli=np.concatenate([self.gpu_milli, new.gpu_milli])[order],
            **columns,
        )


def place_of(job: TrainingJob, jobs: Sequence[TrainingJob]) -> int:
    """Return where a job stands, or belongs, in a sorted sequence of jobs."""
    return bisect_left(jobs, job.rank, key=rank_of)


_NO_JOB_COLUMNS: Final = {"jobs", "groups", "accounts", "row", "who", "freed", "gpu_milli"}
_JOB_COLUMNS: Final = tuple(field.name for field in fields(Running) if field.name not in _NO_JOB_COLUMNS)


def _entries(
    jobs: Sequence[TrainingJob], table: HostTable
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the row, job and amounts of each entry; slots of one job on one host are one entry."""
    held: dict[tuple[int, int], list[int]] = {}
    blank = [0] * (AMOUNTS + table.device_exists.shape[1])
    for who, job in enumerate(jobs):
        shape = job.gang.shape
        for slot in sorted(job.slots):
            row = table.rows.get(slot.host)
            if row is None:
                continue
            entry = held.setdefault((who, row), blank.copy())
            entry[0] += shape.cpu_milli
            entry[1] += shape.memory_mib
            for device in slot.devices:
                entry[AMOUNTS + device] += shape.gpu_milli
    keys = np.fromiter(chain.from_iterable(held), dtype=np.int64, count=2 * len(held)).reshape(-1, 2)
    freed = np.array(list(held.values()), dtype=np.int64).reshape(len(held), len(blank))
    return keys[:, 1], keys[:, 0], freed


def _saved_s(job: TrainingJob) -> float:
    saved_s = job.checkpointed_at_s if job.checkpointed_at_s is not None else job.started_at_s
    return float("inf") if saved_s is None else saved_s


def _saves_every_s(job: TrainingJob) -> float:
    return 0.0 if job.checkpointed_at_s is None else job.checkpoint_interval_s or 0.0
