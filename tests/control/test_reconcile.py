"""The state machine of jobs, transition by transition, and what holds for all of them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.jobs.reconcile import Reconciled, reconcile
from scheduler.control.patience import Patience
from scheduler.control.records import AttemptRecord, DesiredState, EventKind, JobRecord, Outcome
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation, Progress, Run, RunState
from scheduler.model.plan import Cause, PreemptJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState

NOW_S = 1000.0
SLOTS = (Slot("a", (0, 1)), Slot("b", (0, 1)))
SPEC = JobSpec("lm", "python train.py", Gang(2, Shape(1000, 1024, 2)), grace_period_s=30.0)
PATIENCE = Patience(start_s=60.0, backoff_s=30.0, backoff_most_s=100.0, starts=3)
ID = JobId("7")


def attempt(number: int = 1, **more: object) -> AttemptRecord:
    return replace(AttemptRecord(ID, number, SLOTS, decided_at_s=900.0), **more)


def job(
    *attempts: AttemptRecord, state: JobState = JobState.RUNNING, desired: DesiredState = DesiredState.RUN
) -> JobRecord:
    return JobRecord(ID, SPEC, state, desired, 800.0, attempts=attempts)


def run(state: RunState, number: int = 1, **more: object) -> Run:
    return replace(Run(ID, number, SLOTS, state, started_at_s=905.0), **more)


def step(known: JobRecord, *runs: Run, lost: Sequence[str] = (), since_s: float = 0.0) -> Reconciled:
    hosts = tuple(
        Host(name, 8000, 8192, (Device(0), Device(1)), state=HostState.LOST, since_s=since_s)
        if name in lost
        else Host(name, 8000, 8192, (Device(0), Device(1)))
        for name in ("a", "b")
    )
    return reconcile([known], Observation(NOW_S, hosts, runs), PATIENCE, 5, NOW_S)


def after(known: JobRecord, *runs: Run, lost: Sequence[str] = (), since_s: float = 0.0) -> JobRecord:
    return step(known, *runs, lost=lost, since_s=since_s).jobs[0]


TOLD = {"stop_asked_at_s": 990.0, "stop_cause": Cause.SERVING, "cause": "2 GPUs for edit-check"}
ASKED = {"stop_asked_at_s": 990.0, "stop_cause": Cause.STOP_ASKED}


@pytest.mark.parametrize(
    ("more", "state", "expected"),
    [
        ({}, RunState.STARTING, JobState.ADMITTED),
        ({}, RunState.RUNNING, JobState.RUNNING),
        ({}, RunState.STOPPING, JobState.PREEMPTING),
        (TOLD, RunState.STARTING, JobState.PREEMPTING),
        (TOLD, RunState.RUNNING, JobState.PREEMPTING),
        (TOLD, RunState.STOPPING, JobState.PREEMPTING),
    ],
)
def test_while_a_run_holds_room_the_job_shows_it(more: dict[str, object], state: RunState, expected: JobState) -> None:
    moved = after(job(attempt(**more)), run(state))
    assert moved.state is expected
    assert moved.attempt.started_at_s == 905.0
    assert moved.attempt.is_open


@pytest.mark.parametrize(
    ("more", "desired", "state", "expected", "outcome"),
    [
        ({}, DesiredState.RUN, RunState.SUCCEEDED, JobState.SUCCEEDED, Outcome.SUCCEEDED),
        (TOLD, DesiredState.RUN, RunState.SUCCEEDED, JobState.SUCCEEDED, Outcome.SUCCEEDED),
        (ASKED, DesiredState.STOP, RunState.SUCCEEDED, JobState.SUCCEEDED, Outcome.SUCCEEDED),
        ({}, DesiredState.RUN, RunState.FAILED, JobState.FAILED, Outcome.FAILED),
        (TOLD, DesiredState.RUN, RunState.FAILED, JobState.PREEMPTED, Outcome.PREEMPTED),
        (TOLD, DesiredState.RUN, RunState.STOPPED, JobState.PREEMPTED, Outcome.PREEMPTED),
        (TOLD, DesiredState.STOP, RunState.STOPPED, JobState.STOPPED, Outcome.PREEMPTED),
        (TOLD, DesiredState.HOLD, RunState.STOPPED, JobState.HELD, Outcome.PREEMPTED),
        (ASKED, DesiredState.STOP, RunState.STOPPED, JobState.STOPPED, Outcome.STOPPED),
        (ASKED, DesiredState.HOLD, RunState.STOPPED, JobState.HELD, Outcome.STOPPED),
        (ASKED, DesiredState.RUN, RunState.STOPPED, JobState.PREEMPTED, Outcome.STOPPED),
        ({}, DesiredState.RUN, RunState.STOPPED, JobState.HELD, Outcome.STOPPED),
        ({}, DesiredState.STOP, RunState.STOPPED, JobState.STOPPED, Outcome.STOPPED),
        (TOLD, DesiredState.RUN, RunState.NOT_STARTED, JobState.PREEMPTED, Outcome.PREEMPTED),
        (ASKED, DesiredState.STOP, RunState.NOT_STARTED, JobState.STOPPED, Outcome.STOPPED),
        ({}, DesiredState.RUN, RunState.LOST, JobState.PENDING, Outcome.LOST),
        ({}, DesiredState.STOP, RunState.LOST, JobState.STOPPED, Outcome.LOST),
    ],
)
def test_an_ended_run_ends_its_attempt(
    more: dict[str, object], desired: DesiredState, state: RunState, expected: JobState, outcome: Outcome
) -> None:
    done = step(job(attempt(**more), desired=desired), run(state, ended_at_s=995.0))
    moved = done.jobs[0]
    assert (moved.state, moved.attempt.outcome, moved.attempt.ended_at_s) == (expected, outcome, 995.0)
    assert (moved.finished_at_s is not None) == expected.is_final
    assert done.over == ((ID, 1),)
    assert len(done.events) == 1


@pytest.mark.parametrize("state", [RunState.RUNNING, RunState.STARTING, RunState.FAILED, RunState.LOST])
def test_a_lost_host_loses_the_whole_gang_and_the_job_is_tried_again(state: RunState) -> None:
    done = step(job(attempt()), run(state), lost=["b"])
    assert (done.jobs[0].state, done.jobs[0].attempt.outcome) == (JobState.PENDING, Outcome.LOST)
    if state.holds_room:
        assert done.orders == (PreemptJob(ID, 1, 0.0, Cause.ORPHAN),)


def test_a_gang_that_finished_before_its_host_was_lost_has_succeeded() -> None:
    assert after(job(attempt()), run(RunState.SUCCEEDED), lost=["b"]).state is JobState.SUCCEEDED


def test_work_since_the_last_checkpoint_is_counted_as_lost() -> None:
    saved = Progress(40, 100, 960.0)
    moved = after(job(attempt(**TOLD)), run(RunState.STOPPED, ended_at_s=995.0, progress=saved))
    assert moved.attempt.checkpoint_step == 40
    assert moved.attempt.lost_gpu_s == 35.0 * 4
    unsaved = after(job(attempt(**TOLD)), run(RunState.STOPPED, ended_at_s=995.0))
    assert unsaved.attempt.lost_gpu_s == 90.0 * 4
    assert after(job(attempt()), run(RunState.SUCCEEDED, ended_at_s=995.0)).attempt.lost_gpu_s == 0.0


def test_progress_is_kept_when_a_later_look_does_not_show_it() -> None:
    seen = after(job(attempt()), run(RunState.RUNNING, progress=Progress(40, 100, 960.0)))
    assert after(seen, run(RunState.RUNNING)).attempt.checkpoint_step == 40


def test_a_decided_attempt_is_waited_for_and_then_never_started() -> None:
    fresh = job(attempt(decided_at_s=NOW_S - 59.0), state=JobState.ADMITTED)
    assert after(fresh) == fresh
    late = after(job(attempt(decided_at_s=NOW_S - 60.0), state=JobState.ADMITTED))
    assert (late.state, late.attempt.outcome) == (JobState.PENDING, Outcome.NEVER_STARTED)
    assert late.not_before_s == NOW_S + 30.0
    assert late.attempt.lost_gpu_s == 0.0


def test_a_clock_that_went_back_does_not_wait_for_ever() -> None:
    assert after(job(attempt(decided_at_s=NOW_S + 9999.0))).attempt.outcome is Outcome.NEVER_STARTED


def test_a_job_that_had_progress_goes_back_to_preempted_when_a_later_attempt_never_started() -> None:
    first = attempt(1, outcome=Outcome.PREEMPTED, checkpoint_step=40, ended_at_s=890.0, stop_cause=Cause.SERVING)
    moved = after(job(first, attempt(2, decided_at_s=0.0), state=JobState.ADMITTED))
    assert moved.state is JobState.PREEMPTED


@pytest.mark.parametrize(("more", "outcome"), [({}, Outcome.LOST), (TOLD, Outcome.PREEMPTED), (ASKED, Outcome.STOPPED)])
def test_a_run_that_vanished_is_lost_or_did_as_it_was_told(more: dict[str, object], outcome: Outcome) -> None:
    assert after(job(attempt(started_at_s=905.0, **more))).attempt.outcome is outcome


def test_who_removes_a_run_by_hand_is_not_fought_over_it() -> None:
    """Its hosts are there, so it is known to be gone; but whoever removed it may do so again."""
    done = step(job(attempt(started_at_s=905.0)))
    moved = done.jobs[0]
    assert (moved.state, moved.not_before_s) == (JobState.PENDING, NOW_S + 30.0)
    assert "no longer shows it" in done.events[0].detail
    again = after(replace(job(*moved.attempts, attempt(2, started_at_s=905.0))))
    assert again.not_before_s == NOW_S + 60.0
    last = after(replace(job(*again.attempts, attempt(3, started_at_s=905.0))))
    assert last.state is JobState.FAILED


def test_a_start_in_part_is_tried_later_and_not_for_ever() -> None:
    words = "Ray has room for 1 of 2 workers"
    done = step(job(attempt()), run(RunState.NOT_STARTED, ended_at_s=995.0, message=words))
    moved = done.jobs[0]
    assert (moved.state, moved.attempt.outcome, moved.attempt.message) == (
        JobState.PENDING,
        Outcome.NEVER_STARTED,
        words,
    )
    assert (moved.not_before_s, moved.attempt.started_at_s, moved.attempt.lost_gpu_s) == (NOW_S + 30.0, None, 0.0)
    assert done.over == ((ID, 1),), "the cluster may forget it"
    before = [attempt(n, outcome=Outcome.NEVER_STARTED, ended_at_s=1.0) for n in (1, 2)]
    assert after(job(*before, attempt(3)), run(RunState.NOT_STARTED, 3)).state is JobState.FAILED


def test_who_stops_a_run_by_the_cluster_s_own_means_has_it_stopped_until_somebody_resumes_it() -> None:
    done = step(job(attempt()), run(RunState.STOPPED, ended_at_s=995.0))
    held = done.jobs[0]
    assert (held.state, held.desired, held.finished_at_s) == (JobState.HELD, DesiredState.HOLD, None)
    assert held.hold_reason == "attempt 1 was stopped on the cluster itself, not by Headroom"
    assert after(held).state is JobState.HELD
    assert after(replace(held, desired=DesiredState.RUN, hold_reason="")).state is JobState.PREEMPTED, (
        "resumed, it waits its turn"
    )


@pytest.mark.parametrize("more", [{}, {"started_at_s": 905.0}])
@pytest.mark.parametrize("state", [RunState.STARTING, RunState.RUNNING])
def test_a_host_that_is_silent_for_seconds_loses_nothing(more: dict[str, object], state: RunState) -> None:
    silent_since_s = NOW_S - PATIENCE.lost_s + 1.0
    known = job(attempt(**more))
    done = step(known, run(state), lost=["b"], since_s=silent_since_s)
    assert done.jobs[0].attempt.is_open
    assert (done.orders, done.strays) == ((), ())
    assert step(done.jobs[0], run(RunState.RUNNING)).jobs[0].state is JobState.RUNNING, "it is heard of again"


def test_a_run_that_is_not_shown_while_its_host_is_silent_may_be_there_still() -> None:
    known = job(attempt(started_at_s=905.0))
    assert after(known, lost=["b"], since_s=NOW_S - PATIENCE.lost_s + 1.0).attempt.is_open
    gone = after(known, lost=["b"], since_s=NOW_S - PATIENCE.lost_s)
    assert (gone.attempt.outcome, gone.state, gone.not_before_s) == (Outcome.LOST, JobState.PENDING, 0.0)


def test_a_host_that_is_silent_for_too_long_is_given_up_and_what_returns_with_it_is_ended() -> None:
    done = step(job(attempt()), run(RunState.RUNNING), lost=["a"], since_s=NOW_S - PATIENCE.lost_s)
    moved = done.jobs[0]
    assert (moved.state, moved.attempt.outcome) == (JobState.PENDING, Outcome.LOST)
    assert done.orders == (PreemptJob(ID, 1, 0.0, Cause.ORPHAN),)
    second = replace(moved, state=JobState.RUNNING, attempts=(*moved.attempts, attempt(2, started_at_s=990.0)))
    returned = step(second, run(RunState.RUNNING), run(RunState.RUNNING, 2))
    assert returned.orders == (PreemptJob(ID, 1, 0.0, Cause.ORPHAN),)
    assert returned.jobs[0].attempt.is_open


def test_what_the_cluster_knows_to_be_gone_is_not_waited_for() -> None:
    moved = after(job(attempt()), run(RunState.LOST, ended_at_s=995.0), lost=["b"], since_s=NOW_S)
    assert (moved.state, moved.attempt.outcome, moved.not_before_s) == (JobState.PENDING, Outcome.LOST, 0.0)


def test_pauses_double_up_to_the_longest_and_then_the_job_is_given_up() -> None:
    assert [PATIENCE.pause_s(n) for n in range(5)] == [0.0, 30.0, 60.0, 100.0, 100.0]
    failed = [attempt(n, outcome=Outcome.NEVER_STARTED, ended_at_s=1.0) for n in (1, 2)]
    done = step(job(*failed, attempt(3, decided_at_s=0.0)))
    assert done.jobs[0].state is JobState.FAILED
    assert "given up after 3 attempts" in done.events[0].detail
    assert done.events[0].kind is EventKind.FAILURE


def test_a_start_that_worked_in_between_begins_the_count_anew() -> None:
    failed = [attempt(n, outcome=Outcome.NEVER_STARTED, ended_at_s=1.0) for n in (1, 2)]
    lost = attempt(3, outcome=Outcome.LOST, ended_at_s=2.0)
    assert after(job(*failed, lost, attempt(4, decided_at_s=0.0))).state is JobState.PENDING


def test_an_order_to_stop_that_got_lost_is_repeated_with_the_grace_that_is_left() -> None:
    done = step(job(attempt(**TOLD), state=JobState.PREEMPTING), run(RunState.RUNNING))
    assert done.orders == (PreemptJob(ID, 1, 20.0, Cause.SERVING),)
    assert step(job(attempt(**TOLD)), run(RunState.STOPPING)).orders == ()
    assert step(job(attempt(decided_at_s=990.0, **TOLD))).orders == (), "not shown yet: nothing there to stop"


@pytest.mark.parametrize("state", [s for s in RunState if s.holds_room])
def test_a_run_of_a_closed_or_unknown_attempt_is_removed_and_counts_until_it_is_gone(state: RunState) -> None:
    closed = job(attempt(1, outcome=Outcome.LOST, ended_at_s=950.0), state=JobState.PENDING)
    stranger = Run(JobId("99"), 2, SLOTS, state, 1.0)
    done = step(closed, run(state), stranger)
    expected = (
        ()
        if state is RunState.STOPPING
        else (
            PreemptJob(ID, 1, 0.0, Cause.ORPHAN),
            PreemptJob(JobId("99"), 2, 0.0, Cause.ORPHAN),
        )
    )
    assert done.orders == expected
    assert done.strays == (run(state), stranger)
    assert done.over == ()
    assert done.jobs[0].state is JobState.PENDING


def test_an_ended_run_of_nobody_is_forgotten_without_a_word() -> None:
    done = step(job(state=JobState.PENDING), Run(JobId("99"), 2, SLOTS, RunState.FAILED, 1.0, 2.0))
    assert (done.over, done.orders, done.events) == (((JobId("99"), 2),), (), ())


@pytest.mark.parametrize(
    ("desired", "state", "expected"),
    [
        (DesiredState.STOP, JobState.PENDING, JobState.STOPPED),
        (DesiredState.STOP, JobState.HELD, JobState.STOPPED),
        (DesiredState.HOLD, JobState.PENDING, JobState.HELD),
        (DesiredState.RUN, JobState.HELD, JobState.PENDING),
        (DesiredState.RUN, JobState.PENDING, JobState.PENDING),
    ],
)
def test_a_waiting_job_follows_its_owners_wish(desired: DesiredState, state: JobState, expected: JobState) -> None:
    assert after(job(state=state, desired=desired)).state is expected


def test_stopping_a_job_that_waits_since_long_finishes_it_now() -> None:
    old = attempt(outcome=Outcome.PREEMPTED, ended_at_s=100.0, stop_cause=Cause.SERVING)
    assert after(job(old, state=JobState.PREEMPTED, desired=DesiredState.STOP)).finished_at_s == NOW_S


def test_a_held_job_that_is_resumed_goes_on_from_its_checkpoint() -> None:
    held = attempt(outcome=Outcome.STOPPED, stop_cause=Cause.STOP_ASKED, ended_at_s=950.0, checkpoint_step=30)
    assert after(job(held, state=JobState.HELD)).state is JobState.PREEMPTED


attempts = st.builds(
    attempt,
    outcome=st.sampled_from(Outcome),
    started_at_s=st.sampled_from([None, 905.0]),
    ended_at_s=st.just(950.0),
    stop_cause=st.sampled_from([None, Cause.SERVING, Cause.STOP_ASKED]),
    stop_asked_at_s=st.just(940.0),
    decided_at_s=st.sampled_from([0.0, 990.0]),
).map(lambda a: a if a.stop_cause else replace(a, stop_asked_at_s=None))
jobs = st.builds(
    lambda tried, desired: job(
        *(replace(a, number=n) for n, a in enumerate(tried, 1)), state=JobState.PENDING, desired=desired
    ),
    st.lists(attempts, max_size=3).map(lambda found: [*(a for a in found[:-1] if not a.is_open), *found[-1:]]),
    st.sampled_from(DesiredState),
)
runs = st.lists(
    st.builds(run, st.sampled_from(RunState), st.integers(1, 4)), unique_by=lambda found: found.attempt, max_size=4
)


@given(jobs, runs, st.sampled_from([(), ("a",), ("b",)]))
def test_whatever_is_seen_the_outcome_is_sound_and_settles(
    known: JobRecord, seen: list[Run], lost: tuple[str, ...]
) -> None:
    done = step(known, *seen, lost=lost)
    moved = done.jobs[0]
    has_open = moved.attempt is not None and moved.attempt.is_open
    assert moved.state.holds_room == has_open
    assert moved.state.is_final == (moved.finished_at_s is not None)
    assert [a.number for a in moved.attempts] == [a.number for a in known.attempts]
    assert all(a.is_open or a.lost_gpu_s >= 0 for a in moved.attempts)
    claimed = {(ID, moved.attempt.number)} if has_open else set()
    strays, over = {(s.job_id, s.attempt) for s in done.strays}, set(done.over)
    everything = {(r.job_id, r.attempt) for r in seen}
    assert strays | over | (claimed & everything) == everything
    assert not strays & over
    assert not (strays | over) & claimed
    again = step(moved, *seen, lost=lost)
    if not moved.state.is_final:
        assert again.changed == ()


def test_a_job_recorded_as_the_cluster_shows_it_stays_the_same_object() -> None:
    saved = Progress(40, 100, 950.0)
    known = job(attempt(started_at_s=905.0, checkpoint_step=40, checkpointed_at_s=950.0, total_steps=100))
    waiting = job(state=JobState.PENDING)

    assert step(known, run(RunState.RUNNING, progress=saved)).jobs[0] is known
    assert step(known, run(RunState.RUNNING)).jobs[0] is known
    assert step(waiting).jobs[0] is waiting


@pytest.mark.parametrize(
    "shown",
    [
        run(RunState.RUNNING, progress=Progress(41, 100, 960.0)),
        run(RunState.RUNNING, progress=Progress(40, 120, 950.0)),
        run(RunState.STOPPING),
        run(RunState.SUCCEEDED, ended_at_s=990.0),
        replace(run(RunState.RUNNING), started_at_s=906.0),
    ],
)
def test_whatever_is_new_is_recorded(shown: Run) -> None:
    known = job(attempt(started_at_s=905.0, checkpoint_step=40, checkpointed_at_s=950.0, total_steps=100))
    assert len(step(known, shown).changed) == 1


def test_what_runs_on_a_lost_host_is_lost_however_well_it_is_recorded() -> None:
    known = job(attempt(started_at_s=905.0))
    assert step(known, run(RunState.RUNNING), lost=["b"]).jobs[0].attempts[-1].outcome is Outcome.LOST
