"""What happens by itself is told once: hosts, faults, sources."""

from dataclasses import replace

import pytest

from scheduler.control.jobs.change_events import (
    FORGOTTEN_S,
    KnownState,
    change_events,
    events_of_snapshot,
    new_proposals,
)
from scheduler.control.records import CycleRecord, EventKind
from scheduler.control.reports.board import Report
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.observation import Observation, Run, RunState
from scheduler.model.plan import Move, Plan, Proposal
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, TrainingJob

READY, LOST = HostState.READY, HostState.LOST


def look(
    before: KnownState, *faults: str, runs: tuple[Run, ...] = (), **hosts: HostState
) -> tuple[list[str], KnownState]:
    """Return titles and what was noticed."""
    states = tuple(Host(name, 1000, 1000, state=state) for name, state in sorted(hosts.items()))
    told, after = change_events(before, Observation(5.0, states, runs, (), faults), 3)
    return [f"{event.title} {event.detail}".strip() for event in told], after


def test_the_first_look_is_news_only_where_something_is_wrong() -> None:
    told, _ = look(KnownState(), a=READY, b=LOST)
    assert told == ["b unreachable"]


def test_a_host_is_told_when_it_goes_and_when_it_comes_back() -> None:
    _, before = look(KnownState(), a=READY)
    told, gone = look(before, a=LOST)
    assert told == ["a unreachable"]
    assert look(gone, a=LOST)[0] == []
    told, back = look(gone, a=READY)
    assert told == ["a answers"]
    assert look(back, a=READY)[0] == []


def test_a_host_that_joins_is_told() -> None:
    _, before = look(KnownState(), a=READY)
    assert look(before, a=READY, b=READY)[0] == ["b answers"]


def test_a_host_that_the_cluster_cordons_is_told_and_when_it_takes_work_again() -> None:
    _, known = look(KnownState(), a=READY)
    told, known = look(known, a=HostState.CORDONED)
    assert told == ["a cordoned by the cluster itself"]
    assert look(known, a=HostState.CORDONED)[0] == []
    assert look(known, a=READY)[0] == ["a takes work again"]


def test_a_lost_host_says_how_many_runs_were_on_it() -> None:
    run = Run(JobId("1"), 1, (Slot("a"),), RunState.RUNNING, 0.0)
    _, before = look(KnownState(), a=READY)
    assert look(before, runs=(run,), a=LOST)[0] == ["a unreachable 1 run lost with it"]


def test_a_fault_is_told_once_and_again_when_it_comes_back() -> None:
    fault = "edit-check cannot start: no such image"
    told, before = look(KnownState(), fault)
    assert told == [fault]
    assert look(before, fault)[0] == []
    _, calm = look(before)
    assert look(calm, fault)[0] == [], "a fault that comes and goes is one"
    assert look(replace(calm, faults=dict.fromkeys(calm.faults, 5.0 - FORGOTTEN_S)), fault)[0] == [fault]


def test_kinds_colour_the_page() -> None:
    hosts = (Host("a", 1000, 1000, state=LOST, reason="no heartbeat"),)
    told, _ = change_events(KnownState(), Observation(5.0, hosts, (), (), ("broken",)), 3)
    assert [(event.kind, event.subject, event.cycle) for event in told] == [
        (EventKind.HOST, "a", 3),
        (EventKind.FAILURE, "cluster", 3),
    ]
    assert told[0].detail == "no heartbeat"


@pytest.mark.parametrize("fault", ["edit: pods cannot be created", "edit@gpu-1 does not start", "edit has no room"])
def test_what_is_said_of_a_model_is_an_event_of_that_model(fault: str) -> None:
    replica = Replica(ReplicaId("r"), "edit", Slot("gpu-1"))
    told, _ = change_events(KnownState(), Observation(5.0, (), (), (replica,), (fault,)), 3)
    assert [event.subject for event in told] == ["edit"]


def turn(number: int, *proposals: Proposal) -> CycleRecord:
    return CycleRecord(number, 5.0, Snapshot.of(), Demand(), Plan(0, proposals=proposals), 0.0)


def test_a_proposal_is_told_once_until_it_changes() -> None:
    one = Proposal(JobId("9"), (Move(JobId("1"), (Slot("b", (0,)),)),), 340.0, 900.0)
    (event,) = new_proposals(None, turn(1, one))
    assert (event.title, event.subject) == ("room for 9 could be made", "9")
    assert event.detail == "moving 1 to b would make room (loses 340 GPU-seconds)"
    last = Report(turn(1, one), Observation(5.0, (), (), ()), ())
    assert not list(new_proposals(last, turn(2, replace(one, lost_gpu_s=400.0, waits_s=930.0))))
    other = replace(one, moves=(Move(JobId("2"), (Slot("b", (0,)),)),))
    assert [event.subject for event in new_proposals(last, turn(2, one, other))] == ["9"]


def warnings(now_s: float, since_s: float, *, limit_s: float, state: JobState = JobState.RUNNING) -> list[str]:
    """Return what is told of a job that began at 1000."""
    slots, gang = (Slot("a", (0,)),), Gang(1, Shape(gpu_count=1))
    job = TrainingJob(
        JobId("7"), "lm", gang, state=state, slots=slots, started_at_s=1000.0, max_runtime_s=limit_s, attempt=1
    )
    hosts = [Host("a", 1000, 1000, (Device(0),))]
    snapshot = Snapshot.of(taken_at_s=now_s, hosts=hosts, jobs=[job])
    return [event.title for event in events_of_snapshot(snapshot, since_s)]


def test_a_job_is_warned_once_before_its_limit_by_a_tenth_of_it_and_ten_minutes_at_most() -> None:
    assert warnings(1000.0 + 539.0, 1000.0, limit_s=600.0) == []
    assert warnings(1000.0 + 541.0, 1000.0 + 539.0, limit_s=600.0) == ["7 lm reaches its time limit in 59s"]
    assert warnings(1000.0 + 571.0, 1000.0 + 541.0, limit_s=600.0) == []
    assert warnings(1000.0 + 35_401.0, 1000.0 + 35_371.0, limit_s=36_000.0) == ["7 lm reaches its time limit in 9m59s"]


def test_who_is_being_stopped_or_is_over_its_limit_is_not_warned() -> None:
    assert warnings(1000.0 + 541.0, 1000.0, limit_s=600.0, state=JobState.PREEMPTING) == []
    assert warnings(1000.0 + 601.0, 1000.0, limit_s=600.0) == []
