"""Run times by those that run still as well as by those that ended."""

import numpy as np
import pytest

from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome
from scheduler.control.runtimes import KEPT, RunTimes
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from simulations.whatif.survival import LONGEST, Survival, equally_likely

GANG = Gang(1, Shape(1000))


def learned(*took_s: float) -> RunTimes:
    run_times = RunTimes()
    for number, ran_s in enumerate(took_s):
        job_id = JobId(str(number))
        attempt = AttemptRecord(job_id, 1, (), 0.0, 0.0, ran_s, Outcome.SUCCEEDED)
        spec = JobSpec("j", "x", GANG)
        run_times.learn([JobRecord(job_id, spec, JobState.SUCCEEDED, DesiredState.RUN, 0.0, attempts=(attempt,))])
    return run_times


def running(since_s: float) -> TrainingJob:
    return TrainingJob(JobId("9"), "j", GANG, 0.0, state=JobState.RUNNING, started_at_s=since_s)


def test_where_nobody_runs_it_is_what_ended() -> None:
    assert Survival(learned(3.0, 1.0, 2.0), (), 0.0).of_like(running(0.0)).tolist() == [1.0, 2.0, 3.0]
    assert not len(Survival(learned(3.0), (), 0.0).of_like(running(0.0)))


def test_half_of_a_cohort_that_runs_still_is_half_of_what_is_expected() -> None:
    found = equally_likely(np.arange(1.0, 51.0), np.full(50, 50.0))
    assert np.mean(found <= 50.0) == pytest.approx(0.5, abs=0.02)
    assert found.max() <= LONGEST * 50.0
    assert np.mean(found > 100.0) == pytest.approx(0.25, abs=0.02), "half of the rest runs for as long again"


@pytest.mark.parametrize("cut_s", [50.0, 100.0, 200.0])
def test_long_jobs_that_have_not_ended_yet_are_not_forgotten(cut_s: float) -> None:
    random = np.random.default_rng(3)
    took_s, began_s = random.exponential(100.0, 4000), random.uniform(0.0, cut_s, 4000)
    age_s = cut_s - began_s
    ended, so_far = took_s[took_s <= age_s], age_s[took_s > age_s]
    low = min(40.0, cut_s / 2)
    true = 1 - np.exp(-low / 100.0)
    assert np.mean(equally_likely(ended, so_far) <= low) == pytest.approx(true, abs=0.03)
    assert np.mean(ended <= low) > true + 0.1, "which who looks at ended ones alone takes for many"


def test_who_runs_for_longer_than_all_that_is_remembered_counts_only_where_nothing_was_forgotten() -> None:
    few, many = learned(*[100.0] * 5), learned(*[100.0] * KEPT)
    old = [running(-900.0)] * 5
    assert Survival(few, old, 0.0).of_like(running(0.0)).max() > 900.0
    assert Survival(many, old, 0.0).of_like(running(0.0)).max() == 100.0
