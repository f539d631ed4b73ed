"""The test of a canary: at most the stated share of good revisions is called worse, and bad ones are found soon."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.canary_test import NOTHING_SEEN, WORSE_BY, Counted, Evidence, is_worse

ALARMS = 0.01


def turns(rng: np.random.Generator, old: float, new: float, count: int) -> int | None:
    """Return after how many turns the new revision was called worse; None when it never was."""
    evidence = NOTHING_SEEN
    for turn in range(1, count + 1):
        requests = rng.poisson(40)
        own = int(rng.binomial(requests, 0.1))
        blocks = [Counted(n, int(rng.binomial(n, p))) for n, p in ((requests - own, old), (own, new))]
        evidence = evidence.after(*blocks)
        if is_worse(evidence, ALARMS):
            return turn
    return None


@pytest.mark.parametrize("bad", [0.0, 0.002, 0.05, 0.5])
def test_of_good_revisions_at_most_one_in_a_hundred_is_called_worse_however_often_one_looks(bad: float) -> None:
    rng = np.random.default_rng(7)
    alarms = sum(turns(rng, bad, bad, 100) is not None for _ in range(400))
    assert alarms <= 400 * ALARMS + 4, "400 tries at a chance of 1 % exceed 8 once in fifty"


def test_that_the_old_one_gets_better_and_worse_raises_no_alarms() -> None:
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(300):
        evidence = NOTHING_SEEN
        for turn in range(100):
            bad = 0.4 if turn % 10 == 0 else 0.01
            old, new = rng.poisson(36), rng.poisson(4)
            evidence = evidence.after(
                Counted(old, int(rng.binomial(old, bad))), Counted(new, int(rng.binomial(new, bad)))
            )
        alarms += is_worse(evidence, ALARMS)
    assert alarms <= 7


def test_a_broken_revision_is_found_within_a_few_requests() -> None:
    evidence, asked = NOTHING_SEEN, 0
    while not is_worse(evidence, ALARMS):
        evidence, asked = evidence.after(Counted(9), Counted(1, 1)), asked + 1
    assert asked <= 4


@pytest.mark.parametrize(("old", "new", "within"), [(0.0, 0.1, 30), (0.01, 0.3, 10), (0.05, 0.5, 10)])
def test_a_worse_one_is_found_soon(old: float, new: float, within: int) -> None:
    rng = np.random.default_rng(5)
    found = sorted(turns(rng, old, new, 400) or 400 for _ in range(60))
    assert found[30] <= within, "half of them"


@given(
    shares=st.tuples(st.floats(0.001, 0.999), st.floats(0, 1)),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    pa=st.floats(0.001, 0.9),
    by=st.sampled_from(WORSE_BY),
)
def test_while_it_is_no_worse_a_bet_wins_nothing_on_average(
    shares: tuple[float, float], sizes: tuple[int, int], pa: float, by: float
) -> None:
    (theta, less), (na, nb) = shares, sizes
    pb = min(pa + by, 0.99)
    p0 = (na * pa + nb * pb) / (na + nb)

    def mean(share: float, p: float, n: int) -> float:
        return float((share * p / p0 + (1 - share) * (1 - p) / (1 - p0)) ** n)

    assert mean(theta, pa, na) * mean(theta * less, pb, nb) <= 1 + 1e-9


def test_requests_of_one_revision_alone_say_nothing() -> None:
    assert NOTHING_SEEN.after(Counted(0), Counted(50, 50)).against == 1.0
    assert NOTHING_SEEN.after(Counted(50, 1), Counted(0)).against == 1.0
    assert Evidence().after(Counted(5, 1), Counted(2, 1)).old == Counted(5, 1)
