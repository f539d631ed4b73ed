"""Whom to stop when something more important finds no room: the least lost work, and nobody in vain.

A victim's room is not free at once. It is only counted as coming, and promised to whom it is freed for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scheduler.model.errors import InvariantBroken
from scheduler.model.hosts import HostState
from scheduler.model.ledger import count_units
from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.policy import Policy
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobState, TrainingJob
from scheduler.planning.placing import capped
from scheduler.planning.room import Counted, Room


@dataclass(frozen=True, eq=False)
class Victim:
    """A running job that may be stopped.

    Attributes:
        job: the job.
        lost_gpu_s: GPU-seconds of work that stopping it loses.
        rows: host rows it sits on, ascending.
    """

    job: TrainingJob
    lost_gpu_s: float
    rows: tuple[int, ...]

    @cached_property
    def rank(self) -> tuple[float, int, float, str]:
        """Order of stopping: least lost work, then lowest priority, then youngest."""
        return (self.lost_gpu_s, self.job.priority, -(self.job.started_at_s or 0.0), self.job.job_id)


@dataclass(frozen=True, eq=False)
class Need:
    """Units of one shape that found no room.

    Attributes:
        shape: what each needs.
        count: how many, all of them.
        limit: most of them on each host: a number for all, or int64 (H,).
    """

    shape: Shape
    count: int
    limit: NDArray[np.int64] | int

    def is_met_by(self, units: NDArray[np.int64]) -> bool:
        """Whether hosts on which `units` fit, int64 (H,), take them all."""
        return bool(self.fitting(units).sum() >= self.count)

    def limit_on(self, row: int) -> int:
        """Return the most of them on one host."""
        return self.limit if isinstance(self.limit, int) else int(self.limit[row])

    def fitting(self, units: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many of the units each host takes at most."""
        return capped(units, self.limit, self.count)


def stop_order(job: TrainingJob, cause: Cause, lost_gpu_s: float, beneficiary: str = "") -> PreemptJob:
    """Return the action that stops a job's present attempt."""
    return PreemptJob(job.job_id, job.attempt, job.grace_period_s, cause, beneficiary, lost_gpu_s)


def stop_victims(room: Room, victims: Sequence[Victim], cause: Cause, beneficiary: str) -> tuple[PreemptJob, ...]:
    """Count on the victims' room and return the actions that stop them."""
    for victim in victims:
        room.expect(victim.job.slots, victim.job.gang.shape)
    return tuple(stop_order(victim.job, cause, victim.lost_gpu_s, beneficiary) for victim in victims)


def stoppable(snapshot: Snapshot, policy: Policy) -> tuple[Victim, ...]:
    """Return all jobs that may be stopped for somebody, in the order of stopping."""
    leaving = {host.name for host in snapshot.hosts if host.state in {HostState.DRAINING, HostState.LOST}}
    jobs = (job for job in snapshot.jobs if _is_stoppable(job, leaving))
    rows = snapshot.ledger.table.rows
    victims = (
        Victim(
            job,
            policy.victim_cost(job, snapshot.taken_at_s),
            tuple(sorted({rows[slot.host] for slot in job.slots if slot.host in rows})),
        )
        for job in jobs
    )
    return tuple(sorted(victims, key=lambda victim: victim.rank))


def _is_stoppable(job: TrainingJob, leaving: set[str]) -> bool:
    runs = job.state in {JobState.ADMITTED, JobState.RUNNING} and job.preemptible and not job.stop_asked
    return runs and not any(slot.host in leaving for slot in job.slots)


def stoppable_for(job: TrainingJob, victims: Iterable[Victim], policy: Policy, now_s: float) -> tuple[Victim, ...]:
    """Return those that may be stopped for a waiting job: the policy allows it, and they have had their minimum run."""
    answers: dict[tuple[int, str, str], bool] = {}
    allowed = []
    for victim in victims:
        key = (victim.job.priority, victim.job.queue, victim.job.owner)
        if key not in answers:
            answers[key] = policy.may_preempt(job, victim.job)
        if answers[key] and now_s - (victim.job.started_at_s or 0.0) >= policy.min_runtime_s:
            allowed.append(victim)
    return tuple(allowed)


def widest(coming: Counted, victims: Iterable[Victim], shape: Shape) -> NDArray[np.int64]:
    """Return how many units would fit on each host, int64 (H,), if every victim were gone."""
    trial = Counted(coming)
    for victim in victims:
        trial.give_all(victim.job.slots, victim.job.gang.shape)
    return trial.units(shape)


def victims_for(need: Need, coming: Counted, victims: Sequence[Victim]) -> tuple[Victim, ...] | None:
    """Choose whom to stop so that `need` is met by what is coming; None when stopping everybody is not enough.

    Units are won one by one, each on the host where it costs the least lost work; then everyone whose room is not
    needed after all is spared, the most costly first. The result is minimal: without any one of them it falls short.

    Args:
        need: what found no room.
        coming: room that is free or being freed, promises taken off.
        victims: who may be stopped, in the order of stopping.
    """
    if not need.is_met_by(widest(coming, victims, need.shape)):
        return None
    trial = coming.copy_for(need.shape)
    search = _Search(need, trial, victims)
    chosen: list[Victim] = []
    while not need.is_met_by(trial.units(need.shape)):
        chosen += search.stop_cheapest()
    return tuple(_spared(need, trial, chosen))


