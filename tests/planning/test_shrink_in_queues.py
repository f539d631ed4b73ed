"""A queue at its limit has its own elastic jobs shrink for more important work of its own, and never goes beyond it."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.queues import Amounts, Queue
from scheduler.model.workloads import JobState, TrainingJob

FAIR = policy_from_names(queue_order="fair-share", bookings=0)


def elastic(job: TrainingJob, fewest: int, most: int, **parts: Any) -> TrainingJob:
    return replace(job, gang=replace(job.gang, workers=fewest, max_workers=most), **parts)


def reserved(made: Any) -> dict[str, Any]:
    return {reservation.holder: reservation.slots for reservation in made.reservations}


@pytest.fixture
def big(say: Any) -> TrainingJob:
    """Four workers of one device each on h0, in queue a; it runs with one to four."""
    return replace(elastic(say.running("1", "h0:0", "h0:1", "h0:2", "h0:3"), 1, 4), queue="a")


@pytest.fixture
def world(say: Any) -> dict[str, Any]:
    """Eight devices, of which queue a may hold four."""
    at_most_four = Queue("a", Amounts(gpu_milli=4000), borrow_limit=Amounts(gpu_milli=0))
    return {"policy": FAIR, "hosts": [say.host("h0"), say.host("h1")], "queues": [at_most_four, Queue("b")]}


def urgent(say: Any, job_id: str = "2", gpus: int = 2) -> TrainingJob:
    return replace(say.waiting(job_id, say.gpus(gpus)), queue="a", priority=75)


def test_it_gives_up_only_what_keeps_the_queue_below_its_limit(say: Any, big: TrainingJob, world: Any) -> None:
    made = say.plan(jobs=[big, urgent(say)], **world)
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.goes_on_with) == ("1", 2)
    assert {holder: len(slots) for holder, slots in reserved(made).items()} == {"1": 2, "2": 1}


def test_it_goes_on_smaller_and_both_run_within_the_limit(say: Any, big: TrainingJob, world: Any) -> None:
    made = say.plan(jobs=[big, urgent(say)], **world)
    stopping = replace(big, state=JobState.PREEMPTING)
    waits = say.plan(jobs=[stopping, urgent(say)], reservations=made.reservations, **world)
    assert not waits.actions
    stopped = replace(big, state=JobState.PREEMPTED, slots=())
    resumed = say.plan(jobs=[stopped, urgent(say)], reservations=waits.reservations, **world)
    given = {start.job_id: start.slots for start in say.of(resumed, StartJob)}
    assert sorted(given) == ["1", "2"]
    assert sum(len(slot.devices) for slots in given.values() for slot in slots) == 4


def test_one_that_could_not_go_on_so_small_is_stopped_whole(say: Any, big: TrainingJob, world: Any) -> None:
    made = say.plan(jobs=[elastic(big, 3, 4), urgent(say)], **world)
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.goes_on_with) == ("1", 0)
    assert sorted(reserved(made)) == ["2"]


def test_of_a_firm_and_an_elastic_job_the_cheaper_one_gives_way(say: Any, world: Any) -> None:
    firm = replace(say.running("3", "h1:0,1", checkpointed_at_s=say.now_s - 10.0), queue="a")
    soft = elastic(say.running("1", "h0:0", "h0:1", checkpointed_at_s=say.now_s - 900.0), 1, 2, queue="a")
    made = say.plan(jobs=[firm, soft, urgent(say)], **world)
    assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["3"]
    dear = replace(firm, checkpointed_at_s=say.now_s - 5000.0)
    made = say.plan(jobs=[dear, soft, urgent(say, gpus=1)], **world)
    assert [(stop.job_id, stop.goes_on_with) for stop in say.of(made, PreemptJob)] == [("1", 1)]


def test_for_equals_of_its_own_queue_nobody_shrinks(say: Any, big: TrainingJob, world: Any) -> None:
    equal = replace(say.waiting("2", say.gpus(2)), queue="a")
    assert not say.of(say.plan(jobs=[big, equal], **world), PreemptJob)


def test_who_shrinks_for_serving_keeps_no_more_than_its_queue_may_hold(say: Any, big: TrainingJob, world: Any) -> None:
    """The queue's limit was lowered while its job ran: as it stops anyhow, it goes on within the new limit."""
    lower = Queue("a", Amounts(gpu_milli=2000), borrow_limit=Amounts(gpu_milli=0))
    world |= {"queues": [lower, Queue("b")], "hosts": [say.host("h0")], "models": [say.model("chat")]}
    made = say.plan(say.demand(chat=1), jobs=[big], **world)
    (stop,) = say.of(made, PreemptJob)
    assert (stop.cause, stop.goes_on_with) == (Cause.SERVING, 2)
