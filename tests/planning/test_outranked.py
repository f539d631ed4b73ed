"""Who goes first by the order of turns, but would be stopped at once for one that waits, leaves its place to it."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import PreemptJob, Reservation, StartJob
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.workloads import TrainingJob

FAIR = policy_from_names(queue_order="fair-share", bookings=0)
SHORT = policy_from_names(queue_order="shortest-first", bookings=0)
USED = [MeanUse("a", "", gpu_milli=4000.0)]
"""Queue a has used much lately: queue b has its turn first."""


def started(say: Any, made: Any) -> list[str]:
    return sorted(str(start.job_id) for start in say.of(made, StartJob))


def of(say: Any, job_id: str, queue: str, priority: int, gpus: int = 1, **parts: Any) -> TrainingJob:
    return replace(
        say.waiting(job_id, say.gpus(gpus), submitted_at_s=say.now_s - 60.0), queue=queue, priority=priority, **parts
    )


@pytest.fixture
def world(say: Any) -> dict[str, Any]:
    return {"hosts": [say.host("h0", 2)], "queues": [Queue("a"), Queue("b")], "usage": USED, "policy": FAIR}


def test_less_important_work_of_a_queue_with_a_lower_share_does_not_start_to_be_stopped(say: Any, world: Any) -> None:
    jobs = [of(say, "1", "b", 25, 2), of(say, "2", "a", 75, 2)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["2"]


def test_the_lower_share_decides_among_equals(say: Any, world: Any) -> None:
    jobs = [of(say, "1", "b", 50, 2), of(say, "2", "a", 50, 2)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["1"]


def test_no_more_leave_their_places_than_must(say: Any, world: Any) -> None:
    jobs = [of(say, "1", "b", 25), of(say, "2", "b", 50), of(say, "3", "a", 75)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["2", "3"]


def test_nobody_leaves_a_place_that_is_not_enough(say: Any, world: Any) -> None:
    blocker = replace(say.running("9", "h0:0"), queue="b", preemptible=False)
    jobs = [blocker, of(say, "1", "b", 25), of(say, "2", "a", 75, 2)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["1"]


def test_what_a_guarantee_covers_starts(say: Any, world: Any) -> None:
    world["queues"] = [Queue("a"), Queue("b", Amounts(gpu_milli=2000))]
    jobs = [of(say, "1", "b", 25, 2), of(say, "2", "a", 75, 2)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["1"]


def test_who_is_not_to_be_stopped_starts(say: Any, world: Any) -> None:
    jobs = [of(say, "1", "b", 25, 2, preemptible=False), of(say, "2", "a", 75, 2)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["1"]


def test_who_waited_so_long_that_it_is_left_in_peace_starts(say: Any, world: Any) -> None:
    old = replace(of(say, "1", "b", 50, 2), submitted_at_s=say.now_s - 30 * 3600.0)
    assert started(say, say.plan(jobs=[old, of(say, "2", "a", 75, 2)], **world)) == ["1"]


def test_a_reservation_of_an_earlier_plan_is_kept(say: Any, world: Any) -> None:
    given = Reservation("1", (say.slot("h0:0,1"),), say.now_s - 5.0, say.now_s + 900.0)
    jobs = [of(say, "1", "b", 25, 2), of(say, "2", "a", 75, 2)]
    assert started(say, say.plan(jobs=jobs, reservations=[given], **world)) == ["1"]


def test_a_short_job_does_not_start_where_a_more_important_one_waits(say: Any, world: Any) -> None:
    world["policy"] = SHORT
    jobs = [of(say, "1", "b", 25, 2, max_runtime_s=60.0), of(say, "2", "a", 75, 2, max_runtime_s=86_400.0)]
    assert started(say, say.plan(jobs=jobs, **world)) == ["2"]


def test_room_that_is_being_freed_goes_to_it_rather_than_that_somebody_is_stopped(say: Any, world: Any) -> None:
    """One device is free, one is held by work of less importance: the start gives way, nobody is stopped for it."""
    running = replace(say.running("9", "h0:0"), queue="b", priority=60)
    jobs = [running, of(say, "1", "b", 25), of(say, "2", "a", 75)]
    made = say.plan(jobs=jobs, **world)
    assert started(say, made) == ["2"]
    assert not say.of(made, PreemptJob)
