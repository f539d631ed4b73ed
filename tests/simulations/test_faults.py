"""Promises of host losses."""

from itertools import pairwise

import pytest

from scheduler.config.scenario import Faults
from scheduler.config.scenario import Outage as Listed
from scheduler.model.hosts import HostState
from simulations.faults import Outage, outages, schedule
from simulations.world import World

DAY_S = 86400.0
HOSTS = [f"h{number}" for number in range(50)]


def test_listed_outages_count_from_the_start() -> None:
    faults = Faults(outages=(Listed(host="h1", after="2h", lasts="30m"),))
    assert outages(faults, HOSTS, 1000.0, DAY_S, seed=1) == (Outage("h1", 8200.0, 10_000.0),)


def test_overlapping_outages_of_a_host_are_one() -> None:
    listed = [("b", 0, 100), ("a", 50, 100), ("a", 0, 100), ("a", 500, 10)]
    faults = Faults(outages=tuple(Listed(host=host, after=after, lasts=lasts) for host, after, lasts in listed))
    expected = (Outage("a", 0.0, 150.0), Outage("a", 500.0, 510.0), Outage("b", 0.0, 100.0))
    assert outages(faults, ["a", "b"], 0.0, DAY_S, seed=1) == expected


def test_none_begins_after_the_end() -> None:
    faults = Faults(outages=(Listed(host="h1", after="2d", lasts="30m"),), mean_time_between="1h")
    assert all(outage.at_s < DAY_S for outage in outages(faults, HOSTS, 0.0, DAY_S, seed=1))


def test_random_outages_have_the_rate_and_the_length_asked_for() -> None:
    faults = Faults(mean_time_between="9d", mean_repair="1d")
    found = outages(faults, HOSTS, 0.0, 400 * DAY_S, seed=7)
    assert len(found) == pytest.approx(50 * 400 / 10, rel=0.1), "one in nine days up and one down"
    mean_s = sum(outage.until_s - outage.at_s for outage in found) / len(found)
    assert mean_s == pytest.approx(DAY_S, rel=0.1)
    assert all(a.until_s < b.at_s for a, b in pairwise(found) if a.host == b.host)


def test_equal_seeds_equal_outages_and_one_host_does_not_change_another() -> None:
    faults = Faults(mean_time_between="5d")
    found = outages(faults, HOSTS, 0.0, 90 * DAY_S, seed=3)
    assert found == outages(faults, HOSTS, 0.0, 90 * DAY_S, seed=3)
    assert found != outages(faults, HOSTS, 0.0, 90 * DAY_S, seed=4)
    of_h7 = tuple(outage for outage in found if outage.host == "h7")
    assert of_h7 == outages(faults, ["h7"], 0.0, 90 * DAY_S, seed=3)


def test_scheduled_outages_happen_and_end(world: World) -> None:
    def states() -> list[HostState]:
        return [host.state for host in world.cluster.observe().hosts]

    schedule([Outage("a", 10.0, 30.0), Outage("b", 20.0, 40.0)], world.cluster, world.engine)
    seen = []
    for at_s in (9.0, 10.0, 20.0, 30.0, 40.0):
        world.engine.run_until(at_s)
        seen.append(states())
    up, down = HostState.READY, HostState.LOST
    assert seen == [[up, up], [down, up], [down, down], [up, down], [up, up]]
