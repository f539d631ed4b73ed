"""Waiting moves a job ahead, by so much and no more; and what it gained protects it while it runs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ageing import ByAgedPriority
from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import PreemptJob
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

HOUR_S = 3600.0
NOW_S = 1000 * HOUR_S
GPU = Gang(1, Shape(gpu_count=1))


def waiting(job_id: str, priority: int, hours: float, ran_hours: float = 0.0) -> TrainingJob:
    submitted_at_s = NOW_S - (hours + ran_hours) * HOUR_S
    return TrainingJob(
        JobId(job_id), "j", GPU, priority=priority, submitted_at_s=submitted_at_s, ran_before_s=ran_hours * HOUR_S
    )


def gain(order: ByAgedPriority, job: TrainingJob, now_s: float = NOW_S) -> float:
    return float(order.gain(np.array([now_s - job.submitted_at_s - job.ran_before_s]))[0])


jobs = st.lists(st.tuples(st.integers(0, 100), st.floats(0, 900), st.floats(0, 90)), min_size=2, max_size=12).map(
    lambda rows: [waiting(str(n), *row) for n, row in enumerate(rows)]
)
orders = st.builds(ByAgedPriority, st.floats(0.01, 10), st.floats(0.1, 60))


@given(queue=jobs, order=orders)
def test_the_gain_is_bounded_and_nobody_far_above_is_overtaken(queue: list[TrainingJob], order: ByAgedPriority) -> None:
    assert all(0 <= gain(order, job) <= order.most for job in queue)
    in_order = order(Snapshot.of(taken_at_s=NOW_S, jobs=queue))
    assert sorted(job.job_id for job in in_order) == sorted(job.job_id for job in queue)
    for first, *behind in (in_order[n:] for n in range(len(in_order))):
        assert all(job.priority - first.priority <= order.most for job in behind)


@given(queue=jobs, order=orders)
def test_the_order_is_by_aged_priority_then_age(queue: list[TrainingJob], order: ByAgedPriority) -> None:
    in_order = order(Snapshot.of(taken_at_s=NOW_S, jobs=queue))
    for ahead, behind in pairwise(in_order):
        ahead_aged, behind_aged = (job.priority + gain(order, job) for job in (ahead, behind))
        assert ahead_aged >= behind_aged
        assert ahead_aged > behind_aged or ahead.rank < behind.rank


@given(hours=st.floats(0, 900), later=st.floats(0, 100), order=orders)
def test_waiting_never_costs_and_time_that_a_job_ran_does_not_count(
    hours: float, later: float, order: ByAgedPriority
) -> None:
    job = waiting("1", 50, hours)
    assert gain(order, job, NOW_S + later * HOUR_S) >= gain(order, job)
    assert gain(order, waiting("1", 50, hours, ran_hours=later)) == pytest.approx(gain(order, job), abs=1e-6)


def run(victim_waited_hours: float, priority: int) -> list[str]:
    """Who is stopped for a fresh job of a priority, where one of priority 25 runs that had waited for so long."""
    started_s = NOW_S - HOUR_S
    low = TrainingJob(
        JobId("1"),
        "low",
        GPU,
        priority=25,
        state=JobState.RUNNING,
        attempt=1,
        slots=(Slot("h", (0,)),),
        submitted_at_s=started_s - victim_waited_hours * HOUR_S,
        started_at_s=started_s,
    )
    snapshot = Snapshot.of(
        taken_at_s=NOW_S, hosts=[Host("h", 0, 0, (Device(0),))], jobs=[low, waiting("2", priority, 0.0)]
    )
    made = plan(snapshot, Demand(), policy_from_names(ageing_per_hour=1.0, ageing_most=30.0))
    return [action.job_id for action in made.actions if isinstance(action, PreemptJob)]


@pytest.mark.parametrize(
    ("waited_hours", "priority", "stopped"), [(24, 50, True), (25, 50, False), (900, 55, False), (900, 56, True)]
)
def test_who_overtook_by_waiting_is_not_preempted_by_those_it_overtook(
    waited_hours: float, priority: int, *, stopped: bool
) -> None:
    assert run(waited_hours, priority) == ["1"] * stopped
