"""Load to replicas: against published tables, and against a queue that is really played."""

import math
from heapq import heapreplace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.capacity import ErlangC, TargetRate, clamp, erlang_b, erlang_c, surviving


@pytest.mark.parametrize(
    ("rps", "replicas"), [(0.0, 0), (-1.0, 0), (0.1, 1), (10.0, 1), (10.0001, 2), (30.0, 3), (0.1 * 3 * 100, 3)]
)
def test_a_target_rate_rounds_up_and_not_beyond(rps: float, replicas: int) -> None:
    assert TargetRate(10.0).replicas(rps) == replicas


@pytest.mark.parametrize(
    ("servers", "load", "blocked"),
    # Erlang B tables of traffic engineering handbooks: loads, to three digits, at which that share is blocked.
    [
        (1, 0.0101, 0.01),
        (2, 0.153, 0.01),
        (5, 1.36, 0.01),
        (10, 4.46, 0.01),
        (20, 12.0, 0.01),
        (50, 37.9, 0.01),
        (100, 84.1, 0.01),
        (10, 6.22, 0.05),
        (100, 95.2, 0.05),
    ],
)
def test_erlang_b_agrees_with_published_tables(servers: int, load: float, blocked: float) -> None:
    assert erlang_b(servers, load) == pytest.approx(blocked, rel=0.025)


@pytest.mark.parametrize(
    ("servers", "load", "waits"),
    # M/M/1: C = rho. M/M/2 at rho = 1/2: C = 1/3. M/M/3 at a = 2: C = 4/9 (Kleinrock). 10 servers at 8 erlangs: 0.4092.
    [(1, 0.5, 0.5), (1, 0.9, 0.9), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (10, 8.0, 0.40918), (4, 4.0, 1.0), (4, 9.0, 1.0)],
)
def test_erlang_c_agrees_with_published_values(servers: int, load: float, waits: float) -> None:
    assert erlang_c(servers, load) == pytest.approx(waits, abs=2e-5)


def test_the_recursion_neither_overflows_nor_cancels() -> None:
    assert 0.0 < erlang_b(5000, 4900.0) < 0.05
    assert erlang_b(2000, 1.0) == pytest.approx(0.0, abs=1e-300)


@given(load=st.floats(0.01, 60.0), servers=st.integers(1, 80))
def test_the_recursion_equals_the_definition(load: float, servers: int) -> None:
    logs = [n * math.log(load) - math.lgamma(n + 1) for n in range(servers + 1)]
    assert erlang_b(servers, load) == pytest.approx(math.exp(logs[-1]) / sum(math.exp(x) for x in logs), rel=1e-9)


RULES = st.builds(
    ErlangC,
    service_time_s=st.floats(0.02, 0.5),
    latency_objective_s=st.floats(0.5, 2.0),
    concurrency=st.integers(1, 4),
    within=st.sampled_from([0.9, 0.99, 0.999]),
)


def late(rule: ErlangC, replicas: int, rps: float) -> float:
    """The textbook formula, written out apart from the code."""
    servers, load = replicas * rule.concurrency, rps * rule.service_time_s
    if load >= servers:
        return 1.0
    left_s = rule.latency_objective_s - rule.service_time_s
    return erlang_c(servers, load) * math.exp(-(servers / rule.service_time_s - rps) * left_s)


@given(rule=RULES, rps=st.floats(0.1, 300.0))
def test_the_fewest_replicas_that_meet_the_objective_are_chosen(rule: ErlangC, rps: float) -> None:
    replicas = rule.replicas(rps)
    assert late(rule, replicas, rps) <= 1 - rule.within + 1e-6
    assert replicas == 1 or late(rule, replicas - 1, rps) > 1 - rule.within


@given(rule=RULES, low=st.floats(0.0, 200.0), more=st.floats(0.0, 50.0))
def test_more_load_never_takes_fewer_replicas(rule: ErlangC, low: float, more: float) -> None:
    assert rule.replicas(low) <= rule.replicas(low + more)


@given(rule=RULES)
def test_the_rate_of_one_replica_is_the_highest_it_sustains(rule: ErlangC) -> None:
    assert rule.replicas(rule.rps_per_replica) == 1
    assert rule.replicas(rule.rps_per_replica * 1.001) == 2


def test_replicas_pool_their_waiting_so_many_serve_more_than_each_alone() -> None:
    rule = ErlangC(service_time_s=0.25, latency_objective_s=0.5)
    assert rule.replicas(20 * rule.rps_per_replica) < 20


def test_no_load_takes_no_replica_and_an_objective_below_the_service_time_is_refused() -> None:
    assert ErlangC(0.1, 0.2).replicas(0.0) == 0
    with pytest.raises(ValueError, match="shorter than the service time"):
        ErlangC(0.3, 0.2)


def test_a_queue_that_is_really_played_waits_as_long_as_the_formula_says() -> None:
    """First come, first served, with exponential arrivals and services: 200,000 requests, 6 servers, 2/3 busy."""
    rng, number, servers, service_s, rps = np.random.default_rng(7), 200_000, 6, 0.2, 20.0
    arrivals = np.cumsum(rng.exponential(1 / rps, number)).tolist()
    free_at, waits = [0.0] * servers, np.empty(number)
    for index, service in enumerate(rng.exponential(service_s, number).tolist()):
        begin = max(arrivals[index], free_at[0])
        waits[index] = begin - arrivals[index]
        heapreplace(free_at, begin + service)
    assert (waits > 0).mean() == pytest.approx(erlang_c(servers, rps * service_s), rel=0.05)
    rule = ErlangC(service_s, latency_objective_s=0.3, concurrency=servers)
    assert (waits > 0.1).mean() == pytest.approx(late(rule, 1, rps), rel=0.05)


@pytest.mark.parametrize(("replicas", "kept"), [(0, 2), (3, 3), (9, 5)])
def test_limits_hold(replicas: int, kept: int) -> None:
    assert clamp(replicas, 2, 5) == kept


@pytest.mark.parametrize(
    ("replicas", "hosts", "losses", "total"),
    [(3, 4, 0, 3), (3, 4, 1, 4), (3, 2, 1, 6), (4, 3, 1, 6), (0, 1, 1, 0), (5, 3, 2, 15)],
)
def test_enough_replicas_survive_the_loss_of_hosts(replicas: int, hosts: int, losses: int, total: int) -> None:
    assert surviving(replicas, hosts, losses) == total


@given(replicas=st.integers(1, 40), hosts=st.integers(1, 12), losses=st.integers(0, 4))
def test_survival_is_what_an_even_spread_leaves(replicas: int, hosts: int, losses: int) -> None:
    if losses >= hosts:
        with pytest.raises(ValueError, match="sure to survive"):
            surviving(replicas, hosts, losses)
        return
    total = surviving(replicas, hosts, losses)
    spread = sorted((total // hosts + (i < total % hosts) for i in range(hosts)), reverse=True)
    assert sum(spread[losses:]) >= replicas
