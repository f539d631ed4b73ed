"""A site at work, seen as the control loop sees it: job records and an observation; one thing changes at a time."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from benchmarks.speed.site import Size, Submissions, hosts_of, models_of, queues_of
from scheduler.control.jobs.attempts import opened
from scheduler.control.records import DesiredState, JobRecord
from scheduler.model.demand import Demand
from scheduler.model.hosts import Host, HostState
from scheduler.model.observation import Observation, Run, RunState
from scheduler.model.plan import Plan, PreemptJob, Reservation, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, JobState, Replica, ReplicaId, ReplicaState

PERIOD_S: Final = 15.0
OLDEST_S: Final = 86_400.0
"""Age of the oldest running job when a site begins to be measured."""
WARM_UP_CYCLES: Final = 3
"""Cycles after which a replica answers."""


class World:
    """Hosts, jobs and replicas; what a plan asks for is done by the next cycle.

    Attributes:
        size: how large it is.
        now_s: the world's time.
        models: served models, most important first.
        queues: with their terms; none where the site has none.
        demand: what they need now.
        reservations: those of the last plan.
        jobs: records of all open jobs by id, oldest first.
    """

    def __init__(self, size: Size) -> None:
        """Start with empty hosts and no job."""
        self.size, self.now_s = size, 1.0e9
        self.models, demands = models_of(size)
        self.queues = queues_of(size)
        self.demand = Demand(demands)
        self.reservations: tuple[Reservation, ...] = ()
        self.jobs: dict[JobId, JobRecord] = {}
        self._submissions, self._rng = Submissions(size), np.random.default_rng([size.seed, 3])
        self._hosts = {host.name: host for host in hosts_of(size)}
        self._runs: dict[JobId, Run] = {}
        self._replicas: dict[ReplicaId, Replica] = {}
        self._numbers = {"job": 0, "replica": 0}

    def observation(self) -> Observation:
        """Return what the cluster shows now."""
        return Observation(
            self.now_s, tuple(self._hosts.values()), tuple(self._runs.values()), tuple(self._replicas.values())
        )

    @property
    def running(self) -> int:
        """Jobs that run."""
        return sum(job.state.holds_room for job in self.jobs.values())

    @property
    def pending(self) -> int:
        """Jobs that wait."""
        return sum(job.state.is_waiting for job in self.jobs.values())

    def submit(self) -> None:
        """Let a job arrive."""
        job_id = JobId(str(self._next("job")))
        record = JobRecord(job_id, self._submissions.next(), JobState.PENDING, DesiredState.RUN, self.now_s)
        self.jobs[job_id] = record

    def withdraw(self) -> None:
        """Let the youngest waiting job go."""
        del self.jobs[next(job_id for job_id, job in reversed(self.jobs.items()) if job.state.is_waiting)]

    def age(self) -> None:
        """Let what runs have begun within its time and the last `OLDEST_S`, as on a site that has long been at work."""
        for job_id, run in self._runs.items():
            job = self.jobs[job_id]
            oldest_s = min(OLDEST_S, job.spec.max_runtime_s or OLDEST_S)
            began_s = self.now_s - float(self._rng.uniform(0.0, oldest_s))
            latest = replace(job.attempts[-1], decided_at_s=began_s, started_at_s=began_s)
            self.jobs[job_id] = replace(job, attempts=(*job.attempts[:-1], latest))
            self._runs[job_id] = replace(run, started_at_s=began_s)

    def end_a_job(self) -> None:
        """Let a running job finish, if any runs."""
        if not self._runs:
            return
        self._end(JobId(self._any_of(list(self._runs))), RunState.SUCCEEDED)

    def lose_a_host(self) -> None:
        """Let a host stop answering, if any still does; what ran there is gone."""
        ready = [host.name for host in self._hosts.values() if host.state is HostState.READY]
        if not ready:
            return
        name = self._any_of(ready)
        self._set_host(replace(self._hosts[name], state=HostState.LOST, since_s=self.now_s))
        for job_id in [run.job_id for run in self._runs.values() if any(slot.host == name for slot in run.slots)]:
            self._end(job_id, RunState.LOST)
        for replica in [replica for replica in self._replicas.values() if replica.slot.host == name]:
            del self._replicas[replica.replica_id]

    def return_a_host(self) -> None:
        """Let a lost host come back, empty; another one is lost where none was."""
        lost = [host for host in self._hosts.values() if host.state is HostState.LOST]
        if not lost:
            self.lose_a_host()
            return
        self._set_host(replace(lost[0], state=HostState.READY, since_s=self.now_s))

    def move_demand(self) -> None:
        """Let the load of a model grow or fall by a few replicas."""
        models = list(self.demand.models)
        at, step = int(self._rng.integers(len(models))), int(self._rng.choice([-2, -1, 1, 2]))
        before = models[at]
        wanted = max(1, before.replicas_wanted + step)
        held = max(wanted, before.replicas_held + step)
        models[at] = replace(before, replicas_now=wanted, replicas_wanted=wanted, replicas_held=held)
        self.demand = Demand(tuple(models))

    def carry_out(self, made: Plan) -> None:
        """Do what a plan asks for, and let a period pass: who was told to stop is gone when it is over."""
        stopping = [job_id for job_id, run in self._runs.items() if run.state is RunState.STOPPING]
        self.reservations = made.reservations
        for action in made.actions:
            match action:
                case StartJob():
                    self._start(action)
                case PreemptJob():
                    self._runs[action.job_id] = replace(self._runs[action.job_id], state=RunState.STOPPING)
                    self.jobs[action.job_id] = replace(self.jobs[action.job_id], state=JobState.PREEMPTING)
                case StartReplica():
                    self._start_replica(action.model, action.slot)
                case StopReplica():
                    del self._replicas[action.replica_id]
        self.now_s += PERIOD_S
        for job_id in stopping:
            self._end(job_id, RunState.STOPPED)
        self._warm_up()

    def _start(self, action: StartJob) -> None:
        job = self.jobs[action.job_id]
        attempt = replace(opened(job, action, self.now_s), started_at_s=self.now_s)
        self.jobs[action.job_id] = replace(job, state=JobState.RUNNING, attempts=(*job.attempts, attempt))
        self._runs[action.job_id] = Run(action.job_id, action.attempt, action.slots, RunState.RUNNING, self.now_s)

    def _end(self, job_id: JobId, state: RunState) -> None:
        del self._runs[job_id]
        job = self.jobs.pop(job_id)
        if state is not RunState.SUCCEEDED:
            self.jobs[job_id] = replace(
                job, state=JobState.PREEMPTED if state is RunState.STOPPED else JobState.PENDING
            )

    def _start_replica(self, model: str, slot: Slot) -> None:
        replica_id = ReplicaId(f"r{self._next('replica'):07}")
        self._replicas[replica_id] = Replica(replica_id, model, slot, ReplicaState.STARTING, self.now_s)

    def _warm_up(self) -> None:
        due_s = self.now_s - WARM_UP_CYCLES * PERIOD_S
        for replica in list(self._replicas.values()):
            if replica.state is ReplicaState.STARTING and replica.since_s <= due_s:
                self._replicas[replica.replica_id] = replace(replica, state=ReplicaState.READY)

    def _set_host(self, host: Host) -> None:
        self._hosts[host.name] = host

    def _any_of(self, names: Sequence[str]) -> str:
        return names[int(self._rng.integers(len(names)))]

    def _next(self, kind: str) -> int:
        self._numbers[kind] += 1
        return self._numbers[kind]


CHANGES: Final[dict[str, Callable[[World], None]]] = {
    "a job ends": World.end_a_job,
    "a job arrives": World.submit,
    "a host is lost": World.lose_a_host,
    "a host returns": World.return_a_host,
    "demand moves": World.move_demand,
}
