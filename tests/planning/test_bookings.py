"""Room booked ahead for blocked jobs: from when on, what may go on in its shadow, and what is said of it."""

from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, Reason, Reservation, StartJob
from scheduler.model.workloads import JobState
from scheduler.planning.placement.availability import expected_ends_s

HOUR_S = 3600.0


def started(say: Any, made: Any) -> Any:
    return {start.job_id: start for start in say.of(made, StartJob)}


def test_a_short_job_goes_first_in_the_shadow_and_a_long_one_does_not(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0,1", started_at_s=say.now_s, max_runtime_s=HOUR_S),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1), max_runtime_s=HOUR_S + 1),
        say.waiting("4", say.gpus(1), max_runtime_s=HOUR_S),
        say.waiting("5", say.gpus(1)),
    ]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    assert [(start.job_id, start.cause) for start in say.of(made, StartJob)] == [("4", Cause.BACKFILL)]
    gang, long, unknown = (made.reason_for(i) for i in "235")
    assert (gang.until_s, gang.blocked_by) == (say.now_s + HOUR_S, ("1",))
    assert gang.message.endswith("; booked for when 1 ends")
    assert (long.reason, long.blocked_by, long.until_s) == (Reason.RESERVED, ("2",), say.now_s + HOUR_S)
    assert long.message == "needs 1 GPU on one host; the room is booked for 2, and it would not be over by then"
    assert unknown.message.endswith("booked for 2, and nothing says how long it runs (max_runtime)")


def test_learned_run_times_do_as_well_as_declared_ones(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0,1", started_at_s=say.now_s, expected_runtime_s=HOUR_S),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1), expected_runtime_s=HOUR_S),
    ]
    assert list(started(say, say.plan(hosts=[say.host("h0")], jobs=jobs))) == ["3"]


def test_a_job_of_any_length_takes_room_that_no_booking_needs(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0,1", started_at_s=say.now_s, max_runtime_s=HOUR_S),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1)),
    ]
    made = say.plan(hosts=[say.host("h0"), say.host("h1", 1)], jobs=jobs)
    assert {job: start.slots for job, start in started(say, made).items()} == {"3": (say.slot("h1:0"),)}


def test_each_booking_is_kept_clear_of_those_before_it(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0,1", started_at_s=say.now_s, max_runtime_s=HOUR_S),
        say.running("2", "h0:2,3", started_at_s=say.now_s, max_runtime_s=2 * HOUR_S),
        say.waiting("3", say.gpus(4), max_runtime_s=HOUR_S),
        say.waiting("4", say.gpus(4), max_runtime_s=HOUR_S),
        say.waiting("5", say.gpus(2), max_runtime_s=HOUR_S),
        say.waiting("6", say.gpus(2)),
    ]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    untils = [made.reason_for(i).until_s for i in "3456"]
    assert untils == [say.now_s + hours * HOUR_S for hours in (2, 3, 1, 4)]


def test_only_as_many_jobs_have_room_booked_as_the_policy_says(say: Any) -> None:
    jobs = [say.running("1", "h0:0", max_runtime_s=12_000.0), *(say.waiting(i, say.gpus(1)) for i in "234")]
    made = say.plan(hosts=[say.host("h0", 1)], jobs=jobs, policy=policy_from_names(bookings=2))
    assert [("booked" in made.reason_for(i).message) for i in "234"] == [True, False, False]
    finite = [replace(job, max_runtime_s=60.0) for job in jobs[1:]]
    made = say.plan(hosts=[say.host("h0", 1)], jobs=[jobs[0], *finite], policy=policy_from_names(bookings=2))
    assert [("booked" in made.reason_for(i).message) for i in "234"] == [True, True, False]


def test_a_job_that_overstays_moves_the_booking_and_the_reason_says_so(say: Any) -> None:
    late = say.running("1", "h0:0,1", started_at_s=0.0, expected_runtime_s=say.now_s - 600)
    why = say.plan(hosts=[say.host("h0")], jobs=[late, say.waiting("2", say.gpus(4))]).reason_for("2")
    assert why.until_s == say.now_s + 600
    assert why.message.endswith("; booked for when 1 ends; 1 runs for longer than expected")


def test_what_was_started_in_the_same_plan_ends_too(say: Any) -> None:
    jobs = [
        say.waiting("1", say.gpus(4), max_runtime_s=HOUR_S),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1)),
    ]
    made = say.plan(hosts=[say.host("h0"), say.host("h1", 1, cores=1)], jobs=[*jobs, say.waiting("4", say.gpus(4))])
    assert list(started(say, made)) == ["1", "3"]
    assert made.reason_for("2").until_s == say.now_s + HOUR_S


