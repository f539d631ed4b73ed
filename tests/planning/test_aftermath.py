"""Who gives way once all that follows counts: stops that lead to stops, idle devices, and jobs that save in time."""

from dataclasses import replace
from itertools import islice
from math import inf
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from benchmarks.preemption.sites import FIRST, NOW_S, sites
from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.plan import PreemptJob
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import SHARE_OF_GRACE, Gang, JobState, TrainingJob
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.need import need_of
from scheduler.planning.planner import plan
from scheduler.planning.preemption.victims import victims_for
from scheduler.planning.victim_selection.aftermath import NEXT_PLAN_S, loss_gpu_s
from scheduler.planning.victim_selection.foreseen import Foreseen

HOUR_S = 3600.0
POLICIES = [policy_from_names(), policy_from_names(victim_cost="lost-work")]


def runs(say: Any, job_id: str, *at: str, priority: int = 25, saves: bool = True, **parts: Any) -> Any:
    """A job that ran for two hours, and saved ten minutes ago."""
    started_s = say.now_s - 2 * HOUR_S
    every_s, saved_s = (1800.0, say.now_s - 600.0) if saves else (None, None)
    return say.running(
        job_id,
        *at,
        priority=priority,
        started_at_s=started_s,
        submitted_at_s=started_s,
        checkpoint_interval_s=every_s,
        checkpointed_at_s=saved_s,
        **parts,
    )


def stopped(say: Any, policy: Any, **parts: Any) -> list[str]:
    return sorted(order.job_id for order in say.of(say.plan(policy=policy, **parts), PreemptJob))


def each(host: str, count: int) -> list[str]:
    return [f"{host}:{device}" for device in range(count)]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_low_one_gives_way_at_once_where_another_would_stop_it_anyway(say: Any, policy: Any) -> None:
    jobs = [runs(say, "1", "h0:0", saves=False), runs(say, "2", "h0:1", priority=50)]
    urgent = say.waiting("9", say.gpus(), priority=100)
    assert stopped(say, policy, hosts=[say.host("h0", 2)], jobs=[*jobs, urgent]) == ["1"]


