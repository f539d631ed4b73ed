"""Victims of least cost: the cheapest of all sets that would do in small worlds, and good ones in large."""

from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import Need, need_of
from scheduler.planning.preemption.candidates import Candidates
from scheduler.planning.preemption.stoppable import Stoppable
from scheduler.planning.preemption.victims import victims_for

MOST_VICTIMS = 9
WHOLE = Shape(1000, 1024, 1)


def table(say: Any, hosts: Sequence[Any], jobs: Sequence[Any]) -> tuple[CachedTrial, Candidates]:
    snapshot = say.snapshot(hosts=hosts, jobs=jobs)
    return CachedTrial(snapshot.ledger), Stoppable(snapshot, policy_from_names()).candidates


def meets(need: Need, coming: CachedTrial, candidates: Candidates, chosen: Iterable[int]) -> bool:
    trial = CachedTrial(coming)
    for who in chosen:
        job = candidates.victim(who).job
        trial.give_all(job.slots, job.gang.shape)
    return need.is_met_by(trial.units(need.shape))


def least_cost(need: Need, coming: CachedTrial, candidates: Candidates) -> float | None:
    """Try every set of victims."""
    everybody = range(len(candidates.order))
    sets = chain.from_iterable(combinations(everybody, size) for size in range(1, len(everybody) + 1))
    costs = [candidates.cost[list(chosen)].sum() for chosen in sets if meets(need, coming, candidates, chosen)]
    return min(costs, default=None)


@st.composite
def worlds(draw: st.DrawFn, say: Any) -> tuple[list[Any], list[Any]]:
    """Hosts of 2 to 4 devices, full of jobs of one device, shares of one, or workers on several hosts."""
    sizes = draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    free = [(row, device) for row, size in enumerate(sizes) for device in range(size)]
    jobs = []
    while free and len(jobs) < MOST_VICTIMS:
        count = min(draw(st.sampled_from([1, 1, 2, 3])), len(free))
        taken = [free.pop(draw(st.integers(0, len(free) - 1))) for _ in range(count)]
        shape = Shape(
            draw(st.sampled_from([500, 2000])), 1024, 1, 1000 if count > 1 else draw(st.sampled_from([500, 1000]))
        )
        at = [f"h{row}:{device}" for row, device in taken]
        saved_s = say.now_s - draw(st.integers(0, 2000))
        jobs.append(say.running(str(len(jobs)), *at, shape=shape, checkpointed_at_s=saved_s))
    return [say.host(f"h{row}", size) for row, size in enumerate(sizes)], jobs


@given(data=st.data())
def test_in_small_worlds_the_victims_are_the_cheapest_that_will_do_and_none_is_in_vain(
    say: Any, data: st.DataObject
) -> None:
    hosts, jobs = data.draw(worlds(say))
    coming, candidates = table(say, hosts, jobs)
    workers, devices = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2))
    need = need_of(Gang(workers, Shape(1000, 1024, devices), data.draw(st.sampled_from([0, 0, 1, 2]))))
    if need.is_met_by(coming.units(need.shape)):
        return
    best = least_cost(need, coming, candidates)
    victims = victims_for(need, coming, candidates)
    assert (victims is None) == (best is None)
    if victims is None:
        return
    chosen = [victim.index for victim in victims]
    assert meets(need, coming, candidates, chosen)
    assert not any(meets(need, coming, candidates, set(chosen) - {who}) for who in chosen)
    assert sum(victim.cost for victim in victims) == pytest.approx(best)


def test_one_who_frees_room_on_several_hosts_is_seen_as_one(say: Any) -> None:
    """Host by host the small ones are cheaper; over both hosts the one who sits on both is."""
    both = say.running("9", "h0:0", "h1:0", checkpointed_at_s=say.now_s - 60)
    small = [say.running(str(row), f"h{row}:1", checkpointed_at_s=say.now_s - 70) for row in range(2)]
    coming, candidates = table(say, [say.host("h0", 2), say.host("h1", 2)], [both, *small])
    victims = victims_for(need_of(Gang(2, say.gpus(1))), coming, candidates)
    assert [victim.job.job_id for victim in victims] == ["9"]


def test_one_large_victim_instead_of_many_small_ones_on_other_hosts(say: Any) -> None:
    """Each small one is the cheapest next step; all of them together cost more than the large one."""
    small = [say.running(str(row), f"h{row}:0", checkpointed_at_s=say.now_s - 40) for row in range(4)]
    large = say.running("9", "h9:0,1,2,3", checkpointed_at_s=say.now_s - 1)
    hosts = [*(say.host(f"h{row}", 1) for row in range(4)), say.host("h9", 4)]
    coming, candidates = table(say, hosts, [*small, large])
    victims = victims_for(need_of(Gang(4, say.gpus(1))), coming, candidates)
    assert [victim.job.job_id for victim in victims] == ["9"]


@pytest.mark.parametrize("sharing", [1, 4, 10])
def test_a_host_with_more_victims_than_can_be_tried_is_still_freed(say: Any, sharing: int) -> None:
    tenth = Shape(100, 0, 1, 100)
    jobs = [
        say.running(f"{device}{number}", f"h0:{device}", shape=tenth, checkpointed_at_s=say.now_s - number)
        for device in range(4)
        for number in range(sharing)
    ]
    coming, candidates = table(say, [say.host("h0", 4)], jobs)
    victims = victims_for(need_of(Gang(2, WHOLE)), coming, candidates)
    assert len(victims) == 2 * sharing


def test_many_who_span_the_same_hosts_are_still_chosen_from(say: Any) -> None:
    slice_of = Shape(100, 0, 1, 100)
    jobs = [
        say.running(str(number), "h0:0", "h1:0", shape=slice_of, checkpointed_at_s=say.now_s - number)
        for number in range(10)
    ]
    coming, candidates = table(say, [say.host("h0", 1), say.host("h1", 1)], jobs)
    half = need_of(Gang(2, Shape(100, 0, 1, 500)))
    assert [victim.job.job_id for victim in victims_for(half, coming, candidates)] == ["0", "1", "2", "3", "4"]


def test_more_hosts_than_are_looked_at_closely_and_the_cheapest_is_among_them(say: Any) -> None:
    jobs = [
        say.running(str(row), f"h{row}:0", checkpointed_at_s=say.now_s - 1000 + (7 * row) % 100) for row in range(100)
    ]
    coming, candidates = table(say, [say.host(f"h{row}", 1) for row in range(100)], jobs)
    victims = victims_for(need_of(Gang(3, WHOLE)), coming, candidates)
    assert sorted(victim.cost for victim in victims) == sorted(candidates.cost.tolist())[:3]
