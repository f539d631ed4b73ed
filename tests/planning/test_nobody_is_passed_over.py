"""Bounds on how many jobs are looked at in one plan make nobody wait for ever: who is not looked at now is, soon."""

from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.workloads import TrainingJob
from scheduler.planning.restarts.grow import MOST_LOOKED_AT, _in_turn
from scheduler.planning.restarts.shrink import MOST_OFFERS

CROWD = 3 * MOST_LOOKED_AT


def racked(name: str, gpus: int, **parts: Any) -> Host:
    return Host(name, 64_000, 65_536, tuple(Device(n) for n in range(gpus)), "A", (("rack", name),), **parts)


def grower(say: Any, number: int, at: str, most: int) -> TrainingJob:
    """Return a job that has just saved, may grow in its own rack only, and gains much by it."""
    job = say.running(str(number), at, checkpoint_interval_s=600.0, checkpointed_at_s=say.now_s - 10.0)
    return replace(job, gang=replace(job.gang, max_workers=most, require_same="rack"))


@pytest.mark.parametrize("first", [1, 77])
def test_the_last_of_many_that_could_grow_does_within_a_few_plans(say: Any, first: int) -> None:
    """All before it are furthest from their most and have no room at all where they may go."""
    jobs = [grower(say, number, f"h{number}:0,1", 9) for number in range(1, CROWD)]
    hosts = [racked(f"h{number}", 2) for number in range(1, CROWD)]
    jobs.append(grower(say, CROWD, f"h{CROWD}:0", 2))
    hosts.append(racked(f"h{CROWD}", 4))
    plans = [say.plan(version=first + n, hosts=hosts, jobs=jobs) for n in range(ceil(CROWD / (MOST_LOOKED_AT / 2)))]

    grown = [[a.job_id for a in say.of(made, PreemptJob) if a.cause is Cause.GROWTH] for made in plans]

    assert [str(CROWD)] in grown


@given(many=st.integers(0, 500), number=st.integers(0, 10**6))
def test_every_one_of_any_number_is_looked_at_within_a_bounded_number_of_plans(many: int, number: int) -> None:
    order, half = np.arange(many), MOST_LOOKED_AT // 2
    looked_at = [_in_turn(order, number + n) for n in range(max(1, ceil((many - half) / half)))]

    assert {int(job) for one in looked_at for job in one} == set(range(many))
    for one in looked_at:
        assert len(one) == min(many, MOST_LOOKED_AT) == len(set(one.tolist()))
        assert one[: min(many, half)].tolist() == list(range(min(many, half))), "the first are looked at always"
        assert one.tolist() == sorted(one.tolist())


def crowd_of_elastic(say: Any, number: int, model: str = "A") -> tuple[list[TrainingJob], list[Host]]:
    """Return jobs of two workers that go on with one, on a host each, and the hosts."""
    name = model.lower()
    jobs = [say.running(str(n), f"{name}{n}:0", f"{name}{n}:1", priority=25) for n in range(1, number + 1)]
    elastic = [replace(job, gang=replace(job.gang, workers=1, max_workers=2)) for job in jobs]
    return elastic, [replace(racked(f"{name}{n}", 2), gpu_model=model) for n in range(1, number + 1)]


def test_a_job_gets_its_room_though_more_would_have_to_shrink_than_are_looked_at(say: Any) -> None:
    jobs, hosts = crowd_of_elastic(say, MOST_OFFERS + 20)
    wants = say.waiting("999", say.gpus(), workers=MOST_OFFERS + 10, priority=75)

    made = say.plan(hosts=hosts, jobs=[*jobs, wants])

    promised = {promise.holder: promise.slots for promise in made.reservations}
    assert len(promised["999"]) == MOST_OFFERS + 10
    stops = say.of(made, PreemptJob)
    assert all(stop.goes_on_with == len(promised.get(stop.job_id, ())) for stop in stops)


def test_whoever_shrinks_is_of_use_even_where_many_cheaper_ones_are_not(say: Any) -> None:
    """The cheapest 256 are on hosts on which the waiting job cannot run: nobody is stopped whole for that."""
    cheap, elsewhere = crowd_of_elastic(say, MOST_OFFERS + 10, "B")
    cheap = [replace(job, checkpointed_at_s=say.now_s - 1.0) for job in cheap]
    dear = replace(say.running("900", "a1:0", "a1:1", priority=25), checkpointed_at_s=say.now_s - 900.0)
    dear = replace(dear, gang=replace(dear.gang, workers=1, max_workers=2))
    wants = say.waiting("999", replace(say.gpus(), gpu_models=frozenset({"A"})), priority=75)

    made = say.plan(hosts=[racked("a1", 2), *elsewhere], jobs=[*cheap, dear, wants])

    assert [(stop.job_id, stop.goes_on_with) for stop in say.of(made, PreemptJob)] == [("900", 1)]
    assert not say.of(made, StartJob)
