"""What a plan means for the records: only the attempt that is told changes, and what no longer holds is dropped."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.control.jobs.attempts import opened
from scheduler.control.jobs.intents import Intents, intents_of
from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome
from scheduler.model.demand import Demand
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Action, Cause, Plan, PreemptJob, StartJob, StartReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ReplicaState

NOW_S = 500.0
ID = JobId("7")
SLOTS = (Slot("a", (0,)), Slot("b", (0,)))
START = StartJob(ID, 3, SLOTS)
STOP = PreemptJob(ID, 3, 30.0, Cause.PRIORITY, "9")
PENDING = JobRecord(ID, JobSpec("lm", "run", Gang(2, Shape(1000, 1024, 1))), JobState.PENDING, DesiredState.RUN, 5.0)


def ended(number: int, outcome: Outcome, **more: Any) -> AttemptRecord:
    return AttemptRecord(ID, number, SLOTS, 10.0 * number, 10.0 * number, 10.0 * number + 5, outcome, **more)


TRIED = replace(PENDING, attempts=(ended(1, Outcome.LOST, checkpoint_step=40), ended(2, Outcome.NEVER_STARTED)))
RUNNING = replace(TRIED, state=JobState.RUNNING, attempts=(*TRIED.attempts, opened(TRIED, START, 400.0)))


def written(job: JobRecord, *actions: Action, replicas: tuple[Replica, ...] = ()) -> Intents:
    snapshot = Snapshot.of(taken_at_s=NOW_S, replicas=replicas)
    return intents_of(Plan(1, actions), snapshot, Demand(), {ID: job}.__getitem__, 5)


def test_a_start_adds_an_attempt_and_leaves_the_earlier_ones_alone() -> None:
    (job,) = written(TRIED, START).jobs
    assert job.attempts[:2] == TRIED.attempts
    assert job.attempts[2] == AttemptRecord(ID, 3, SLOTS, NOW_S, resumed_from_step=40)
    assert job.state is JobState.ADMITTED


def test_an_order_to_stop_is_written_on_the_attempt_that_runs_and_on_no_other() -> None:
    (job,) = written(RUNNING, STOP).jobs
    assert job.attempts[:2] == RUNNING.attempts[:2]
    assert (job.attempts[2].stop_asked_at_s, job.attempts[2].stop_cause) == (NOW_S, Cause.PRIORITY)
    assert job.state is JobState.PREEMPTING


def test_the_first_order_to_stop_stays_as_it_was_given() -> None:
    (first,) = written(RUNNING, STOP).jobs
    (again,) = written(first, replace(STOP, cause=Cause.SERVING, beneficiary="chat")).jobs
    assert again == first


@pytest.mark.parametrize(
    ("job", "action"),
    [
        (replace(TRIED, desired=DesiredState.STOP), START),
        (replace(TRIED, desired=DesiredState.HOLD), START),
        (replace(TRIED, state=JobState.HELD), START),
        (replace(TRIED, state=JobState.STOPPED), START),
        (RUNNING, START),
        (TRIED, replace(START, attempt=2)),
        (TRIED, replace(START, attempt=4)),
        (PENDING, STOP),
        (RUNNING, replace(STOP, attempt=2)),
        (RUNNING, replace(STOP, attempt=4)),
        (replace(RUNNING, attempts=(*TRIED.attempts, ended(3, Outcome.SUCCEEDED))), STOP),
    ],
)
def test_what_no_longer_holds_is_dropped_and_the_rest_is_done(job: JobRecord, action: Action) -> None:
    other = StartReplica("chat", Slot("a", (1,)))
    made = written(job, action, other)
    assert made.actions == (other,)
    assert made.jobs == ()
    assert [event.subject for event in made.events] == ["chat"]


def test_replicas_are_counted_from_all_that_run() -> None:
    there = tuple(Replica(ReplicaId(f"r{n}"), "chat", Slot("a", (n,)), ReplicaState.READY) for n in range(3))
    (event,) = written(PENDING, StartReplica("chat", Slot("b", (1,))), replicas=there).events
    assert event.title == "chat 3 → 4 replicas"


def test_a_job_that_goes_on_elsewhere_as_large_as_it_was_frees_all_it_has() -> None:
    elastic = replace(RUNNING, spec=replace(RUNNING.spec, gang=replace(RUNNING.spec.gang, workers=1, max_workers=4)))
    for goes_on_with, freed in ((2, "2 GPUs"), (0, "2 GPUs"), (1, "1 GPU")):
        (event,) = written(elastic, replace(STOP, goes_on_with=goes_on_with)).events
        assert event.detail.startswith(f"{freed} for 9")
