"""Recognises a raw counter where a rate is expected: it only grows, but for resets."""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.errors import Fault

LEAST_RISES: Final = 24
"""Rises without which values alone do not make a counter;"""
LEAST_SPAN_S: Final = 2 * 86400.0
"""nor do they in a shorter time: a load may well rise for a day, but it falls in the night."""
MOST_FALLS: Final = 0.1
"""Share of falls among the changes of a counter: its resets, each seen in at most two bins."""
_RATED: Final = re.compile(r"\b(i?rate|increase|i?delta|deriv|changes|resets|histogram_\w+)\s*\(")
_NAMED: Final = re.compile(r"\w_total\b")
_PERHAPS: Final = re.compile(r"\w_(count|sum|bucket)\b")
_SELECTOR: Final = r"[A-Za-z_:][\w:]*(?:\{[^{}]*\})?"
_SUM: Final = re.compile(rf"sum(?P<by>\s*(?:by|without)\s*\([^)]*\))?\s*\(\s*(?P<of>{_SELECTOR})\s*\)")

Floats = NDArray[np.float64]


def looks_counted(values: Floats, step_s: float) -> bool:
    """Return whether values, (n,) with NaN where missing, are those of a counter, or of several added up.

    Real loads fall about as often as they rise. So many rises over days, with next to no falls between them, are a
    counter's; of fewer, or in a shorter time, nobody can tell.
    """
    places = np.flatnonzero(~np.isnan(values))
    rises, falls = _changes(values)
    spans_s = (places[-1] - places[0]) * step_s if len(places) else 0.0
    return rises >= LEAST_RISES and spans_s >= LEAST_SPAN_S and falls <= MOST_FALLS * (rises + falls)


def asks_for_a_counter(query: str, values: Floats) -> bool:
    """Return whether a query names a counter, has no function that turns one into a rate, and its values bear it out.

    Args:
        query: PromQL.
        values: (n,) that it yields, with NaN where missing.
    """
    rises, falls = _changes(values)
    is_named = bool(_NAMED.search(query)) or (bool(_PERHAPS.search(query)) and rises > 2)  # noqa: PLR2004  # not by chance
    return is_named and not is_rated(query) and falls <= MOST_FALLS * (rises + falls)


def is_rated(query: str) -> bool:
    """Return whether a query turns a counter into a rate."""
    return bool(_RATED.search(query))


def rated(query: str) -> str:
    """Return the query to write instead of one that asks for a counter."""
    found = _SUM.fullmatch(query.strip())
    if found:
        return f"sum{found['by'] or ''}(rate({found['of']}[5m]))"
    is_plain = re.fullmatch(_SELECTOR, query.strip())
    return f"sum(rate({query.strip()}[5m]))" if is_plain else "rate(…[5m]) around the counter, inside of sum(…)"


def _changes(values: Floats) -> tuple[int, int]:
    """Return how often known values rise and fall."""
    steps = np.diff(values[~np.isnan(values)])
    return int((steps > 0).sum()), int((steps < 0).sum())


def counted(file: str, column: str) -> Fault:
    """Return what is wrong with a file whose column is a counter."""
    return Fault(
        "RawCounter",
        f"{column} is a counter, not requests per bin: it only grows, but for resets",
        file,
        field=column,
        help=f"export sum(rate({column}[5m])) of it, or write how much it grew in each bin",
    )
