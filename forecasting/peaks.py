"""The highest load of windows that begin at one moment: what windows of different lengths share is worked out once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from forecasting.quantiles import Nested, nested, sorted_shares

if TYPE_CHECKING:
    from forecasting.fitted import Fitted

Floats = NDArray[np.float64]

LIKELY = (0.1, 0.9)
"""Shares of the paths that have had their highest load when the time of a peak begins, and when it ends."""


@dataclass(frozen=True, slots=True, eq=False)
class Peak:
    """The highest load of a window.

    Attributes:
        from_s, window_s: the window, epoch seconds and seconds.
        qs: levels asked for, (q,).
        values: quantiles of the highest load, (q,), in the series' unit.
        at_s: when it is most likely, epoch seconds.
        between_s: 10 % and 90 % of its time, epoch seconds.
    """

    from_s: float
    window_s: float
    qs: tuple[float, ...]
    values: tuple[float, ...]
    at_s: float
    between_s: tuple[float, float]


class Places:
    """Paths read off at some places, and where along them the highest load comes.

    Attributes:
        at_s: epoch seconds, ascending, (k,).
    """

    def __init__(self, paths: Floats, weights: Floats, at_s: Floats, alike: float) -> None:
        """Take paths (m, k), NaN from where they are not known, with weights (m,); see `Nested` for the last."""
        self.at_s, self._paths, self._weights, self._alike = at_s, paths, weights, alike
        whole = ~np.isnan(paths[:, -1])
        when = paths[whole].argmax(axis=1)
        self._likely = int(np.bincount(when, weights=weights[whole], minlength=len(at_s)).argmax())
        self._when, self._shares = sorted_shares(when, weights[whole])
        self._nested: dict[tuple[float, ...], Nested] = {}

    def highest(self, qs: Sequence[float], until: float) -> Floats:
        """Return quantiles (q,) of the highest load of the first `until` places, the last of them in part."""
        key = tuple(qs)
        if key not in self._nested:
            self._nested[key] = nested(self._paths, self._weights, key, self._alike)
        return self._nested[key].until(until)

    def times_s(self, end_s: float) -> tuple[float, tuple[float, float]]:
        """Return when the highest load is most likely, and the span of `LIKELY`, none after an end; epoch seconds."""
        at_s = np.minimum(self.at_s, end_s)
        early, late = np.interp(LIKELY, self._shares, at_s[self._when])
        return float(at_s[self._likely]), (float(early), float(late))


class PeaksFrom:
    """The peaks of windows that begin at one moment.

    Between the centres of bins the load goes in straight lines, and so do the quantiles of windows that end there;
    before the first centre it comes from the last known value, beyond the forecast's end it stays. No quantile of a
    window is below that of a shorter one.
    """

    def __init__(self, fitted: "Fitted", from_s: float) -> None:
        """Look ahead from a moment, epoch seconds, which need not be the begin of a bin."""
        self._fitted, self._from_s = fitted, from_s
        self._centres = np.asarray(fitted.start_s + (np.arange(-1, fitted.bins) + 0.5) * fitted.step_s)
        self._read: dict[tuple[int, float], Places] = {}

    def within(self, window_s: float, qs: Sequence[float]) -> Peak:
        """Return the distribution of the highest load of a window, which need not be whole bins."""
        until_s = self._from_s + window_s
        places = self._places(until_s)
        last_s, ends_s = places.at_s[-2:]
        part = (until_s - last_s) / (ends_s - last_s) if window_s > 0 else 0.0
        values = self._fitted.said(places.highest(qs, len(places.at_s) - 1 + part))
        return Peak(self._from_s, window_s, tuple(qs), tuple(values.tolist()), *places.times_s(until_s))

    def _places(self, until_s: float) -> Places:
        """Return the begin of a window, all centres in it, and the one at its end or after it."""
        fitted = self._fitted
        horizon = int(np.clip(np.ceil((until_s - fitted.start_s) / fitted.step_s + 0.5), 1, fitted.bins))
        centres = self._centres[: horizon + 1]
        ends_s = max(until_s, float(centres[-1]))
        if (horizon, ends_s) not in self._read:
            paths, weights = fitted.known(horizon)
            before = paths[:, :1] if np.isnan(fitted.last) else np.full((len(paths), 1), fitted.last)
            inside = centres[(centres > self._from_s) & (centres < until_s)]
            at_s = np.concatenate(([self._from_s], inside, [ends_s]))
            read = _along(np.hstack((before, paths)), centres, at_s)
            self._read[horizon, ends_s] = Places(read, weights, at_s, fitted.cloud.alike)
        return self._read[horizon, ends_s]


def _along(paths: Floats, centres: Floats, places: Floats) -> Floats:
    """Return paths (m, k) given at `centres` read off at `places`, (m, places), in straight lines."""
    at = np.clip((places - centres[0]) / (centres[1] - centres[0]), 0, len(centres) - 1)
    left = np.minimum(at.astype(np.intp), len(centres) - 2)
    beyond = at - left
    steps = np.where(beyond > 0, paths[:, left + 1] - paths[:, left], 0.0)  # a path may end with the bin on the left
    return np.asarray(paths[:, left] + beyond * steps)
