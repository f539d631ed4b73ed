"""The planner's benchmark measures what it says: a full site at work that only changes one thing at a time."""

from collections import Counter

import pytest

from policies.registry import policy_from_names
from scheduler.model.ledger import Ledger
from simulations.speed.measure import Measured, measure
from simulations.speed.report import document, percentiles_ms
from simulations.speed.site import Size, Submissions, hosts_of, models_of
from simulations.speed.world import CHANGES, World

SMALL = Size(hosts=24, running=48, pending=10, models=3)


def measured(cycles: int = 10) -> Measured:
    return measure(SMALL, policy_from_names(), cycles, lambda _: None)


def test_the_site_is_full_and_as_large_as_asked_for() -> None:
    found = measured(cycles=5)

    assert found.pending == SMALL.pending
    assert abs(found.running - SMALL.running) <= SMALL.running // 3
    assert found.started > 0
    assert found.placed >= found.started


def test_kinds_of_change_take_turns() -> None:
    assert Counter(cycle.kind for cycle in measured(cycles=10).cycles) == dict.fromkeys(CHANGES, 2)


@pytest.mark.parametrize("running", [2, 48, 400])
def test_jobs_are_as_large_as_it_takes_to_fill_the_site(running: int) -> None:
    submissions = Submissions(Size(hosts=64, running=running, pending=0, models=1))
    gangs = [submissions.next().gang for _ in range(2000)]
    mean = sum(gang.workers * gang.shape.total_gpu_milli for gang in gangs) / len(gangs) / 1000

    assert mean * running == pytest.approx(0.97 * 0.94 * 64 * 8, rel=0.15)


def test_the_same_seed_makes_the_same_site() -> None:
    assert hosts_of(SMALL) == hosts_of(SMALL)
    assert models_of(SMALL) == models_of(SMALL)
    assert Submissions(SMALL).next() == Submissions(SMALL).next()


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_leaves_no_host_with_more_than_it_has(kind: str) -> None:
    world = World(SMALL)
    for _ in range(20):
        world.submit()
    CHANGES["demand moves"](world)
    if kind != "a job ends":
        CHANGES[kind](world)
    seen = world.observation()

    assert (Ledger.of(seen.hosts).cpu_milli > 0).all()
    assert len(seen.hosts) == SMALL.hosts


def test_the_document_has_both_clocks_and_every_part() -> None:
    made = document(measured(cycles=5))

    assert set(made["steady"]) == {"snapshot", "plan", "together"}
    assert set(made["steady"]["plan"]) == {"wall", "cpu"}
    assert set(made["kinds"]) == set(CHANGES)
    assert made["cold"]["empty"]["placements_per_s"] > 0


def test_percentiles_are_those_of_the_values() -> None:
    assert percentiles_ms(i / 1000 for i in range(101)) == pytest.approx((50, 99, 100))
    assert percentiles_ms([]) == (0.0, 0.0, 0.0)
