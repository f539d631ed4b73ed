"""Events read as cause and effect, with numbers and units."""

from dataclasses import replace

import pytest

from scheduler.control.jobs import event_text as sentences
from scheduler.control.jobs.attempts import VANISHED, opened
from scheduler.control.jobs.intents import intents_of
from scheduler.control.records import AttemptRecord, DesiredState, EventKind, JobRecord, Outcome
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Action, Cause, Plan, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, ReplicaId

NOW_S = 1_350_259_200.0 + 17 * 3600
GANG = Gang(2, Shape(4000, 1024, 2))
JOB = JobRecord(JobId("409"), JobSpec("embed-wiki", "x", GANG), JobState.RUNNING, DesiredState.RUN, NOW_S - 420.0)
DEMAND = Demand((ModelDemand("edit-check", 2, 4, 5, 20.0, 38.0, 10.0, NOW_S + 7800.0),))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (88, "1m28s"),
        (3600, "1h"),
        (15_000, "4h10m"),
        (86_400, "1d"),
        (2 * 86_400 + 3 * 3600, "2d3h"),
    ],
)
def test_spans_have_two_units_at_most(seconds: float, text: str) -> None:
    assert sentences.span(seconds) == text


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        ((Slot("b", (2,)), Slot("a", (0, 1))), "a:0,1 b:2"),
        ((Slot("cpu1"), Slot("cpu1")), "cpu1"),
        ((), ""),
    ],
)
def test_places_are_named_once_in_order(slots: tuple[Slot, ...], text: str) -> None:
    assert sentences.places(slots) == text


@pytest.mark.parametrize(
    ("shape", "text"),
    [(Shape(4000, 0, 2), "4 GPUs"), (Shape(0, 0, 1, 250), "0.5 GPU"), (Shape(1500), "3 CPUs")],
)
def test_room_is_in_the_unit_that_matters(shape: Shape, text: str) -> None:
    assert sentences.room(Gang(2, shape)) == text


@pytest.mark.parametrize(
    ("cause", "beneficiary", "text"),
    [
        (Cause.SERVING, "edit-check", "4 GPUs for edit-check before the 19:10 peak"),
        (Cause.SERVING, "unknown", "4 GPUs for unknown"),
        (Cause.PRIORITY, "417", "4 GPUs for 417"),
        (Cause.DRAIN, "", "its host is being drained"),
        (Cause.STOP_ASKED, "", "asked for by its owner"),
    ],
)
def test_a_preemption_says_for_whom(cause: Cause, beneficiary: str, text: str) -> None:
    action = PreemptJob(JOB.job_id, 1, 60.0, cause, beneficiary)
    assert sentences.cause_of(action, GANG, DEMAND, NOW_S) == text


def test_room_that_the_cluster_itself_asks_for_is_said_to_be_that_and_no_peak() -> None:
    action = PreemptJob(JOB.job_id, 1, 60.0, Cause.SERVING, "edit-check")
    (model,) = DEMAND.models
    for asked, text in ((6, ", of which the cluster itself wants 6 replicas now"), (3, " before the 19:10 peak")):
        told = sentences.cause_of(action, GANG, Demand((model.at_least(asked),)), NOW_S)
        assert told == f"4 GPUs for edit-check{text}"


def test_a_preemption_says_what_it_costs() -> None:
    action = PreemptJob(JOB.job_id, 1, 60.0, Cause.SERVING, "edit-check", lost_gpu_s=352.0)
    event = sentences.preempting(JOB, action, "4 GPUs for edit-check", 5, NOW_S)
    assert (event.kind, event.title) == (EventKind.PREEMPTION, "409 embed-wiki preempting")
    assert event.detail == "4 GPUs for edit-check, 1m to save; costs 1m28s of 4 GPUs"


SIZED = replace(JOB, spec=replace(JOB.spec, gang=replace(GANG, workers=1, max_workers=4)))


@pytest.mark.parametrize(
    ("slots", "goes_on_with", "cause", "before", "after", "detail"),
    [
        (4, 2, Cause.SERVING, "shrinking from 4 to 2 workers", "shrunk from 4 to 2 workers", "4 GPUs for chat"),
        (4, 1, Cause.PRIORITY, "shrinking from 4 to 1 worker", "shrunk from 4 to 1 worker", "6 GPUs for chat"),
        (2, 0, Cause.PRIORITY, "preempting", "preempted", "4 GPUs for chat"),
        (1, 3, Cause.GROWTH, "growing from 1 to 3 workers", "grown from 1 to 3 workers", "4 GPUs more are free"),
        (2, 2, Cause.CONSOLIDATION, "preempting", "preempted", "it goes on elsewhere so that chat fits"),
    ],
)
def test_a_job_that_goes_on_at_another_size_is_told_so(  # noqa: PLR0913, PLR0917  # a table
    slots: int, goes_on_with: int, cause: Cause, before: str, after: str, detail: str
) -> None:
    start = StartJob(JOB.job_id, 1, tuple(Slot("a", (2 * n, 2 * n + 1)) for n in range(slots)))
    running = replace(SIZED, attempts=(opened(SIZED, start, NOW_S),))
    stop = PreemptJob(JOB.job_id, 1, 60.0, cause, "chat", goes_on_with=goes_on_with)
    record_of = {JOB.job_id: running}.__getitem__
    made = intents_of(Plan(1, (stop,)), Snapshot.of(taken_at_s=NOW_S), Demand(), record_of, 5)
    (stopping,), (event,) = made.jobs, made.events
    assert event.title == f"409 embed-wiki {before}"
    assert event.detail.startswith(detail)
    ended = replace(stopping.attempts[0], outcome=Outcome.PREEMPTED, checkpoint_step=340, lost_gpu_s=20.0)
    told = sentences.transition(stopping, replace(stopping, attempts=(ended,)), 6, NOW_S)
    assert told is not None
    assert told.title == f"409 embed-wiki {after}"
    assert told.detail.startswith(detail)
    assert told.detail.endswith("; saved step 340, lost 20 GPU-seconds")


