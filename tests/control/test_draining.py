"""A drain is judged on the world as it is: all but the host's own state, and who ends there in time, stays."""

from dataclasses import fields, replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord, HostMark
from scheduler.control.whatif import drain as draining
from scheduler.control.whatif.drain import DrainOutlook, drain_outlook
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.plan import Plan, Reservation
from scheduler.model.policy import Policy
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import WorkSeen
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Moved,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.planning.planner import plan

NOW_S = 10_000.0
GPU = Shape(1000, 1024, 1)
HOSTS = tuple(Host(name, 16_000, 65_536, (Device(0), Device(1)), "MI210") for name in "abc")
MARK = HostMark("a", HostState.DRAINING, "power", NOW_S, NOW_S + 600.0)


def job(number: str, *slots: Slot, **more: Any) -> TrainingJob:
    state = JobState.RUNNING if slots else JobState.PENDING
    return replace(TrainingJob(JobId(number), "lm", Gang(1, GPU), slots=slots, started_at_s=0.0, state=state), **more)


def world(**more: Any) -> Snapshot:
    """Return a world of which no part is empty."""
    parts: dict[str, Any] = {
        "version": 9,
        "taken_at_s": NOW_S,
        "hosts": HOSTS,
        "jobs": [
            job("1", Slot("a", (0,)), attempt=1, max_runtime_s=10_500.0),
            job("2", Slot("a", (1,)), attempt=1, grace_period_s=40.0),
            job("3", Slot("b", (0,)), attempt=1, max_runtime_s=10_500.0),
            job("4"),
            job("5", state=JobState.HELD),
        ],
        "models": [ServingModel("edit-check", GPU, 1, 3, warm_up_s=90.0)],
        "replicas": [Replica(ReplicaId("edit-check-0"), "edit-check", Slot("c", (0,)), ReplicaState.READY)],
        "reservations": [Reservation("4", (Slot("b", (1,)),), 0.0, NOW_S + 60.0)],
        "moves": [Moved(JobId("3"), 5.0)],
        "queues": [Queue("default", Amounts(gpu_milli=1000))],
        "usage": [MeanUse("default", "ada", gpu_milli=500.0)],
        "foreign": [(Slot("c"), Shape(100, 100))],
        "occupied": [(Slot("b"), Shape(100, 100))],
    }
    return replace(Snapshot.of(**(parts | more)), work=WorkSeen((GPU,), (4,), (2,), (1,)))


def outlook(snapshot: Snapshot, demand: Demand, mark: HostMark = MARK) -> DrainOutlook:
    policy = policy_from_names(min_runtime_s=0.0)
    return drain_outlook(CycleRecord(1, NOW_S, snapshot, demand, Plan(1), 0.0), mark, policy)


def test_the_trial_changes_the_host_and_who_ends_there_in_time_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Snapshot] = []

    def watched(snapshot: Snapshot, demand: Demand, policy: Policy) -> Plan:
        seen.append(snapshot)
        return plan(snapshot, demand, policy)

    monkeypatch.setattr(draining, "plan", watched)
    before = world()
    assert all(getattr(before, one.name) for one in fields(before)), "a part that is empty cannot get lost"
    outlook(before, Demand())
    now, trial = seen
    assert now == before
    hosts = (replace(HOSTS[0], state=HostState.DRAINING, reason="power", since_s=NOW_S), *HOSTS[1:])
    ends = before.by_id["1"]
    jobs = [replace(one, ends_in_time=True) if one is ends else one for one in before.jobs]
    wanted = world(hosts=hosts, jobs=jobs)
    assert trial == wanted
    assert trial.ledger == wanted.ledger
    assert (trial.waiting, trial.by_id) == (wanted.waiting, wanted.by_id)


def test_a_host_is_empty_when_the_last_of_its_jobs_and_replicas_is_gone() -> None:
    assert outlook(world(), Demand()).empty_at_s == 10_500.0
    at_once = world(jobs=[job("2", Slot("a", (1,)), attempt=1, grace_period_s=40.0)])
    assert outlook(at_once, Demand()).empty_at_s == NOW_S + 40.0
    assert outlook(world(jobs=[]), Demand(), replace(MARK, host="b")).empty_at_s == NOW_S
    served = outlook(world(jobs=[]), Demand(), replace(MARK, host="c"))
    assert served.empty_at_s == NOW_S + 90.0


def test_room_held_for_the_peak_counts_as_needed_for_a_host_is_gone_for_long() -> None:
    full = world(jobs=[], hosts=HOSTS[:1] + HOSTS[2:])
    lull = Demand((ModelDemand("edit-check", 1, 1, 2),))
    peak = Demand((ModelDemand("edit-check", 1, 1, 3),))
    assert outlook(full, lull).short == ()
    assert outlook(full, peak).short == ("edit-check",)


def test_a_model_that_is_short_already_does_not_forbid_a_drain() -> None:
    short = world(jobs=[], hosts=HOSTS[2:])
    demand = Demand((ModelDemand("edit-check", 3, 3, 3),))
    with_empty = world(jobs=[], hosts=(HOSTS[2], replace(HOSTS[0], state=HostState.CORDONED)))
    assert plan(short, demand, policy_from_names()).unplaced
    assert outlook(with_empty, demand).covered


def test_a_job_that_has_to_wait_for_the_drain_does_not_count_as_serving_that_is_short() -> None:
    waiting = world(jobs=[job("1"), job("2")], reservations=[], hosts=HOSTS[:1] + HOSTS[2:])
    assert outlook(waiting, Demand()).covered
