"""What the planner sees: every run that holds room, hosts as operators marked them, the wishes of owners."""

from dataclasses import replace
from math import inf

import pytest

from scheduler.control.records import AttemptRecord, DesiredState, HostMark, JobRecord, Outcome
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.control.snapshots.parts import training_job
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Run, RunState
from scheduler.model.plan import Cause, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ServingModel

HALF = Shape(2000, 1024, 1, 500)
SPEC = JobSpec("lm", "x", Gang(2, HALF), "ada", "research", "high", 75, preemptible=False, max_runtime_s=600.0)
SLOTS = (Slot("a", (0,)), Slot("b", (1,)))
ATTEMPT = AttemptRecord(JobId("7"), 1, SLOTS, 90.0, started_at_s=95.0, checkpointed_at_s=120.0)
RUNNING = JobRecord(JobId("7"), SPEC, JobState.RUNNING, DesiredState.RUN, 50.0, attempts=(ATTEMPT,))
HOSTS = tuple(Host(name, 16000, 65536, (Device(0), Device(1)), "MI210", since_s=1.0) for name in "ab")


def seen(*hosts: Host, replicas: tuple[Replica, ...] = ()) -> Observation:
    return Observation(200.0, hosts or HOSTS, (), replicas)


def world(
    *jobs: JobRecord, strays: tuple[Run, ...] = (), marks: tuple[HostMark, ...] = (), at: Observation | None = None
) -> Snapshot:
    return SnapshotBuilder().snapshot(
        version=4,
        seen=at or seen(),
        jobs=jobs,
        strays=strays,
        marks=marks,
        reservations=(Reservation("7", SLOTS, 1.0, 2.0),),
        models=(ServingModel("edit-check", HALF),),
        restart_cost_s=45.0,
    )


def test_a_running_job_is_seen_with_its_room_its_age_and_its_checkpoint() -> None:
    job = world(RUNNING).jobs[0]
    assert (job.job_id, job.owner, job.queue, job.priority, job.preemptible) == ("7", "ada", "research", 75, False)
    assert (job.slots, job.attempt, job.started_at_s, job.checkpointed_at_s) == (SLOTS, 1, 95.0, 120.0)
    assert (job.restart_cost_s, job.max_runtime_s, job.stop_asked) == (45.0, 600.0, False)


def test_an_attempt_not_seen_yet_holds_its_room_since_it_was_decided() -> None:
    decided = replace(RUNNING, state=JobState.ADMITTED, attempts=(replace(ATTEMPT, started_at_s=None),))
    assert world(decided).jobs[0].started_at_s == 90.0
    assert world(decided).ledger.gpu_milli.tolist() == [[500, 1000], [1000, 500]]


def test_earlier_attempts_are_counted_and_the_present_one_is_not() -> None:
    stopped = replace(ATTEMPT, ended_at_s=125.0, outcome=Outcome.PREEMPTED)
    lost = replace(ATTEMPT, number=2, started_at_s=130.0, ended_at_s=140.0, outcome=Outcome.LOST)
    never = replace(ATTEMPT, number=3, started_at_s=None, ended_at_s=150.0, outcome=Outcome.NEVER_STARTED)
    now = replace(ATTEMPT, number=4, started_at_s=160.0)
    snapshot = world(replace(RUNNING, attempts=(stopped, lost, never, now)))
    assert (snapshot.jobs[0].stops, snapshot.jobs[0].ran_before_s) == (1, 40.0)
    assert (snapshot.running.stops.tolist(), snapshot.running.ran_before_s.tolist()) == ([1], [40.0])
    waiting = world(replace(RUNNING, state=JobState.PREEMPTED, attempts=(stopped,)))
    assert (waiting.jobs[0].stops, waiting.jobs[0].ran_before_s) == (1, 30.0)


def test_being_stopped_to_grow_is_no_reason_to_be_left_in_peace() -> None:
    grown = replace(ATTEMPT, ended_at_s=125.0, outcome=Outcome.PREEMPTED, stop_cause=Cause.GROWTH)
    for_others = replace(grown, number=2, stop_cause=Cause.PRIORITY)
    now = replace(ATTEMPT, number=3, started_at_s=160.0)
    assert world(replace(RUNNING, attempts=(grown, for_others, now))).jobs[0].stops == 1


def test_who_ends_before_all_its_draining_hosts_must_be_empty_ends_in_time() -> None:
    def ends_in_time(*marks: HostMark) -> bool:
        return world(RUNNING, marks=marks).jobs[0].ends_in_time

    early, late = HostMark("a", HostState.DRAINING, "", 1.0, 694.0), HostMark("b", HostState.DRAINING, "", 1.0, 695.0)
    assert ends_in_time(late)
    assert not ends_in_time(early)
    assert not ends_in_time(early, late)
    assert ends_in_time(late, replace(early, state=HostState.CORDONED))
    assert ends_in_time(late, replace(early, host="elsewhere"))
    assert not ends_in_time(replace(late, deadline_s=None))
    assert not ends_in_time()


