"""What follows from stopping a set of jobs, played through with the planner in charge; and all sets, one by one.

Everything is counted in the end: device-seconds in which nothing lasting was done, from the moment of the choice until
a while after the important job is over. So a lost checkpoint, a restart, a device that stands idle, and whoever is
stopped in turn, however often, weigh what they cost.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import inf
from typing import Final

from benchmarks.preemption.sites import FIRST, HOUR_S, NOW_S, Site, Task
from scheduler.model.demand import Demand
from scheduler.model.plan import PreemptJob, Reservation, StartJob
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobState, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import need_of
from scheduler.planning.planner import plan

BEAT_S: Final = 30.0
"""Between two plans while something happens."""
MOST_TOGETHER: Final = 6
"""Jobs that are stopped together at most."""
MOST_SETS: Final = 60


@dataclass
class _Run:
    """One task on its way.

    Attributes:
        task: what it needs.
        job: as the planner sees it.
        done_s: work done, and kept or still going, as of `since_s`.
        base_s: work it would begin with if nothing of this attempt were saved.
        since_s: from when on the attempt works.
        gone_s: when it has left its room after being told to; infinity while it was not.
    """

    task: Task
    job: TrainingJob
    done_s: float = 0.0
    base_s: float = 0.0
    since_s: float = inf
    gone_s: float = inf

    def worked_s(self, at_s: float) -> float:
        """Return the work done up to a moment, saved or not."""
        return self.done_s + max(0.0, at_s - self.since_s) if self.job.state is JobState.RUNNING else self.done_s

    @property
    def ends_s(self) -> float:
        """When it is over if nobody stops it."""
        runs = self.job.state is JobState.RUNNING
        return self.since_s + self.task.left_s - self.done_s if runs else inf

    def saved_at(self, at_s: float) -> "_Run":
        """Return it with its last checkpoint at a moment as the planner sees it."""
        every_s = self.job.checkpoint_interval_s
        if self.job.state is not JobState.RUNNING or every_s is None or at_s <= self.since_s:
            return self
        before_s = self.since_s if self.job.checkpointed_at_s is None else self.job.checkpointed_at_s
        times = int((at_s - before_s) // every_s)
        self.job = replace(self.job, checkpointed_at_s=before_s + times * every_s) if times else self.job
        return self

    def start(self, action: StartJob, at_s: float) -> None:
        """Begin an attempt."""
        self.base_s, self.since_s = self.done_s, at_s + self.job.restart_cost_s
        self.job = replace(
            self.job, state=JobState.RUNNING, slots=action.slots, attempt=action.attempt, started_at_s=at_s
        )

    def stop(self, at_s: float) -> None:
        """Tell it to save and leave."""
        job, save_s = self.saved_at(at_s).job, self.task.save_s
        saves = job.checkpoint_interval_s is not None and save_s <= job.grace_period_s and at_s > self.since_s
        saved_s = at_s if saves else job.checkpointed_at_s
        self.done_s = self.base_s if saved_s is None else self.worked_s(saved_s)
        self.gone_s = at_s + min(save_s, job.grace_period_s)
        self.job = replace(job, state=JobState.PREEMPTING)

    def leave(self, at_s: float) -> None:
        """Leave the room after being told to."""
        job = self.job
        self.gone_s = self.since_s = inf
        held_s = job.ran_before_s + at_s - (job.started_at_s or at_s)
        self.job = replace(
            job, state=JobState.PREEMPTED, slots=(), started_at_s=None, checkpointed_at_s=None, ran_before_s=held_s
        )
        self.job = replace(self.job, stops=job.stops + 1)


class Course:
    """One course of things on a site."""

    def __init__(self, site: Site, policy: Policy) -> None:
        """Begin at the moment of the choice."""
        self._site, self._policy = site, policy
        self._runs = {str(task.job.job_id): _begun(task) for task in site.tasks}
        self._promises: tuple[Reservation, ...] = ()
        self._until_s = NOW_S + self._runs[FIRST].task.left_s + HOUR_S
        self.first_stopped: tuple[str, ...] = ()

    def lost_gpu_s(self, only: Collection[str] | None = None) -> float:
        """Play it through and return the device-seconds in which nothing lasting was done.

        Args:
            only: who may be stopped at first; None for whomever the planner chooses.
        """
        before = {job_id: run.worked_s(NOW_S) for job_id, run in self._runs.items()}
        at_s = NOW_S
        while at_s < self._until_s:
            self._turn(at_s, only if at_s == NOW_S else None)
            at_s = min(self._next_s(at_s), self._until_s)
            self._happen(at_s)
        done = sum((run.worked_s(at_s) - before[key]) * run.job.gang.gpus for key, run in self._runs.items())
        return sum(len(host.devices) for host in self._site.hosts) * (at_s - NOW_S) - done

    def _turn(self, at_s: float, only: Collection[str] | None) -> None:
        jobs = [run.saved_at(at_s).job for run in self._open()]
        if only is not None:
            jobs = [job if job.job_id in only else replace(job, preemptible=False) for job in jobs]
        snapshot = Snapshot.of(taken_at_s=at_s, hosts=self._site.hosts, jobs=jobs, reservations=self._promises)
        made = plan(snapshot, Demand(), self._policy)
        self._promises = made.reservations
        for action in made.actions:
            if isinstance(action, StartJob):
                self._runs[action.job_id].start(action, at_s)
            elif isinstance(action, PreemptJob):
                self._runs[action.job_id].stop(at_s)
        if at_s == NOW_S:
            self.first_stopped = tuple(a.job_id for a in made.actions if isinstance(a, PreemptJob))

    def _next_s(self, at_s: float) -> float:
        """Return the first beat after which something is otherwise, for those who wait too."""
        ages_s = (run.since_s for run in self._open() if at_s < run.since_s < inf)
        old_s = (
            (run.job.started_at_s or 0.0) + self._policy.min_runtime_s
            for run in self._open()
            if run.job.started_at_s is not None
        )
        moments = [*ages_s, *old_s, *(min(run.ends_s, run.gone_s) for run in self._open())]
        soonest_s = min((moment for moment in moments if moment > at_s), default=inf)
        return at_s + max(1.0, -(-(soonest_s - at_s) // BEAT_S)) * BEAT_S if soonest_s < inf else inf

    def _happen(self, at_s: float) -> None:
        for run in self._open():
            if run.gone_s <= at_s:
                run.leave(at_s)
            elif run.ends_s <= at_s:
                run.done_s = run.task.left_s
                run.job = replace(run.job, state=JobState.SUCCEEDED, slots=())

    def _open(self) -> list[_Run]:
        return [run for run in self._runs.values() if not run.job.state.is_final]


def _begun(task: Task) -> _Run:
    if task.job.state is not JobState.RUNNING:
        return _Run(task, task.job)
    started_s = task.job.started_at_s or NOW_S
    ran_s = NOW_S - started_s
    # counted from the choice on: what was done before is below 0, so that `left_s` is the end
    return _Run(task, task.job, done_s=-ran_s, base_s=-ran_s, since_s=started_s)


def sets_of(site: Site, policy: Policy) -> Iterator[tuple[str, ...]]:
    """Yield every set of jobs whose stop makes room for `FIRST`, none of whom could be left out; no set if it fits."""
    snapshot = site.snapshot
    gang = snapshot.by_id[FIRST].gang
    if _makes_room((), snapshot, gang):
        return
    may = [job for job in snapshot.jobs if job.slots and job.preemptible and _may_stop(job, snapshot, policy)]
    found = list[frozenset[str]]()
    for size in range(1, min(len(may), MOST_TOGETHER) + 1):
        for chosen in combinations(may, size):
            ids = frozenset(str(job.job_id) for job in chosen)
            if any(smaller <= ids for smaller in found) or not _makes_room(chosen, snapshot, gang):
                continue
            found.append(ids)
            yield tuple(sorted(ids))
            if len(found) >= MOST_SETS:
                return


def _may_stop(job: TrainingJob, snapshot: Snapshot, policy: Policy) -> bool:
    old_enough = snapshot.taken_at_s - (job.started_at_s or 0.0) >= policy.min_runtime_s
    return old_enough and policy.may_preempt(snapshot.by_id[FIRST], job)


def _makes_room(chosen: Collection[TrainingJob], snapshot: Snapshot, gang: Gang) -> bool:
    trial = CachedTrial(snapshot.ledger)
    for job in chosen:
        trial.give_all(job.slots, job.gang.shape)
    return need_of(gang).is_met_by(trial.units(gang.shape))