def _spared(need: Need, trial: Counted, chosen: list[Victim]) -> list[Victim]:
    kept = []
    for victim in sorted(chosen, key=lambda v: v.rank, reverse=True):
        slots, shape = victim.job.slots, victim.job.gang.shape
        known = [slot for slot in slots if slot.host in trial.table.rows]
        trial.take_all(known, shape)
        if not need.is_met_by(trial.units(need.shape)):
            trial.give_all(known, shape)
            kept.append(victim)
    return kept[::-1]


@dataclass(frozen=True, eq=False)
class _Option:
    """Victims that together win at least one unit on one host."""

    victims: tuple[Victim, ...]
    row: int

    @property
    def rank(self) -> tuple[float, int, int]:
        return (sum(v.lost_gpu_s for v in self.victims), len(self.victims), self.row)


class _Search:
    """The state of one search for victims; lives as long as one call of `victims_for`."""

    def __init__(self, need: Need, trial: Counted, victims: Sequence[Victim]) -> None:
        self.need, self.trial = need, trial
        self.left = list(victims)
        self.on_row: dict[int, list[Victim]] = {}
        for victim in victims:
            for row in victim.rows:
                self.on_row.setdefault(row, []).append(victim)
        self.options: dict[int, _Option | None] = {}

    def stop_cheapest(self) -> tuple[Victim, ...]:
        """Take the victims of the cheapest option out of the trial and return them."""
        best = self._cheapest()
        for victim in best.victims:
            self.trial.give_all(victim.job.slots, victim.job.gang.shape)
            self.left.remove(victim)
            for row in victim.rows:
                self.on_row[row].remove(victim)
                self.options.pop(row, None)
        return best.victims

    def _cheapest(self) -> _Option:
        """Look at hosts in the order of their cheapest victim, and stop when no later one can be cheaper."""
        best: _Option | None = None
        for victim in self.left:
            if best and best.rank[0] <= victim.lost_gpu_s:
                break
            options = [option for row in victim.rows if (option := self._option(row))]
            best = min([best, *options] if best else options, key=lambda o: o.rank, default=None)
        if best is None:
            raise InvariantBroken(f"stopping everybody makes room for {self.need}, but stopping one by one does not")
        return best

    def _option(self, row: int) -> _Option | None:
        if row not in self.options:
            self.options[row] = self._cheapest_on(row)
        return self.options[row]

    def _cheapest_on(self, row: int) -> _Option | None:
        """Compare the cheapest one that is enough alone with the cheapest few that are enough together."""
        local = self.on_row[row]
        freed = [_freed_on(victim, row, self.trial) for victim in local]
        before = self._fitting(row, np.zeros_like(freed[0])[None])[0]
        alone = np.flatnonzero(self._fitting(row, np.array(freed)) > before)
        together = np.flatnonzero(self._fitting(row, np.cumsum(freed, axis=0)) > before)
        options = [_Option((local[alone[0]],), row)] if len(alone) else []
        if len(together):
            options.append(_Option(self._few(row, local[: together[0] + 1], freed, before), row))
        return min(options, key=lambda o: o.rank, default=None)

    def _few(self, row: int, local: list[Victim], freed: list[NDArray[np.int64]], before: int) -> tuple[Victim, ...]:
        """Drop those of a sufficient list that are not needed, the most costly first."""
        kept = list(range(len(local)))
        for index in reversed(range(len(local))):
            fewer = [i for i in kept if i != index]
            if fewer and self._fitting(row, np.sum([freed[i] for i in fewer], axis=0)[None])[0] > before:
                kept = fewer
        return tuple(local[i] for i in kept)

    def _fitting(self, row: int, freed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 (N,): units that fit on a row if each of N amounts, int64 (N, 2 + D), were freed there."""
        table, trial = self.trial.table, self.trial
        if not table.usable[row]:
            return np.zeros(len(freed), dtype=np.int64)
        units = count_units(
            self.need.shape,
            np.repeat(table.matching(self.need.shape)[row][None], len(freed), axis=0),
            trial.cpu_milli[row] + freed[:, 0],
            trial.memory_mib[row] + freed[:, 1],
            trial.gpu_milli[row] + freed[:, 2:],
        )
        return capped(units, self.need.limit_on(row), self.need.count)


def _freed_on(victim: Victim, row: int, trial: Counted) -> NDArray[np.int64]:
    """Return what a victim holds on a host row: int64 (2 + D,), CPU, memory, then each device."""
    host, shape = trial.hosts[row].name, victim.job.gang.shape
    freed = np.zeros(2 + trial.gpu_milli.shape[1], dtype=np.int64)
    for slot in victim.job.slots:
        if slot.host == host:
            freed[:2] += (shape.cpu_milli, shape.memory_mib)
            freed[[2 + device for device in slot.devices]] += shape.gpu_milli
    return freed