def test_a_waiting_job_holds_nothing_and_keeps_the_number_of_its_attempts() -> None:
    ended = replace(ATTEMPT, outcome=Outcome.PREEMPTED)
    waiting = replace(RUNNING, state=JobState.PREEMPTED, attempts=(ended,), not_before_s=300.0)
    job = world(waiting).jobs[0]
    assert (job.slots, job.started_at_s, job.checkpointed_at_s, job.attempt) == ((), None, None, 1)
    assert job.not_before_s == 300.0


def test_final_jobs_are_not_seen() -> None:
    assert world(replace(RUNNING, state=JobState.SUCCEEDED)).jobs == ()


@pytest.mark.parametrize(
    ("desired", "state", "asked"),
    [
        (DesiredState.STOP, JobState.RUNNING, True),
        (DesiredState.HOLD, JobState.RUNNING, True),
        (DesiredState.RUN, JobState.RUNNING, False),
        (DesiredState.STOP, JobState.PENDING, False),
    ],
)
def test_a_wish_to_end_is_asked_of_running_attempts_only(
    desired: DesiredState, state: JobState, *, asked: bool
) -> None:
    assert training_job(replace(RUNNING, desired=desired, state=state), 0.0).stop_asked is asked


def test_a_stray_run_holds_its_room_under_a_name_of_its_own() -> None:
    stray = Run(JobId("7"), 9, (Slot("b", (0,)),), RunState.STOPPING, 10.0)
    found = world(RUNNING, strays=(stray,))
    assert sorted(job.job_id for job in found.jobs) == ["7", "7.9"]
    assert found.ledger.gpu_milli.tolist() == [[500, 1000], [500, 500]]
    going = next(job for job in found.jobs if job.job_id == "7.9")
    assert (going.state, going.preemptible) == (JobState.PREEMPTING, False)


def test_a_stray_of_an_unknown_job_is_counted_with_whole_devices() -> None:
    stray = Run(JobId("99"), 1, (Slot("a", (0, 1)), Slot("gone", (0,))), RunState.RUNNING, 10.0)
    assert world(strays=(stray,)).ledger.gpu_milli.tolist() == [[0, 0], [1000, 1000]]


def test_marks_change_hosts_but_a_lost_host_stays_lost() -> None:
    lost = replace(HOSTS[1], state=HostState.LOST, reason="no heartbeat")
    marks = tuple(HostMark(name, HostState.DRAINING, "swap", 150.0) for name in "ab")
    first, second = world(marks=marks, at=seen(HOSTS[0], lost)).hosts
    assert (first.state, first.reason, first.since_s) == (HostState.DRAINING, "swap", 150.0)
    assert second == lost


def test_a_mark_of_a_host_that_is_not_there_is_passed_over() -> None:
    assert world(marks=(HostMark("z", HostState.CORDONED, "", 1.0),)).hosts == HOSTS


@pytest.mark.parametrize(
    ("deadlines", "in_time"),
    [
        ((695.0,), True),
        ((694.0,), False),
        ((None,), False),
        ((695.0, 694.0), False),
        ((695.0, 999.0), True),
        ((), False),
    ],
)
def test_a_job_is_in_time_when_it_ends_before_every_deadline_it_is_under(
    deadlines: tuple[float | None, ...], *, in_time: bool
) -> None:
    marks = tuple(
        HostMark(name, HostState.DRAINING, "", 0.0, deadline) for name, deadline in zip("ab", deadlines, strict=False)
    )
    assert world(RUNNING, marks=marks).jobs[0].ends_in_time is in_time


def test_replicas_and_promises_are_passed_on() -> None:
    replica = Replica(ReplicaId("r"), "edit-check", Slot("a", (1,)))
    found = world(at=seen(replicas=(replica,)))
    assert (found.version, found.taken_at_s, found.replicas) == (4, 200.0, (replica,))
    assert found.reservations == (Reservation("7", SLOTS, 1.0, 2.0),)
    assert found.ledger.gpu_milli.tolist() == [[1000, 500], [1000, 1000]]


def test_what_ran_only_to_go_on_at_once_counts_towards_the_limit() -> None:
    def past(number: int, outcome: Outcome, goes_on_with: int = 0) -> AttemptRecord:
        ended = replace(ATTEMPT, number=number, started_at_s=100.0, ended_at_s=110.0, outcome=outcome)
        return replace(ended, goes_on_with=goes_on_with)

    waited, grew = past(1, Outcome.PREEMPTED), past(2, Outcome.PREEMPTED, 3)
    refused, shrank = past(3, Outcome.NEVER_STARTED), past(4, Outcome.PREEMPTED, 2)
    now = replace(ATTEMPT, number=5)
    job = replace(RUNNING, attempts=(waited, grew, refused, shrank, now))
    assert training_job(job, 45.0).ran_on_s == 20.0
    assert training_job(job, 45.0).limit_s == 95.0 - 20.0 + 600.0
    assert training_job(replace(job, attempts=(grew, waited, now)), 45.0).ran_on_s == 0.0
    assert training_job(replace(job, state=JobState.PREEMPTED, attempts=(grew,)), 45.0).limit_s == inf
