"""Load to replicas: against published values and closed forms, and against a queue that is really played."""

import math
from fractions import Fraction
from heapq import heapreplace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from policies.capacity import ErlangA, ErlangC, TargetRate, clamp, ladder
from policies.erlang import Impatient, erlang_b, erlang_c


@pytest.mark.parametrize(
    ("rps", "replicas"), [(0.0, 0), (-1.0, 0), (0.1, 1), (10.0, 1), (10.0001, 2), (30.0, 3), (0.1 * 3 * 100, 3)]
)
def test_a_target_rate_rounds_up_and_not_beyond(rps: float, replicas: int) -> None:
    assert TargetRate(10.0).replicas(rps) == replicas


def test_erlang_b_agrees_with_a_published_value() -> None:
    """15 lines block one call in a hundred at 8.108 erlangs (manual of Westbay's Erlang B calculator, erlang.com)."""
    assert erlang_b(15, 8.108) == pytest.approx(0.01, abs=2e-6)


def test_erlang_c_agrees_with_published_values() -> None:
    """Of Dunlop, Girma & Irvine, "Digital Mobile Communications and the TETRA System" (Wiley 1999), appendix A.3.

    8 channels let 5 % of the calls wait at 3.87 erlangs, 10 channels 1 % at 4.08. At 3.87 erlangs 1.6 % of those that
    wait do so for longer than a call takes on 8 channels, 0.22 % on 10.
    """
    assert erlang_c(8, 3.87) == pytest.approx(0.05, abs=5e-4)  # loads to two digits
    assert erlang_c(10, 4.08) == pytest.approx(0.01, abs=1.2e-4)
    for servers, longer in ((8, 0.016), (10, 0.0022)):
        rule = ErlangC(service_time_s=1.0, latency_objective_s=2.0, concurrency=servers)
        late = 1 - rule.on_time(1, 3.87)
        assert late / erlang_c(servers, 3.87) == pytest.approx(longer, rel=0.02)


def test_the_queue_of_erlang_c_agrees_with_a_published_value() -> None:
    """3 servers of 2 days a job, 300 jobs in a year of 365 days: 0.352 wait on average.

    Bronson, "Schaum's Outline of Operations Research" (McGraw-Hill 1982), problem 24.6.
    """
    load = 300 / 182.5
    assert erlang_c(3, load) * load / (3 - load) == pytest.approx(0.352, abs=5e-4)


@pytest.mark.parametrize("servers", [1, 2, 3, 10, 25])
@pytest.mark.parametrize("tenths", [1, 7, 9, 10, 15])
def test_erlang_b_and_c_agree_with_their_definitions_in_whole_fractions(servers: int, tenths: int) -> None:
    load = Fraction(servers * tenths, 10)
    terms = [load**n / math.factorial(n) for n in range(servers + 1)]
    assert erlang_b(servers, float(load)) == pytest.approx(float(terms[-1] / sum(terms)), rel=1e-12)
    if load >= servers:
        assert erlang_c(servers, float(load)) == 1.0
        return
    queued = terms[-1] * servers / (servers - load)
    assert erlang_c(servers, float(load)) == pytest.approx(float(queued / (sum(terms[:-1]) + queued)), rel=1e-12)


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


@given(servers=st.integers(1, 60), load=st.floats(0.1, 90.0), service_s=st.floats(0.05, 5.0))
def test_erlang_a_with_patience_of_a_service_time_is_a_queue_with_endless_servers(
    servers: int, load: float, service_s: float
) -> None:
    """Every request then leaves at the same rate, waiting or served: their number is Poisson (the queue M/M/oo)."""
    queue = Impatient(servers, load / service_s, service_s, service_s)
    present = poisson(load)
    states = np.arange(servers, servers + 400)
    assert queue.waiting() == pytest.approx(present.sf(servers - 1), abs=1e-9)
    assert queue.gone() == pytest.approx(float(present.pmf(states) @ (states - servers)) / load, abs=1e-9)


def birth_and_death(servers: int, rps: float, service_s: float, patience_s: float) -> np.ndarray:
    """Return the shares of time with 0, 1, … requests, from the balance of births and deaths alone."""
    states = np.arange(1, servers + 400 + int(4 * rps * patience_s))
    deaths = np.minimum(states, servers) / service_s + np.maximum(states - servers, 0) / patience_s
    logs = np.concatenate(([0.0], np.cumsum(np.log(rps) - np.log(deaths))))
    shares = np.exp(logs - logs.max())
    return shares / shares.sum()


