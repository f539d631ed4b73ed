"""Inside an owner's jobs waiting counts: none starves behind newer ones of the same owner, and there is a bound."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ageing import ByAgedPriority
from policies.fair_share import FairShare
from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import StartJob
from scheduler.model.policy import Policy
from scheduler.model.queues import Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

HOUR_S = 3600.0
NOW_S = 1000 * HOUR_S
GPU = Gang(1, Shape(gpu_count=1))
HOST = Host("h", 64_000, 65_536, (Device(0),), "A")
QUEUES = (Queue("a", weight=2.0), Queue("b"))

waiting = st.builds(
    TrainingJob,
    st.just(JobId("")),
    st.just("j"),
    st.just(GPU),
    queue=st.sampled_from(["a", "b"]),
    owner=st.sampled_from(["ana", "bo"]),
    priority=st.integers(0, 100),
    submitted_at_s=st.floats(0.0, NOW_S),
)
lists = st.lists(waiting, max_size=12).map(lambda jobs: [replace(j, job_id=JobId(str(n))) for n, j in enumerate(jobs)])


@given(jobs=lists, per_hour=st.floats(0.1, 10), most=st.floats(0.1, 60), starts=st.sets(st.integers(0, 11)))
def test_the_jobs_of_an_owner_go_by_priority_and_what_waiting_adds_to_it(
    jobs: list[TrainingJob], per_hour: float, most: float, starts: set[int]
) -> None:
    """Whoever is placed meanwhile: that decides whose turn it is, not which of its jobs."""
    aged, placed, order = ByAgedPriority(per_hour, most), set[str](), []
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=[HOST], jobs=jobs, queues=QUEUES)
    for number, job in enumerate(FairShare(aged)(snapshot, placed)):
        order.append(job)
        if number in starts:
            placed.add(job.job_id)
    assert sorted(job.job_id for job in order) == sorted(job.job_id for job in jobs)
    for who in {(job.queue, job.owner) for job in jobs}:
        for ahead, behind in pairwise(job for job in order if (job.queue, job.owner) == who):
            gains = aged.gain(np.array([NOW_S - job.submitted_at_s for job in (ahead, behind)]))
            gained = float(gains[1] - gains[0])
            assert ahead.priority - behind.priority >= gained - 1e-9
            assert ahead.priority - behind.priority > gained - 1e-9 or ahead.rank < behind.rank


def hours_until_it_starts(policy: Policy, ahead: int, most_hours: int) -> int | None:
    """Let an owner submit a job an hour that is more important than one it has waiting, on a site of one device."""
    jobs = {"0": TrainingJob(JobId("0"), "old", GPU, queue="a", owner="ana", submitted_at_s=0.0)}
    for hour in range(most_hours):
        fresh = JobId(str(hour + 1))
        jobs[fresh] = replace(jobs["0"], job_id=fresh, priority=50 + ahead, submitted_at_s=hour * HOUR_S)
        snapshot = Snapshot.of(taken_at_s=hour * HOUR_S, hosts=[HOST], jobs=jobs.values(), queues=QUEUES)
        started = [action.job_id for action in plan(snapshot, Demand(), policy).actions if isinstance(action, StartJob)]
        assert len(started) == 1
        if "0" in started:
            return hour
        del jobs[started[0]]
    return None


@pytest.mark.parametrize("ahead", [1, 10, 25])
def test_the_wait_is_the_difference_in_priority_over_what_an_hour_adds(ahead: int) -> None:
    assert hours_until_it_starts(policy_from_names(queue_order="fair-share"), ahead, 40) == ahead


def test_a_priority_higher_by_more_than_waiting_ever_adds_stays_ahead() -> None:
    assert hours_until_it_starts(policy_from_names(queue_order="fair-share"), 40, 60) is None


def test_without_ageing_it_starves() -> None:
    assert hours_until_it_starts(policy_from_names(queue_order="fair-share", ageing_most=0.0), 1, 60) is None


def test_who_went_first_by_waiting_is_not_stopped_by_whom_it_overtook() -> None:
    old = TrainingJob(JobId("1"), "old", GPU, queue="a", owner="ana", submitted_at_s=NOW_S - 31 * HOUR_S)
    runs = replace(old, state=JobState.RUNNING, started_at_s=NOW_S - HOUR_S, attempt=1, slots=(Slot("h", (0,)),))
    fresh = replace(old, job_id=JobId("2"), priority=75, submitted_at_s=NOW_S)
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=[HOST], jobs=[runs, fresh], queues=QUEUES)

    assert not plan(snapshot, Demand(), policy_from_names(queue_order="fair-share")).actions
    assert plan(snapshot, Demand(), policy_from_names(queue_order="fair-share", ageing_most=20.0)).actions
