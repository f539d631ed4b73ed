"""Promises of the inverse of a capacity rule."""

import math
from dataclasses import dataclass

import pytest

from simulations.capacity import highest_rps


@dataclass(frozen=True)
class Rate:
    """So many requests per second a replica, and the first `lost` replicas for nothing."""

    rps_per_replica: float
    lost: int = 0

    def replicas(self, rps: float) -> int:
        """Round up."""
        return math.ceil(rps / self.rps_per_replica) + (self.lost if rps > 0 else 0)


@pytest.mark.parametrize("replicas", [1, 2, 7, 100])
def test_a_rate_is_multiplied(replicas: int) -> None:
    assert highest_rps(Rate(3.0), replicas) == pytest.approx(3.0 * replicas)


def test_nobody_serves_nothing() -> None:
    assert highest_rps(Rate(3.0), 0) == 0.0


def test_a_rule_may_serve_less_than_in_proportion() -> None:
    rule = Rate(5.0, lost=2)
    assert highest_rps(rule, 2) == 0.0
    assert highest_rps(rule, 5) == pytest.approx(15.0)


def test_it_is_the_highest_load_that_the_rule_allows() -> None:
    rule = Rate(0.7)
    for replicas in range(1, 20):
        rps = highest_rps(rule, replicas)
        assert rule.replicas(rps) <= replicas
        assert rule.replicas(rps * (1 + 1e-6)) > replicas
