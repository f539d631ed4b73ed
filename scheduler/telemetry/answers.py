"""What a Prometheus server answered, read strictly: a series of numbers in order, or the reason why it is none."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scheduler.control.demand.plausibility import MOST_RPS
from scheduler.model.errors import Unreachable

RATE: Final = "is the query right? it must yield one series of requests per second"
Point = tuple[int, float]
"""(at_s, requests per second or NaN)."""


@dataclass(slots=True)
class Odd:
    """Values that no load has, as they were met."""

    found: list[float] = field(default_factory=list)

    def rate(self, value: float) -> float:
        """Return a rate; NaN for what is none: a division by zero in the query, or a value of no load."""
        if not math.isfinite(value):
            return math.nan
        if not 0 <= value <= MOST_RPS:
            self.found.append(value)
            return math.nan
        return value


def points_of(answer: object, query: str) -> list[Point]:
    """Return the points of the one series in an answer to a range query.

    Raises:
        Unreachable: there are several series, or what is there is no series of numbers in order.
    """
    if not isinstance(answer, list):
        raise Unreachable(f"{query} yields no series: the answer has {_kind(answer)} for a result", help=RATE)
    if len(answer) > 1:
        raise Unreachable(f"{query} yields {len(answer)} series, not one", help="put sum(…) around it")
    odd = Odd()
    points = [_point(pair, query, odd) for series in answer for pair in _values(series, query)]
    times = [at_s for at_s, _ in points]
    if any(later <= earlier for earlier, later in itertools.pairwise(times)):
        raise Unreachable(f"{query} yields times that are not in order", help="is this a Prometheus server?")
    if odd.found and all(math.isnan(rate) for _, rate in points):
        raise Unreachable(f"{query} yields {odd.found[-1]:g}, which no load is", help=RATE)
    return points


def _values(series: object, query: str) -> list[Any]:
    if not isinstance(series, Mapping):
        raise Unreachable(f"{query} yields {_kind(series)}, not a series", help=RATE)
    values = series.get("values")
    if "histograms" in series and not values:
        raise Unreachable(
            f"{query} yields a native histogram, not a rate", help="put histogram_count(…) around it, inside of sum(…)"
        )
    if not isinstance(values, list):
        raise Unreachable(f"{query} yields no series of values", help=RATE)
    return values


def _point(pair: object, query: str, odd: Odd) -> Point:
    try:
        at_s, value = _pair(pair)
        return int(float(at_s)), odd.rate(float(value))
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreachable(f"{query} yields {pair!r:.80}, not a time and a number", help=RATE) from error


def _pair(pair: Any) -> tuple[Any, Any]:
    at_s, value = pair
    return at_s, value


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
