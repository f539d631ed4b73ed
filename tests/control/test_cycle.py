"""The turn from end to end: what is submitted runs, what is served is served, and everything is written down first."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.control.records import EventKind, Outcome
from scheduler.model.errors import Unreachable
from scheduler.model.plan import Cause, PreemptJob, StartJob, StartReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, JobState, ReplicaState


def test_a_job_runs_and_succeeds(lab: Any) -> None:
    job_id = lab.submit("lm", workers=2)
    lab.turns(1)
    assert lab.store.job(job_id).state is JobState.ADMITTED
    lab.turns(2)
    assert lab.store.job(job_id).state is JobState.RUNNING
    lab.turns(10)
    job = lab.store.job(job_id)
    assert (job.state, job.attempt.outcome, job.finished_at_s) == (
        JobState.SUCCEEDED,
        Outcome.SUCCEEDED,
        job.attempt.ended_at_s,
    )
    assert lab.cluster.runs == {}
    assert lab.events() == ["1 lm started", "1 lm succeeded"]


def test_the_attempt_is_stored_before_the_cluster_is_asked(lab: Any) -> None:
    job_id = lab.submit()
    stored = []

    def look(_: object) -> bool:
        stored.append(lab.store.job(job_id).attempt)
        return False

    lab.cluster.refuses = look
    lab.turns(1)
    assert [attempt.number for attempt in stored] == [1]
    assert stored[0].started_at_s is None


def test_serving_gets_its_replicas_and_training_the_rest(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 25.0)
    for _ in range(3):
        lab.submit()
    lab.turns(2)
    assert len(lab.cluster.replicas) == 3
    assert len(lab.cluster.holding) == 1


def test_training_is_preempted_before_the_peak_and_resumes_after_it(lab: Any) -> None:
    noon_s = lab.clock.at_s + 12 * 3600

    def rate(at_s: float) -> float:
        hour = at_s % 86400 / 3600
        return 35.0 if 13 <= hour < 16 else 5.0

    lab.serve("edit-check", rate, warm_up_s=1200.0)
    lab.cluster.warm_up_s = 1200.0
    lab.cluster.steps = {"1": 10**6}
    lab.clock.at_s = noon_s - 3600
    job_id = lab.submit("lm", workers=2)
    first_stop_s = None
    while lab.clock.at_s < noon_s + 7 * 3600:
        lab.turns(1, pause_s=60.0)
        stopped = [action for action in lab.cluster.applied if isinstance(action, PreemptJob)]
        first_stop_s = first_stop_s or (lab.clock.at_s if stopped else None)
    attempts = lab.store.job(job_id).attempts
    assert first_stop_s < noon_s + 3600
    assert attempts[0].outcome is Outcome.PREEMPTED
    assert attempts[0].checkpoint_step > 0
    assert attempts[-1].resumed_from_step >= attempts[0].checkpoint_step
    assert lab.store.job(job_id).state is JobState.RUNNING
    told = [event for event in lab.store.events(limit=1000) if event.kind is EventKind.PREEMPTION]
    assert "2 GPUs for edit-check" in told[0].detail
    assert "peak" in told[0].detail


def test_a_refused_start_is_tried_again_and_given_up_in_the_end(lab: Any) -> None:
    job_id = lab.submit("stubborn")
    lab.cluster.refuses = lambda action: isinstance(action, StartJob)
    lab.turns(1)
    job = lab.store.job(job_id)
    assert (job.state, job.attempt.outcome) == (JobState.PENDING, Outcome.NEVER_STARTED)
    assert job.not_before_s == lab.clock.at_s - 5 + lab.settings.patience.backoff_s
    lab.turns(60, pause_s=60.0)
    job = lab.store.job(job_id)
    assert (job.state, len(job.attempts)) == (JobState.FAILED, lab.settings.patience.starts)
    assert job.attempt.message == "the cluster does not feel like it"


def test_one_refused_action_stops_nothing_else(lab: Any) -> None:
    first, second = lab.submit(), lab.submit()
    lab.cluster.refuses = lambda action: isinstance(action, StartJob) and action.job_id == first
    lab.turns(1)
    assert lab.store.job(second).state is JobState.ADMITTED
    assert "1 could not start" in lab.events()


def test_a_refused_replica_is_asked_for_again(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 5.0)
    lab.cluster.refuses = lambda action: isinstance(action, StartReplica)
    lab.turns(1)
    (told,) = [event for event in lab.store.events() if event.kind is EventKind.FAILURE]
    assert (told.subject, told.title) == ("edit-check", "edit-check could not start a replica")
    assert told.detail == "the cluster does not feel like it"
    assert lab.board.report.refused == (("StartReplica", 1),)
    lab.cluster.refuses = lambda _: False
    lab.turns(1)
    assert len(lab.cluster.replicas) == 1


def test_a_cluster_that_does_not_answer_leaves_everything_as_it_was(lab: Any) -> None:
    job_id = lab.submit()
    lab.cluster.silent = True
    with pytest.raises(Unreachable):
        lab.cycle.turn()
    assert lab.store.job(job_id).attempts == ()
    assert lab.store.cycles() == ()


def test_a_cluster_that_falls_silent_amid_acting_is_said_and_the_job_is_not_started_twice(lab: Any) -> None:
    job_id = lab.submit()

    def vanish(_: object) -> bool:
        raise Unreachable("gone")

    lab.cluster.refuses = vanish
    report = lab.cycle.turn()
    assert report.degraded == "gone"
    assert lab.board.degraded == "gone"
    assert lab.events()[-1] == "gone"
    lab.cluster.refuses = lambda _: False
    lab.turns(30)
    assert lab.cluster.begun == [(job_id, 2)]
    assert lab.store.job(job_id).attempts[0].outcome is Outcome.NEVER_STARTED
    assert lab.store.job(job_id).state is JobState.SUCCEEDED


def test_nothing_more_is_asked_of_a_cluster_that_fell_silent(lab: Any) -> None:
    jobs = [lab.submit() for _ in range(3)]
    asked = []

    def vanish(action: StartJob) -> bool:
        asked.append(action.job_id)
        if action.job_id == jobs[1]:
            raise Unreachable("gone")
        return False

    lab.cluster.refuses = vanish
    lab.cycle.turn()
    assert asked == jobs[:2]
    assert [lab.store.job(job_id).state for job_id in jobs] == [JobState.ADMITTED] * 3, "written down all the same"


def test_numbers_of_turns_go_on_after_a_restart(lab: Any) -> None:
    lab.turns(3)
    lab.restart()
    lab.turns(2)
    assert [cycle.number for cycle in lab.store.cycles()] == [1, 2, 3, 4, 5]


def test_a_lost_host_is_told_once_and_its_job_tried_again_elsewhere(lab: Any) -> None:
    job_id = lab.submit("lm", workers=2)
    lab.turns(4)
    host = lab.store.job(job_id).attempt.slots[0].host
    lab.cluster.lose(host)
    lab.turns(3)
    job = lab.store.job(job_id)
    assert job.attempts[0].outcome is Outcome.LOST
    assert {slot.host for slot in job.attempt.slots} == {"a", "b"} - {host}
    assert job.attempt.resumed_from_step == job.attempts[0].checkpoint_step
    assert lab.events().count(f"{host} unreachable") == 1


def test_a_run_nobody_knows_is_removed_and_its_room_not_given_away_before(lab: Any) -> None:
    lab.cluster.intrude("9", 1, Slot("a", (0, 1)))
    job_id = lab.submit(workers=4)
    lab.turns(1)
    assert lab.cluster.applied == [PreemptJob(JobId("9"), 1, 0.0, Cause.ORPHAN)]
    assert lab.store.job(job_id).attempts == ()
    lab.turns(1)
    assert lab.store.job(job_id).state.holds_room
    assert lab.events() == ["9 attempt 1 removed", f"{job_id} job started"]


def test_a_model_renamed_between_restarts_is_answered_for_all_the_while(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 15.0)
    for _ in range(3):
        lab.submit()
    lab.turns(8)
    old = set(lab.cluster.replicas)
    assert len(old) == 2
    lab.served.clear()
    lab.serve("edit-check-2", lambda _: 15.0)
    for _ in range(12):
        lab.turns(1)
        replicas = lab.cluster.observe().replicas
        ready = [one for one in replicas if one.state is ReplicaState.READY]
        assert len(ready) >= 2, "neither name answers for all of the load"
        sits = [(one.slot.host, device) for one in replicas for device in one.slot.devices]
        sits += [(s.host, d) for run in lab.cluster.holding for s in run.slots for d in s.devices]
        assert len(sits) == len(set(sits)), "a device that a replica holds was given away"
    assert not old & set(lab.cluster.replicas)
    assert sum(title.startswith("edit-check is declared no longer") for title in lab.events()) == 1


def test_a_job_over_its_time_limit_is_warned_told_to_save_and_failed(lab: Any) -> None:
    lab.cluster.steps = {"1": 10**6}
    job_id = lab.submit("lm", max_runtime_s=300.0, preemptible=False)
    lab.turns(80)
    job = lab.store.job(job_id)
    assert (job.state, job.attempt.outcome, job.attempt.stop_cause) == (
        JobState.FAILED,
        Outcome.TIMED_OUT,
        Cause.TIME_LIMIT,
    )
    assert job.attempt.checkpoint_step > 0, "it was given its grace"
    assert 300.0 <= job.attempt.held_s <= 300.0 + 5.0 + 10.0
    assert job.attempt.cause == "over its time limit of 5m"
    assert lab.events()[1:] == [
        "1 lm reaches its time limit in 30s",
        "1 lm stopping",
        "1 lm failed",
    ]


def test_a_restart_warns_nobody_again(lab: Any) -> None:
    lab.cluster.steps = {"1": 10**6}
    lab.submit("lm", max_runtime_s=300.0)
    lab.turns(56)
    lab.restart()
    lab.turns(3)
    assert sum("time limit" in title for title in lab.events()) == 1


def test_the_limit_begins_anew_with_a_new_turn_and_not_when_a_job_only_goes_on(lab: Any) -> None:
    lab.cluster.steps = {"1": 10**6, "2": 10**6}
    job_id = lab.submit("lm", max_runtime_s=300.0)
    lab.turns(20)
    lab.cycle.cluster.apply(PreemptJob(job_id, 1, 10.0, Cause.PRIORITY))
    record = lab.store.job(job_id)
    stopped = replace(record.attempt, stop_cause=Cause.PRIORITY, stop_asked_at_s=lab.clock.at_s)
    lab.store.save(replace(record, state=JobState.PREEMPTING, attempts=(stopped,)))
    lab.turns(55)
    assert lab.store.job(job_id).state is JobState.RUNNING, "100 s of it were before it waited"
    lab.turns(20)
    assert lab.store.job(job_id).attempt.outcome is Outcome.TIMED_OUT