def test_room_being_freed_goes_to_no_job_that_would_delay_a_booking(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0", state=JobState.PREEMPTING),
        say.running("2", "h0:1", started_at_s=say.now_s, max_runtime_s=HOUR_S),
        say.waiting("3", say.gpus(2)),
        say.waiting("4", say.gpus(1)),
        say.waiting("5", say.gpus(1), max_runtime_s=600.0),
    ]
    made = say.plan(hosts=[say.host("h0", 2)], jobs=jobs)
    assert [promise.holder for promise in made.reservations] == ["5"]


def test_nobody_is_stopped_for_a_job_whose_start_would_delay_a_booking(say: Any) -> None:
    jobs = [
        say.running("1", "h0:0", started_at_s=0.0, max_runtime_s=11_000.0, priority=25),
        say.running("2", "h0:1", started_at_s=0.0, max_runtime_s=11_000.0, preemptible=False),
        say.waiting("3", say.gpus(2)),
        say.waiting("4", say.gpus(1)),
    ]
    assert not say.of(say.plan(hosts=[say.host("h0", 2)], jobs=jobs), PreemptJob)
    short = replace(jobs[3], max_runtime_s=500.0)
    made = say.plan(hosts=[say.host("h0", 2)], jobs=[*jobs[:3], short])
    assert [stop.beneficiary for stop in say.of(made, PreemptJob)] == ["4"]


def test_a_lapsed_promise_books_nothing(say: Any) -> None:
    promise = Reservation("2", (say.slot("h0:0,1,2,3"),), 0.0, say.now_s)
    jobs = [
        say.running("1", "h0:0,1", max_runtime_s=12_000.0),
        say.waiting("2", say.gpus(4)),
        say.waiting("3", say.gpus(1)),
    ]
    assert list(started(say, say.plan(hosts=[say.host("h0")], jobs=jobs, reservations=[promise]))) == ["3"]


@pytest.mark.parametrize("gone", ["stop_asked", "state"])
def test_work_that_is_being_stopped_is_not_counted_twice(say: Any, gone: str) -> None:
    how = {"stop_asked": True} if gone == "stop_asked" else {"state": JobState.PREEMPTING}
    jobs = [
        say.running("1", "h0:0,1", max_runtime_s=12_000.0, **how),
        say.running("2", "h0:2,3", max_runtime_s=13_000.0),
        say.waiting("3", say.gpus(4)),
    ]
    why = say.plan(hosts=[say.host("h0")], jobs=jobs).reason_for("3")
    assert why.until_s == 13_000.0


@given(
    began=st.lists(st.floats(0, 9_000), min_size=1, max_size=20),
    lasts=st.floats(1, 20_000) | st.just(inf),
    later=st.floats(0, 5_000),
)
def test_expected_ends_lie_ahead_and_move_only_when_overdue(began: list[float], lasts: float, later: float) -> None:
    started_s, said_s = np.array(began), np.array(began) + lasts
    before, after = expected_ends_s(started_s, said_s, 10_000.0), expected_ends_s(started_s, said_s, 10_000.0 + later)
    assert (before > 10_000.0).all()
    assert (after >= np.minimum(before, said_s)).all()
    in_time = said_s > 10_000.0 + later
    assert (after[in_time & np.isfinite(said_s)] == said_s[in_time & np.isfinite(said_s)]).all()


def test_a_booking_counts_on_the_end_of_who_has_a_reservation(say: Any) -> None:
    leaving = say.running("1", "h0:0,1", state=JobState.PREEMPTING)
    holder = say.waiting("2", say.gpus(2), max_runtime_s=HOUR_S, priority=75)
    gang = say.waiting("3", say.gpus(2), priority=25)
    reserved = Reservation("2", (say.slot("h0:0,1"),), say.now_s - 10, say.now_s + 900)
    made = say.plan(hosts=[say.host("h0", 2)], jobs=[leaving, holder, gang], reservations=[reserved])
    assert made.reason_for("3").until_s == say.now_s + HOUR_S


def test_a_booking_counts_on_the_end_of_who_starts_in_a_reservation(say: Any) -> None:
    holder = say.waiting("2", say.gpus(2), max_runtime_s=HOUR_S, priority=75)
    gang = say.waiting("3", say.gpus(2), priority=25)
    reserved = Reservation("2", (say.slot("h0:0,1"),), say.now_s - 10, say.now_s + 900)
    made = say.plan(hosts=[say.host("h0", 2)], jobs=[holder, gang], reservations=[reserved])
    assert list(started(say, made)) == ["2"]
    assert made.reason_for("3").until_s == say.now_s + HOUR_S