def test_a_start_says_with_how_many_of_the_workers_it_may_have() -> None:
    action = StartJob(JOB.job_id, 1, (Slot("a", (0, 1)), Slot("b", (0, 1))))
    event = sentences.starting(replace(SIZED, attempts=(opened(SIZED, action, NOW_S),)), action, 5, NOW_S)
    assert event.title == "409 embed-wiki started with 2 of 1–4 workers"


def test_a_start_says_where_how_long_it_waited_and_from_which_step() -> None:
    action = StartJob(JOB.job_id, 1, (Slot("a", (0, 1)), Slot("b", (0, 1))))
    first = replace(JOB, attempts=(opened(JOB, action, NOW_S),))
    assert sentences.starting(first, action, 5, NOW_S).detail == "on a:0,1 b:0,1; waited 7m"
    stopped = replace(first.attempts[0], checkpoint_step=340)
    again = replace(first, attempts=(stopped, opened(replace(JOB, attempts=(stopped,)), action, NOW_S)))
    assert sentences.starting(again, action, 5, NOW_S).detail == "on a:0,1 b:0,1; from step 340"


def test_replicas_are_told_by_model_and_in_one_sentence() -> None:
    slot = Slot("a", (0,))
    actions = (
        StartReplica("edit-check", slot),
        StartReplica("edit-check", Slot("b", (3,))),
        StopReplica(ReplicaId("r"), "old", slot),
    )
    told = sentences.replica_changes(actions, {"edit-check": 2, "old": 1}, DEMAND, 5, NOW_S)
    assert [event.title for event in told] == ["edit-check 2 → 4 replicas", "old 1 → 0 replicas"]
    assert told[0].detail == "on a:0 b:3; 38.0 requests/s to cover before the 19:10 peak (forecast)"


def test_a_move_is_not_told_as_a_change_of_number() -> None:
    slot = Slot("b", (0,))
    actions = (
        StopReplica(ReplicaId("r"), "edit-check", Slot("a", (0,)), Cause.DRAIN),
        StartReplica("edit-check", slot, Cause.DRAIN),
    )
    told = sentences.replica_changes(actions, {"edit-check": 2}, Demand(), 5, NOW_S)
    assert (told[0].title, told[0].detail) == ("edit-check moves 1 replica", "on b:0; drain")


@pytest.mark.parametrize(
    ("action", "title"),
    [
        (StartJob(JobId("409"), 1, ()), "409 could not start"),
        (PreemptJob(JobId("409"), 1, 1.0, Cause.DRAIN), "409 could not stop"),
        (StartReplica("edit-check", Slot("a")), "edit-check could not start a replica"),
        (StopReplica(ReplicaId("r"), "edit-check", Slot("a")), "edit-check could not stop a replica"),
    ],
)
def test_a_refusal_is_told_with_the_clusters_words(action: Action, title: str) -> None:
    event = sentences.refusal(action, "no such image", 5, NOW_S)
    assert (event.kind, event.title, event.detail) == (EventKind.FAILURE, title, "no such image")


def test_who_ended_an_attempt_is_told_apart() -> None:
    slots = (Slot("a", (0,)),)
    ended = AttemptRecord(JobId("7"), 1, slots, 0.0, started_at_s=1.0, ended_at_s=9.0, outcome=Outcome.STOPPED)
    by_hand = JobRecord(JobId("7"), JOB.spec, JobState.HELD, DesiredState.HOLD, 0.0, attempts=(ended,))
    gone = replace(ended, outcome=Outcome.LOST, message=VANISHED)

    def told(job: JobRecord, attempt: AttemptRecord) -> str:
        before = replace(job, attempts=(replace(attempt, outcome=Outcome.OPEN),))
        event = sentences.transition(before, replace(job, attempts=(attempt,)), 1, 10.0)
        assert event is not None
        return f"{event.title}: {event.detail}"

    assert "not by Headroom; nothing saved; headroom resume 7 lets it go on" in told(by_hand, ended)
    asked = replace(ended, stop_cause=Cause.STOP_ASKED, cause="asked for by its owner")
    assert "asked for by its owner; nothing saved" in told(replace(by_hand, state=JobState.STOPPED), asked)
    waiting = replace(by_hand, state=JobState.PENDING, desired=DesiredState.RUN, not_before_s=3600.0)
    assert "gone: the cluster no longer shows it, though its hosts are there" in told(waiting, gone)
    assert "lost with a" in told(waiting, replace(gone, message="a host of it was lost"))
