"""What is expected of a job's run time, learned from jobs that ended: the closest likeness wins, few say nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome
from scheduler.control.runtimes import (
    KEPT,
    LEAST_LEFT_S,
    MARGIN,
    MOST_DOUBT,
    TIMED_OUT_COUNTS,
    TOLD_SHARE,
    WORDS,
    RunTimes,
)
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState

SPEC = JobSpec("train-1", "python train.py", Gang(1, Shape(gpu_count=1)), owner="ada")


def attempt(took_s: float, outcome: Outcome = Outcome.SUCCEEDED, saved_s: float | None = None) -> AttemptRecord:
    return AttemptRecord(
        JobId("1"), 1, (Slot("h", (0,)),), 0.0, 100.0, 100.0 + took_s, outcome, checkpointed_at_s=saved_s
    )


def job(spec: JobSpec = SPEC, *attempts: AttemptRecord, state: JobState = JobState.SUCCEEDED) -> JobRecord:
    return JobRecord(JobId("1"), spec, state, DesiredState.RUN, 0.0, attempts=attempts)


def learned(*jobs: JobRecord) -> RunTimes:
    times = RunTimes()
    times.learn(jobs)
    return times


def test_nothing_is_expected_before_enough_has_ended() -> None:
    times, asked = RunTimes(), job(state=JobState.PENDING)
    for _ in range(3):
        assert times.expected_s(asked) is None
        times.learn([job(SPEC, attempt(1000.0))])
    assert times.expected_s(asked) == pytest.approx(1000.0 * (1 + MARGIN))


def test_the_closest_likeness_wins() -> None:
    other_name = replace(SPEC, name="evaluate", owner="ada")
    other_gang = replace(other_name, name="sweep", gang=Gang(2, SPEC.gang.shape))
    times = learned(
        *[job(SPEC, attempt(100.0))] * 3,
        *[job(other_name, attempt(1000.0))] * 3,
        *[job(replace(SPEC, owner="bob", name="big"), attempt(5000.0))] * 20,
    )
    assert times.expected_s(job(replace(SPEC, name="train-77"))) == pytest.approx(110.0)
    assert times.expected_s(job(other_name)) == pytest.approx(1100.0)
    assert times.expected_s(job(replace(SPEC, name="new"))) == pytest.approx(1100.0)
    assert times.expected_s(job(other_gang)) == pytest.approx(5500.0)


def test_only_success_teaches() -> None:
    failed = job(SPEC, attempt(5.0, Outcome.FAILED), state=JobState.FAILED)
    stopped = job(SPEC, attempt(5.0, Outcome.STOPPED), state=JobState.STOPPED)
    assert learned(*[failed] * 20, *[stopped] * 20).expected_s(job()) is None


def test_work_that_was_saved_counts_and_work_that_was_lost_does_not() -> None:
    saved = attempt(300.0, Outcome.PREEMPTED, saved_s=350.0)
    lost = attempt(300.0, Outcome.LOST)
    times = learned(*[job(SPEC, saved, lost, attempt(750.0))] * 3)
    assert times.expected_s(job(state=JobState.PENDING)) == pytest.approx(1100.0)
    assert times.expected_s(job(SPEC, saved, lost, state=JobState.PREEMPTED)) == pytest.approx(850.0)
    almost = attempt(2000.0, Outcome.PREEMPTED, saved_s=2000.0)
    assert times.expected_s(job(SPEC, almost, state=JobState.PREEMPTED)) == LEAST_LEFT_S


@given(took=st.lists(st.floats(LEAST_LEFT_S, 1e6), min_size=3, max_size=120))
def test_nine_of_ten_of_the_newest_are_over_by_then(took: list[float]) -> None:
    expected_s = learned(*(job(SPEC, attempt(runtime_s)) for runtime_s in took)).expected_s(job())
    newest, told = took[-KEPT:], 1 + 2 * TOLD_SHARE
    assert expected_s is not None
    assert sum(runtime_s <= expected_s * told for runtime_s in newest) >= 0.9 * len(newest)
    assert expected_s <= max(newest) * (1 + MARGIN) * told


def test_only_what_matters_is_told() -> None:
    times = RunTimes()
    versions = []
    for took_s in (1000.0, 1000.0, 1000.0, 1001.0, 1500.0):
        times.learn([job(SPEC, attempt(took_s))])
        versions.append(times.version)
    assert versions == [0, 0, 1, 1, 3]


SAYS = replace(SPEC, max_runtime_s=1000.0, grace_period_s=30.0)


def timed_out(spec: JobSpec = SAYS) -> JobRecord:
    return job(spec, attempt(1030.0, Outcome.TIMED_OUT), state=JobState.FAILED)


def test_a_word_is_believed_until_one_of_its_owner_and_name_is_broken() -> None:
    assert learned(*[job(SAYS, attempt(1030.0))] * 3).doubt(SAYS) == 1.0
    times = learned(timed_out())
    assert times.doubt(replace(SAYS, name="train-77")) == TIMED_OUT_COUNTS
    assert times.doubt(replace(SAYS, name="evaluate")) == 1.0
    assert times.doubt(replace(SAYS, owner="bob")) == 1.0


def test_who_ran_past_its_word_is_doubted_by_as_much_and_within_bounds() -> None:
    assert learned(job(SAYS, attempt(3090.0))).doubt(SAYS) == pytest.approx(3.0)
    assert learned(job(SAYS, attempt(1e6))).doubt(SAYS) == MOST_DOUBT


def test_who_keeps_it_often_enough_is_believed_again() -> None:
    times = learned(timed_out(), *[job(SAYS, attempt(500.0))] * (WORDS - 1))
    assert times.doubt(SAYS) == TIMED_OUT_COUNTS
    before = times.version
    times.learn([job(SAYS, attempt(500.0))])
    assert times.doubt(SAYS) == 1.0
    assert times.version > before, "jobs that wait are looked at again"


def test_a_job_that_its_owner_stopped_says_nothing_of_its_word() -> None:
    assert learned(job(SAYS, attempt(9000.0, Outcome.STOPPED), state=JobState.STOPPED)).doubt(SAYS) == 1.0


def test_what_was_frozen_learns_nothing_more() -> None:
    asked, known = job(state=JobState.PENDING), learned(*[job(SPEC, attempt(600.0))] * 5)
    frozen = known.frozen()
    before = (frozen.version, frozen.expected_s(asked), frozen.doubt(SPEC))
    known.learn([job(SPEC, attempt(6000.0))] * 5)
    assert (frozen.version, frozen.expected_s(asked), frozen.doubt(SPEC)) == before
    assert known.expected_s(asked) != before[1]
    assert known.frozen().expected_s(asked) == known.expected_s(asked)
