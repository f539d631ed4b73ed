"""How well what was said kept: coverage of both quantiles, distance, and how wide it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

import numpy as np

from benchmarks.eta.foretelling import Foretold

ALL: Final = "all"
CLOSE_S: Final = 600.0
SOON_S: Final = 3600.0
LEAST: Final = 20
"""Of fewer answers nothing is said of a class."""


@dataclass(frozen=True, slots=True)
class Score:
    """One class of jobs.

    Attributes:
        asked: jobs that waited, each at each moment.
        answered: share of them that got an answer.
        before_p50, before_p90: share of those that started until then.
        close: share that started within ten minutes of p50.
        close_soon: likewise of those that started within an hour.
        off_s: middle distance between start and p50, seconds.
        width_s: middle distance between p50 and p90.
    """

    asked: int
    answered: float
    before_p50: float
    before_p90: float
    close: float
    close_soon: float
    off_s: float
    width_s: float


def scores(found: Sequence[Foretold]) -> dict[str, Score]:
    """Return the score of all and of every class with enough answers."""
    kinds = sorted({one.kind for one in found})
    by_kind = {kind: [one for one in found if one.kind == kind] for kind in kinds}
    return {ALL: _score(found)} | {kind: _score(some) for kind, some in by_kind.items() if len(some) >= LEAST}


def _score(found: Sequence[Foretold]) -> Score:
    pairs = [(one, one.said) for one in found if one.said is not None and isfinite(one.came_s)]
    p50_s, p90_s = (np.array([getattr(said, name) for _, said in pairs]) for name in ("p50_s", "p90_s"))
    came_s, at_s = (np.array([getattr(one, name) for one, _ in pairs]) for name in ("came_s", "at_s"))
    soon, off_s = came_s - at_s <= SOON_S, np.abs(came_s - p50_s)
    widths_s = (p90_s - p50_s)[np.isfinite(p90_s)]
    return Score(
        len(found),
        sum(one.said is not None for one in found) / max(1, len(found)),
        _mean(came_s <= p50_s + 1.0),
        _mean(came_s <= p90_s + 1.0),
        _mean(off_s <= CLOSE_S),
        _mean(off_s[soon] <= CLOSE_S),
        float(np.median(off_s)) if len(off_s) else float("nan"),
        float(np.median(widths_s)) if len(widths_s) else float("nan"),
    )


def _mean(values: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> float:
    return float(values.mean()) if len(values) else float("nan")