@given(
    servers=st.integers(1, 60),
    load=st.floats(0.05, 1.5),
    service_s=st.floats(0.05, 2.0),
    patience_s=st.floats(0.05, 20.0),
)
def test_erlang_a_agrees_with_births_and_deaths(servers: int, load: float, service_s: float, patience_s: float) -> None:
    rps = load * servers / service_s
    shares = birth_and_death(servers, rps, service_s, patience_s)
    queue = Impatient(servers, rps, service_s, patience_s)
    waiting = np.maximum(np.arange(len(shares)) - servers, 0)
    assert queue.waiting() == pytest.approx(shares[servers:].sum(), abs=1e-9)
    assert queue.gone() == pytest.approx((shares * waiting).sum() / patience_s / rps, abs=1e-9)
    assert queue.served_within(0.0) == pytest.approx(1 - queue.waiting(), abs=1e-9)
    assert queue.served_within(1e3 * (service_s + patience_s)) == pytest.approx(1 - queue.gone(), abs=1e-9)


def test_without_losing_patience_erlang_a_is_erlang_c() -> None:
    queue = Impatient(servers=10, rps=8.0, service_time_s=1.0, patience_s=1e5)
    assert queue.waiting() == pytest.approx(erlang_c(10, 8.0), rel=1e-3)
    late = erlang_c(10, 8.0) * math.exp(-2.0 * 0.7)
    assert queue.served_within(0.7) == pytest.approx(1 - late, rel=1e-3)


def test_a_queue_that_is_really_played_loses_and_keeps_as_many_as_erlang_a_says() -> None:
    """First come, first served, who waits longer than its patience leaves: 200,000 requests at 1.1 of capacity."""
    rng, number, servers, service_s, rps, patience_s = np.random.default_rng(3), 200_000, 6, 0.2, 33.0, 0.5
    arrivals = np.cumsum(rng.exponential(1 / rps, number)).tolist()
    patience, service = rng.exponential(patience_s, number).tolist(), rng.exponential(service_s, number).tolist()
    free_at, offered = [0.0] * servers, np.empty(number)
    for index in range(number):
        begin = max(arrivals[index], free_at[0])
        offered[index] = begin - arrivals[index]
        if offered[index] <= patience[index]:
            heapreplace(free_at, begin + service[index])
    served = offered <= np.array(patience)
    queue = Impatient(servers, rps, service_s, patience_s)
    assert (~served).mean() == pytest.approx(queue.gone(), rel=0.05)
    assert (served & (offered <= 0.1)).mean() == pytest.approx(queue.served_within(0.1), rel=0.02)
    rule = ErlangA(service_s, 0.3, patience_s, concurrency=servers)
    assert rule.on_time(1, rps) == pytest.approx(queue.served_within(0.1))


IMPATIENT = st.builds(
    ErlangA,
    service_time_s=st.floats(0.02, 0.5),
    latency_objective_s=st.floats(0.5, 2.0),
    patience_s=st.floats(0.1, 10.0),
    concurrency=st.integers(1, 4),
    within=st.sampled_from([0.8, 0.99, 0.999]),
)


@given(rule=IMPATIENT, rps=st.floats(0.1, 300.0))
def test_the_fewest_replicas_that_meet_the_objective_are_chosen_when_requests_give_up(
    rule: ErlangA, rps: float
) -> None:
    replicas = rule.replicas(rps)
    assert rule.on_time(replicas, rps) >= rule.within - 1e-6
    assert replicas == 1 or rule.on_time(replicas - 1, rps) < rule.within


@given(rule=st.one_of(RULES, IMPATIENT), replicas=st.integers(1, 12))
def test_the_highest_load_is_the_inverse_of_the_rule(rule: ErlangC | ErlangA, replicas: int) -> None:
    highest = rule.highest_rps(replicas)
    assert rule.replicas(highest * (1 - 1e-6)) <= replicas
    assert rule.replicas(highest * (1 + 1e-6) + 1e-9) > replicas
    assert list(ladder(rule, 4)) == sorted(ladder(rule, 4))


def test_a_ladder_of_a_rate_has_equal_steps_and_nobody_serves_nothing() -> None:
    assert ladder(TargetRate(3.0), 3) == (3.0, 6.0, 9.0)
    assert TargetRate(3.0).highest_rps(0) == ErlangC(0.1, 0.2).highest_rps(0) == ErlangA(0.1, 0.2, 1.0).highest_rps(0)


def test_impatience_saves_replicas_where_the_objective_lets_requests_wait_long() -> None:
    patient, impatient = ErlangC(1.0, 6.0, within=0.8), ErlangA(1.0, 6.0, patience_s=10.0, within=0.8)
    assert impatient.replicas(40.0) < patient.replicas(40.0)


def test_patience_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="lets nobody wait"):
        ErlangA(0.1, 0.2, patience_s=0.0)
    with pytest.raises(ValueError, match="shorter than the service time"):
        ErlangA(0.3, 0.2, patience_s=1.0)
