"""Short ways to say what a world looks like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.plan import Action, Plan
from scheduler.model.policy import Policy
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.planning.planner import plan

NOW_S = 10_000.0
BY_LOST_WORK = policy_from_names(victim_cost="lost-work")
"""The plainest cost, so that tests of who gives way can be followed by hand."""


@dataclass(frozen=True)
class Words:
    """What tests of the planner say again and again."""

    now_s: float = NOW_S

    def host(self, name: str, gpus: int = 4, *, cores: int = 64, model: str = "MI300X", **parts: object) -> Host:
        devices = tuple(Device(index, 192 * 1024) for index in range(gpus))
        return Host(name, cores * 1000, 256 * 1024, devices, model if gpus else "", **parts)

    def gpus(self, count: int = 1, **parts: object) -> Shape:
        return Shape(cpu_milli=1000, memory_mib=1024, gpu_count=count, **parts)

    def slot(self, at: str) -> Slot:
        """Read "h1:0,1" as two devices of h1, and "h1" as none."""
        host, _, devices = at.partition(":")
        return Slot(host, tuple(int(device) for device in devices.split(",") if device))

    def waiting(self, job_id: str, shape: Shape, workers: int = 1, *, limit: int = 0, **parts: object) -> TrainingJob:
        gang = Gang(workers, shape, limit)
        return replace(TrainingJob(JobId(job_id), f"job-{job_id}", gang, submitted_at_s=float(job_id)), **parts)

    def running(self, job_id: str, *at: str, shape: Shape | None = None, **parts: object) -> TrainingJob:
        slots = tuple(self.slot(each) for each in at)
        job = self.waiting(job_id, shape or self.gpus(len(slots[0].devices)), len(slots))
        job = replace(job, state=JobState.RUNNING, slots=slots, attempt=1, started_at_s=0.0)
        return replace(job, checkpointed_at_s=NOW_S - 60.0) if not parts else replace(job, **parts)

    def model(self, name: str, shape: Shape | None = None, *, most: int = 8, **parts: object) -> ServingModel:
        return ServingModel(name, shape or self.gpus(), min_replicas=0, max_replicas=most, **parts)

    def replica(self, model: str, number: int, at: str, state: ReplicaState = ReplicaState.READY) -> Replica:
        return Replica(ReplicaId(f"{model}-{number}"), model, self.slot(at), state)

    def demand(self, **wanted: int | tuple[int, int, int]) -> Demand:
        """Say chat=2, or chat=(now, wanted, held)."""
        levels = {name: level if isinstance(level, tuple) else (level,) * 3 for name, level in wanted.items()}
        return Demand(tuple(ModelDemand(name, *level) for name, level in levels.items()))

    def plan(self, demand: Demand = Demand(), policy: Policy | None = None, **parts: object) -> Plan:  # noqa: B008
        """Plan for a snapshot of these parts."""
        return plan(self.snapshot(**parts), demand, policy or BY_LOST_WORK)

    def snapshot(self, **parts: object) -> Snapshot:
        return Snapshot.of(**({"taken_at_s": NOW_S} | parts))

    def of(self, made: Plan, kind: type[Action]) -> list[Action]:
        return [action for action in made.actions if isinstance(action, kind)]


@pytest.fixture(scope="session")
def say() -> Words:
    return Words()


@pytest.fixture
def draining(say: Words) -> Callable[..., Host]:
    return lambda name, **parts: say.host(name, state=HostState.DRAINING, **parts)


@pytest.fixture
def hosts(say: Words) -> Sequence[Host]:
    return [say.host("h0"), say.host("h1"), say.host("h2")]
