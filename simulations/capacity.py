"""From replicas to the load they carry: the inverse of a capacity rule."""

from scheduler.control.settings import CapacityRule

STEPS = 60
"""Halvings of the search; doubles have no more digits."""


def highest_rps(rule: CapacityRule, replicas: int) -> float:
    """Return the highest load (requests per second) for which `rule` asks for no more than `replicas`."""
    if replicas <= 0:
        return 0.0
    low, high = 0.0, rule.rps_per_replica * replicas
    while rule.replicas(high) <= replicas:
        low, high = high, 2 * high
    for _ in range(STEPS):
        middle = (low + high) / 2
        if rule.replicas(middle) <= replicas:
            low = middle
        else:
            high = middle
    return low