@pytest.mark.parametrize("policy", POLICIES)
def test_chains_of_stops_are_followed_to_their_end(say: Any, policy: Any) -> None:
    jobs = [runs(say, str(n), f"h0:{n}", priority=10 * n + 10, saves=n > 0) for n in range(4)]
    urgent = say.waiting("9", say.gpus(), priority=100)
    assert stopped(say, policy, hosts=[say.host("h0", 4)], jobs=[*jobs, urgent]) == ["0"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("workers", [3, 5, 9])
def test_a_gang_is_not_stopped_for_one_device_where_a_small_job_would_do(say: Any, policy: Any, workers: int) -> None:
    gang = runs(say, "1", *each("h0", workers))
    single = runs(say, "2", f"h0:{workers}", saves=False)
    waiting = say.waiting("9", say.gpus(), priority=75)
    assert stopped(say, policy, hosts=[say.host("h0", workers + 1)], jobs=[gang, single, waiting]) == ["2"]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_gang_that_can_go_on_elsewhere_may_give_way(say: Any, policy: Any) -> None:
    gang = runs(say, "1", *each("h0", 2))
    single = runs(say, "2", "h0:2", saves=False)
    waiting = say.waiting("9", say.gpus(host_labels=(("disk", "fast"),)), priority=75)
    here = say.host("h0", 3, labels=(("disk", "fast"),))
    assert stopped(say, policy, hosts=[here, say.host("h1", 2)], jobs=[gang, single, waiting]) == ["1"]
    assert stopped(say, policy, hosts=[here], jobs=[gang, single, waiting]) == ["2"]


def test_who_waits_for_booked_slots_has_nobody_stopped_on_others() -> None:
    """Of 3 and 5, which cost about the same, 3 would have 2 stopped, who loses all; 5 has 3 stopped, who saves."""
    site = next(islice(sites(203), 76, None))
    actions = plan(site.snapshot, Demand(), POLICIES[1]).actions
    victims = [order.job_id for order in actions if isinstance(order, PreemptJob)]
    assert sorted(victims) == ["0", "5"]


@pytest.mark.parametrize("policy", POLICIES)
def test_what_happens_days_ahead_saves_nobody_whose_work_would_not_be_lost(say: Any, policy: Any) -> None:
    saves = runs(say, "1", "h0:1,2", shape=say.gpus(2), priority=10, max_runtime_s=50 * HOUR_S)
    jobs = [runs(say, "0", "h0:0", saves=False, priority=10), saves, runs(say, "3", "h0:3", priority=75)]
    for_days = say.waiting("9", say.gpus(), priority=50, max_runtime_s=52 * HOUR_S)
    others = [say.waiting(str(n), say.gpus(), priority=10) for n in (7, 8)]
    assert stopped(say, policy, hosts=[say.host("h0", 4)], jobs=[*jobs, for_days, *others]) == ["1"]


@pytest.mark.parametrize("policy", POLICIES)
def test_who_is_pinned_to_the_host_leaves_devices_idle(say: Any, policy: Any) -> None:
    pinned = say.gpus(2, host_labels=(("disk", "fast"),))
    large = runs(say, "1", "h0:0,1", shape=pinned)
    small = runs(say, "2", "h0:2", saves=False)
    hosts = [say.host("h0", 3, labels=(("disk", "fast"),)), say.host("h1", 2)]
    waiting = say.waiting("9", say.gpus(), priority=75)
    taken = say.waiting("8", say.gpus(2), priority=80)
    assert stopped(say, policy, hosts=hosts, jobs=[large, small, waiting, taken]) == ["2"]


def test_what_others_who_wait_can_use_is_not_idle(say: Any) -> None:
    gang, single = runs(say, "1", "h0:0,1,2"), runs(say, "2", "h0:3", saves=False, preemptible=False)
    snapshot = say.snapshot(hosts=[say.host("h0")], jobs=[gang, single, say.waiting("9", say.gpus(), priority=75)])
    fill = [say.waiting(str(n), say.gpus(), priority=25, max_runtime_s=HOUR_S) for n in (3, 4)]
    filled = say.snapshot(hosts=[say.host("h0")], jobs=[*snapshot.jobs, *fill])
    alone, together = (loss_of(snapshot, "1", 1), loss_of(filled, "1", 1))
    assert together == alone - 2 * (NEXT_PLAN_S + HOUR_S), "theirs from when the room is reserved for them"


def test_the_loss_is_the_cost_and_every_device_that_stands_idle_until_the_room_is_back(say: Any) -> None:
    jobs = [runs(say, "1", "h0:0,1,2,3"), say.waiting("9", say.gpus(), priority=75, max_runtime_s=5 * HOUR_S)]
    snapshot = say.snapshot(hosts=[say.host("h0")], jobs=jobs)
    saving_s = SHARE_OF_GRACE * jobs[0].grace_period_s
    stopping = 4 * (saving_s + jobs[0].restart_cost_s)
    assert loss_of(snapshot, "1", 1) == stopping + 3 * (NEXT_PLAN_S + 5 * HOUR_S)


def test_whoever_leaves_early_waits_for_the_slowest(say: Any) -> None:
    jobs = [runs(say, "1", "h0:0", grace_period_s=600.0), runs(say, "2", "h0:1")]
    waiting = say.waiting("9", say.gpus(2), priority=75, max_runtime_s=HOUR_S)
    snapshot = say.snapshot(hosts=[say.host("h0", 2)], jobs=[*jobs, waiting])
    slow_s, quick_s = 300.0, 15.0
    assert loss_of(snapshot, "12", 2) == slow_s + quick_s + 2 * 60.0 + (slow_s - NEXT_PLAN_S)


def loss_of(snapshot: Any, victims: str, gpus: int) -> float:
    draft = Draft.of(snapshot, policy_from_names(victim_cost="lost-work"))
    candidates = draft.stoppable.candidates
    chosen = [victim for index in candidates.there if (victim := candidates.victim(int(index))).job.job_id in victims]
    need = need_of(Gang(1, snapshot.by_id["9"].gang.shape))
    assert need.shape.gpu_count == gpus
    return loss_gpu_s(Foreseen(need, draft, "9"), chosen)


@pytest.mark.parametrize("policy", POLICIES)
def test_room_is_not_counted_on_whose_user_says_nothing_of_an_end(say: Any, policy: Any) -> None:
    pair, single = runs(say, "1", "h0:0,1", priority=10), runs(say, "2", "h0:2", priority=10, restart_cost_s=300.0)
    pair = replace(pair, submitted_at_s=pair.submitted_at_s - 600.0)
    small = [say.waiting(str(n), say.gpus(), priority=10, submitted_at_s=say.now_s - 5.0) for n in (7, 8)]
    waiting = say.waiting("9", say.gpus(), priority=75)
    assert stopped(say, policy, hosts=[say.host("h0", 3)], jobs=[pair, single, *small, waiting]) == ["2"]


@pytest.mark.parametrize("policy", POLICIES)
def test_free_devices_are_joined_rather_than_left_idle(say: Any, policy: Any) -> None:
    here, there = (("rack", "a"),), (("rack", "b"),)
    pair = runs(say, "1", "h0:0,1", shape=say.gpus(2, host_labels=here))
    single = runs(say, "2", "h1:0", shape=say.gpus(1, host_labels=there), restart_cost_s=300.0)
    hosts = [say.host("h0", 2, labels=here), say.host("h1", 2, labels=there)]
    waiting = say.waiting("9", say.gpus(2), priority=75)
    assert stopped(say, policy, hosts=hosts, jobs=[pair, single, waiting]) == ["2"]


def test_who_can_go_on_where_the_room_comes_back_is_preferred_to_who_cannot(say: Any) -> None:
    here, there = (("rack", "a"),), (("rack", "b"),)
    urgent = say.waiting("9", say.gpus(2, host_labels=here), priority=75, max_runtime_s=HOUR_S / 2)
    high = runs(say, "1", "h0:0,1", priority=50)
    bound = runs(say, "2", "h1:0,1", shape=say.gpus(2, host_labels=there), priority=10)
    free = runs(say, "3", "h1:2,3", shape=say.gpus(2), priority=10, restart_cost_s=300.0)
    hosts = [say.host("h0", 2, labels=here), say.host("h1", 4, labels=there)]
    first = say.plan(hosts=hosts, jobs=[high, bound, free, urgent], policy=POLICIES[1])
    assert [order.job_id for order in say.of(first, PreemptJob)] == ["1"]
    on = replace(high, state=JobState.PREEMPTED, slots=(), started_at_s=None)
    then = say.plan(hosts=hosts, jobs=[on, bound, free, urgent], policy=POLICIES[1])
    assert [order.job_id for order in say.of(then, PreemptJob)] == ["3"]


@given(seed=st.integers(0, 10_000), share=st.floats(-1.0, 3.0))
def test_a_bound_leaves_out_only_what_is_above_it(seed: int, share: float) -> None:
    site = next(sites(seed))
    draft = Draft.of(site.snapshot, POLICIES[1])
    candidates = draft.stoppable.for_job(site.snapshot.by_id[FIRST])
    need = need_of(site.snapshot.by_id[FIRST].gang)
    victims = victims_for(need, draft.room.coming, candidates)
    assume(victims)
    foreseen = Foreseen(need, draft, FIRST)
    exact = loss_gpu_s(foreseen, victims)
    bound = share * exact
    assert loss_gpu_s(foreseen, victims, bound) in ({exact} if exact <= bound else {exact, inf})


@pytest.mark.parametrize(
    ("parts", "lost_s"),
    [
        ({"checkpoint_interval_s": 600.0}, 20.0),
        ({"checkpoint_interval_s": 600.0, "checkpointed_at_s": 995.0}, 5.0),
        ({"checkpoint_interval_s": 600.0, "saves_when_told": False}, 900.0),
        ({}, 900.0),
        ({"checkpointed_at_s": 600.0}, 400.0),
    ],
)
def test_a_stop_in_time_loses_no_more_than_saving_takes(say: Any, parts: Any, lost_s: float) -> None:
    job = TrainingJob("1", "job", Gang(2, say.gpus()), started_at_s=100.0, grace_period_s=40.0, **parts)
    assert job.lost_gpu_s(1000.0) == 2 * (lost_s + job.restart_cost_s)


@given(seed=st.integers(0, 10_000), gone=st.integers(60, 7200))
def test_those_who_end_meanwhile_are_not_stopped_any_more(seed: int, gone: int) -> None:
    site = next(sites(seed))
    jobs = [replace(task.job, max_runtime_s=9 * HOUR_S + number * gone) for number, task in enumerate(site.tasks)]
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=site.hosts, jobs=jobs)
    draft = Draft.of(snapshot, POLICIES[1])
    first = replace(snapshot.by_id[FIRST], max_runtime_s=24 * HOUR_S)
    need = need_of(first.gang)
    victims = victims_for(need, draft.room.coming, draft.stoppable.for_job(first))
    assume(victims)
    assert loss_gpu_s(Foreseen(need, draft, FIRST), victims) < inf
