"""Jobs that can go on with fewer workers shrink rather than wait; only what they give up counts as freed."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, Reservation, StartJob, StartReplica
from scheduler.model.workloads import JobState, TrainingJob

WITH_WAIT = policy_from_names(placement_score="best-fit", victim_cost="lost-work-and-wait")


def elastic(job: TrainingJob, fewest: int, most: int, **parts: Any) -> TrainingJob:
    return replace(job, gang=replace(job.gang, workers=fewest, max_workers=most), **parts)


def promised(made: Any) -> dict[str, Any]:
    return {reservation.holder: reservation.slots for reservation in made.reservations}


@pytest.fixture
def big(say: Any) -> TrainingJob:
    """Four workers of one device each on h0; it runs with one to four."""
    return elastic(say.running("1", "h0:0", "h0:1", "h0:2", "h0:3"), 1, 4)


def test_serving_takes_only_what_it_needs_of_an_elastic_job(say: Any, big: TrainingJob) -> None:
    made = say.plan(say.demand(chat=2), hosts=[say.host("h0")], models=[say.model("chat")], jobs=[big])
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.cause, stop.goes_on_with) == ("1", Cause.SERVING, 2)
    given = promised(made)
    assert len(given["1"]) == 2
    assert set(given["1"]) <= set(big.slots)
    assert not set(given["1"]) & set(given["chat"])


def test_it_goes_on_smaller_as_soon_as_it_has_stopped(say: Any, big: TrainingJob) -> None:
    world: dict[str, Any] = {"hosts": [say.host("h0")], "models": [say.model("chat")]}
    made = say.plan(say.demand(chat=2), jobs=[big], **world)
    stopping = replace(big, state=JobState.PREEMPTING)
    waits = say.plan(say.demand(chat=2), jobs=[stopping], reservations=made.reservations, **world)
    assert promised(waits) == promised(made)
    assert not waits.actions
    stopped = replace(big, state=JobState.PREEMPTED, slots=())
    resumed = say.plan(say.demand(chat=2), jobs=[stopped], reservations=waits.reservations, **world)
    (start,) = say.of(resumed, StartJob)
    assert start.slots == promised(made)["1"]
    assert len(say.of(resumed, StartReplica)) == 2


def test_it_never_goes_below_its_fewest_workers(say: Any, big: TrainingJob) -> None:
    job = elastic(big, 3, 4)
    made = say.plan(say.demand(chat=2), hosts=[say.host("h0")], models=[say.model("chat")], jobs=[job])
    (stop,) = say.of(made, PreemptJob)
    assert stop.goes_on_with == 0
    assert "1" not in promised(made)


def test_two_that_can_shrink_are_preferred_to_one_that_would_have_to_wait_for_the_same_cost(say: Any) -> None:
    jobs = [
        elastic(say.running("1", "h0:0", "h0:1", "h0:2"), 2, 3),
        say.running("2", "h1:0", "h1:1", "h1:2", shape=say.gpus()),
    ]
    hosts = [say.host("h0", 3), say.host("h1", 3)]
    made = say.plan(say.demand(chat=1), hosts=hosts, models=[say.model("chat")], jobs=jobs)
    assert [(stop.job_id, stop.goes_on_with) for stop in say.of(made, PreemptJob)] == [("1", 2)]


def test_a_job_is_stopped_where_that_costs_less_than_a_shrink(say: Any) -> None:
    jobs = [
        elastic(say.running("1", "h0:0", "h0:1", "h0:2", checkpointed_at_s=0.0), 2, 3),
        say.running("2", "h1:0"),
    ]
    hosts = [say.host("h0", 3), say.host("h1", 1)]
    made = say.plan(say.demand(chat=1), hosts=hosts, models=[say.model("chat")], jobs=jobs)
    assert [(stop.job_id, stop.goes_on_with) for stop in say.of(made, PreemptJob)] == [("2", 0)]


def test_a_gang_gives_up_workers_where_that_is_of_use(say: Any) -> None:
    job = elastic(say.running("1", "h0:0", "h0:1", "h1:0", "h1:1"), 2, 4)
    other = say.running("2", "h0:2,3", preemptible=False)
    waiting = say.waiting("3", say.gpus(4), priority=90)
    made = say.plan(hosts=[say.host("h0"), say.host("h1")], jobs=[job, other, waiting])
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.cause, stop.beneficiary, stop.goes_on_with) == ("1", Cause.PRIORITY, "3", 2)
    assert promised(made) == {"1": (say.slot("h0:0"), say.slot("h0:1")), "3": (say.slot("h1:0,1,2,3"),)}


def test_who_has_not_had_its_minimum_run_is_not_shrunk_for_priority(say: Any, big: TrainingJob) -> None:
    young = replace(big, started_at_s=say.now_s - 10.0)
    waiting = say.waiting("3", say.gpus(2), priority=90)
    made = say.plan(hosts=[say.host("h0")], jobs=[young, waiting])
    assert not say.of(made, PreemptJob)


def test_nobody_of_equal_priority_is_shrunk(say: Any, big: TrainingJob) -> None:
    made = say.plan(hosts=[say.host("h0")], jobs=[big, say.waiting("3", say.gpus(2))])
    assert not say.of(made, PreemptJob)


def test_later_jobs_are_not_promised_what_a_shrunk_job_keeps(say: Any, big: TrainingJob) -> None:
    jobs = [big, say.waiting("3", say.gpus(2), priority=90), say.waiting("4", say.gpus(2), priority=20)]
    made = say.plan(hosts=[say.host("h0")], jobs=jobs)
    assert set(promised(made)) == {"1", "3"}


def test_a_gang_on_a_draining_host_goes_on_where_it_also_is(say: Any, draining: Any) -> None:
    job = elastic(say.running("1", "h0:0", "h0:1", "h1:0", "h1:1"), 2, 4)
    made = say.plan(hosts=[draining("h0"), say.host("h1", 2)], jobs=[job])
    (stop,) = say.of(made, PreemptJob)
    assert (stop.cause, stop.goes_on_with) == (Cause.DRAIN, 2)
    assert promised(made) == {"1": (say.slot("h1:0"), say.slot("h1:1"))}


def test_a_promise_to_go_on_does_not_outlive_what_its_owner_wants(say: Any, big: TrainingJob) -> None:
    kept = Reservation("1", big.slots[:2], say.now_s - 5.0, say.now_s + 500.0)
    stopping = replace(big, state=JobState.PREEMPTING, stop_asked=True)
    made = say.plan(hosts=[say.host("h0")], jobs=[stopping], reservations=[kept])
    assert not made.reservations


def test_the_policy_of_costs_decides_among_those_that_shrink(say: Any) -> None:
    jobs = [
        elastic(say.running("1", "h0:0", "h0:1", checkpointed_at_s=say.now_s - 900.0), 1, 2),
        elastic(say.running("2", "h1:0", "h1:1", checkpointed_at_s=say.now_s - 9.0), 1, 2),
    ]
    hosts = [say.host("h0", 2), say.host("h1", 2)]
    policy = policy_from_names(placement_score="best-fit")
    made = say.plan(say.demand(chat=1), policy, hosts=hosts, models=[say.model("chat")], jobs=jobs)
    assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["2"]


def stops(say: Any, made: Any) -> list[tuple[str, int]]:
    return [(stop.job_id, stop.goes_on_with) for stop in say.of(made, PreemptJob)]


def test_who_goes_on_at_once_is_preferred_to_who_would_have_to_wait(say: Any) -> None:
    jobs = [
        elastic(say.running("1", "h0:0", "h0:1", "h0:2"), 2, 3),
        say.running("2", "h1:0", checkpointed_at_s=say.now_s - 300.0),
    ]
    world = {"hosts": [say.host("h0", 3), say.host("h1", 1)], "models": [say.model("chat")], "jobs": jobs}
    made = say.plan(say.demand(chat=1), WITH_WAIT, **world)
    assert stops(say, made) == [("1", 2)], "360 GPU-seconds and no wait, against as many and a wait"


def test_one_is_stopped_where_shrinking_several_would_lose_more(say: Any) -> None:
    jobs = [elastic(say.running(str(n), *(f"h{n}:{device}" for device in range(4))), 3, 4) for n in range(1, 5)]
    hosts = [say.host(f"h{n}") for n in range(1, 5)]
    policy = policy_from_names(victim_cost="lost-work")
    made = say.plan(policy=policy, hosts=hosts, jobs=[*jobs, say.waiting("9", say.gpus(), 4, priority=90)])
    assert [goes_on_with for _, goes_on_with in stops(say, made)] == [0]


def test_what_is_given_up_adds_to_what_is_free(say: Any) -> None:
    wide = elastic(say.running("1", "h0:0", "h0:1", "h1:0", "h1:1"), 2, 4)
    rigid = say.running("2", "h2:0,1,2,3", checkpointed_at_s=say.now_s - 50.0)
    beside = say.running("3", "h0:2,3", preemptible=False)
    hosts = [say.host("h0"), say.host("h1"), say.host("h2")]
    made = say.plan(
        policy=WITH_WAIT, hosts=hosts, jobs=[wide, rigid, beside, say.waiting("9", say.gpus(4), priority=90)]
    )
    assert stops(say, made) == [("1", 2)]
    assert promised(made)["9"] == (say.slot("h1:0,1,2,3"),)


def test_who_is_stopped_anyhow_gives_more_important_work_all_it_needs_at_once(say: Any) -> None:
    jobs = [elastic(say.running("1", *(f"h0:{device}" for device in range(4)), priority=25), 1, 4)]
    waiting = say.waiting("2", say.gpus(2), priority=75, submitted_at_s=say.now_s - 5.0)
    world = {"hosts": [say.host("h0", 4)], "models": [say.model("chat")], "jobs": [*jobs, waiting]}
    made = say.plan(say.demand(chat=1), **world)
    assert stops(say, made) == [("1", 1)]
    assert {promise.holder: len(promise.slots) for promise in made.reservations} == {"1": 1, "2": 1, "chat": 1}
