"""More workers: at the start for nothing, later by a restart that pays for itself, and never at the cost of others."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, PreemptJob, Reason, StartJob
from scheduler.model.workloads import JobState, TrainingJob


def elastic(job: TrainingJob, fewest: int, most: int, **parts: Any) -> TrainingJob:
    return replace(job, gang=replace(job.gang, workers=fewest, max_workers=most), **parts)


def promised(made: Any) -> dict[str, Any]:
    return {reservation.holder: reservation.slots for reservation in made.reservations}


@pytest.fixture
def small(say: Any) -> TrainingJob:
    """Two workers of one device each on h0; it runs with two to six, and has just saved."""
    saved = {"checkpoint_interval_s": 600.0, "checkpointed_at_s": say.now_s - 10.0}
    return elastic(say.running("1", "h0:0", "h0:1", **saved), 2, 6)


def sizes(say: Any, made: Any) -> dict[str, int]:
    return {start.job_id: len(start.slots) for start in say.of(made, StartJob)}


class TestAtTheStart:
    """More workers cost nothing when the job starts."""

    def test_a_job_starts_with_as_many_as_fit(self, say: Any) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[elastic(say.waiting("1", say.gpus()), 2, 8)])
        assert sizes(say, made) == {"1": 4}

    def test_and_with_no_more_than_its_most(self, say: Any) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[elastic(say.waiting("1", say.gpus()), 2, 3)])
        assert sizes(say, made) == {"1": 3}

    def test_and_waits_for_its_fewest(self, say: Any) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[elastic(say.waiting("1", say.gpus()), 5, 8)])
        assert not made.actions
        assert made.unplaced[0].reason is Reason.IMPOSSIBLE_GANG
        assert "5–8 workers × 1 GPU" in made.unplaced[0].message

    def test_others_have_their_turn_before_anybody_gets_more(self, say: Any) -> None:
        jobs = [elastic(say.waiting("1", say.gpus()), 1, 8), say.waiting("2", say.gpus(2))]
        assert sizes(say, say.plan(hosts=[say.host("h0")], jobs=jobs)) == {"1": 2, "2": 1}

    def test_the_first_in_the_queue_is_filled_up_first(self, say: Any) -> None:
        jobs = [elastic(say.waiting(number, say.gpus()), 1, 3) for number in ("1", "2")]
        assert sizes(say, say.plan(hosts=[say.host("h0")], jobs=jobs)) == {"1": 3, "2": 1}

    def test_limits_per_host_hold_for_all_workers_together(self, say: Any) -> None:
        job = say.waiting("1", say.gpus(), limit=2)
        made = say.plan(hosts=[say.host("h0"), say.host("h1")], jobs=[elastic(job, 1, 8)])
        (start,) = say.of(made, StartJob)
        assert sorted(slot.host for slot in start.slots) == ["h0", "h0", "h1", "h1"]

    def test_room_held_for_the_peak_stays_held(self, say: Any) -> None:
        job = elastic(say.waiting("1", say.gpus()), 1, 8)
        made = say.plan(say.demand(chat=(0, 0, 2)), hosts=[say.host("h0")], models=[say.model("chat")], jobs=[job])
        assert sizes(say, made) == {"1": 2}


class TestWhileRunning:
    """More workers cost a restart later."""

    def test_a_job_grows_into_free_room_and_keeps_what_it_has(self, say: Any, small: TrainingJob) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[small])
        (stop,) = say.of(made, PreemptJob)
        assert (stop.cause, stop.goes_on_with, stop.beneficiary) == (Cause.GROWTH, 4, "")
        assert promised(made)["1"][:2] == small.slots
        assert len(set(promised(made)["1"])) == 4

    def test_and_starts_there_once_it_has_stopped(self, say: Any, small: TrainingJob) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[small])
        stopped = replace(small, state=JobState.PREEMPTED, slots=(), started_at_s=None, attempt=1)
        others = [say.waiting("2", say.gpus(), priority=90)]
        resumed = say.plan(hosts=[say.host("h0")], jobs=[stopped, *others], reservations=made.reservations)
        assert sizes(say, resumed) == {"1": 4}

    @pytest.mark.parametrize(
        "parts",
        [
            {"started_at_s": 9_000.0},
            {"checkpointed_at_s": 9_500.0},
            {"checkpointed_at_s": None},
            {"checkpoint_interval_s": None},
            {"preemptible": False},
            {"stop_asked": True},
            {"state": JobState.PREEMPTING},
            {"max_runtime_s": 10_060.0},
        ],
        ids=lambda parts: next(iter(parts)),
    )
    def test_nobody_grows_who_may_not_or_would_lose_by_it(
        self, say: Any, small: TrainingJob, parts: dict[str, Any]
    ) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[replace(small, **parts)])
        assert not [stop for stop in say.of(made, PreemptJob) if stop.cause is Cause.GROWTH]

    def test_nobody_grows_into_room_that_another_waits_for(self, say: Any, small: TrainingJob) -> None:
        made = say.plan(hosts=[say.host("h0")], jobs=[small, say.waiting("2", say.gpus(4))])
        assert not made.actions

    def test_but_into_room_that_the_other_cannot_use(self, say: Any, small: TrainingJob) -> None:
        other = say.waiting("2", say.gpus(1, gpu_models=frozenset({"MI210"})))
        made = say.plan(hosts=[say.host("h0"), say.host("h1", 0)], jobs=[small, other])
        assert [stop.cause for stop in say.of(made, PreemptJob)] == [Cause.GROWTH]

    def test_nobody_grows_into_room_held_for_the_peak(self, say: Any, small: TrainingJob) -> None:
        model = say.model("chat")
        made = say.plan(say.demand(chat=(0, 0, 2)), hosts=[say.host("h0")], models=[model], jobs=[small])
        assert not made.actions

    def test_one_worker_more_of_many_is_not_worth_a_restart(self, say: Any) -> None:
        slots = [f"h0:{device}" for device in range(7)]
        job = elastic(replace(say.running("1", *slots), checkpoint_interval_s=600.0), 2, 8)
        policy = policy_from_names(placement_score="best-fit", grow_after_s=900.0)
        assert not say.plan(policy=policy, hosts=[say.host("h0", 8)], jobs=[job]).actions
        longer = policy_from_names(placement_score="best-fit", grow_after_s=3600.0)
        assert say.plan(policy=longer, hosts=[say.host("h0", 8)], jobs=[job]).actions

    def test_higher_priority_grows_first_then_who_is_furthest_from_its_most(self, say: Any, small: TrainingJob) -> None:
        second = replace(elastic(say.running("2", "h1:0", "h1:1"), 2, 4), checkpoint_interval_s=600.0)
        second = replace(second, checkpointed_at_s=say.now_s - 10.0)
        hosts = [say.host("h0", 2), say.host("h1", 2), say.host("h2", 2)]
        made = say.plan(hosts=hosts, jobs=[small, second])
        assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["1"]
        urgent = replace(second, priority=90)
        made = say.plan(hosts=hosts, jobs=[small, urgent])
        assert [stop.job_id for stop in say.of(made, PreemptJob)] == ["2"]
