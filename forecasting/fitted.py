"""A fitted forecast: a distribution over paths that answers for quantiles and peaks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.models.sample_paths import SamplePaths
from forecasting.models.transform import Transform
from forecasting.provenance import Provenance
from forecasting.quantiles import nested_quantiles, predictive_quantiles, weighted_quantiles

Floats = NDArray[np.float64]

_HOUR_S: Final = 3600.0
_CORRECTION_MEMORY_S: Final = 6 * _HOUR_S
"""A surprise fades by a factor e in so long, unless new values say otherwise."""
_ROUNDING: Final = 1e-6


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


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The load to come as a distribution over paths of bins; immutable.

    Bin i covers [start_s + i * step_s, start_s + (i + 1) * step_s); its value is the mean over the bin. Horizons and
    windows count from `start_s`, the first bin that is not known.

    Attributes:
        start_s: epoch seconds.
        step_s: seconds.
        basis: what the forecast rests on.
        cloud: the paths on the even scale.
        transform: from the even scale to the series' unit.
        last: the value of the last bin before `start_s`; NaN when it is not known.
        unit: what quantiles are rounded up to whole multiples of: one request, where they come now and then; else 0.
    """

    start_s: int
    step_s: int
    basis: Provenance
    cloud: SamplePaths = field(repr=False)
    transform: Transform = field(repr=False)
    last: float = np.nan
    unit: float = 0.0

    @property
    def bins(self) -> int:
        """How many bins the forecast reaches."""
        return len(self.cloud.centre)

    @property
    def end_s(self) -> int:
        """End of the last bin, epoch seconds."""
        return self.start_s + self.bins * self.step_s

    def paths(self, horizon: int, n: int, seed: int = 0) -> Floats:
        """Return (n, horizon) sample paths, drawn with `seed`, in the series' unit.

        Raises:
            ValueError: the horizon, in bins, is beyond the forecast's.
        """
        paths, weights = self.weighted(horizon)
        return paths[np.random.default_rng(seed).choice(len(paths), size=n, p=weights)]

    def quantiles(self, horizon: int, qs: Sequence[float]) -> Floats:
        """Return (len(qs), horizon), quantiles of each of the next `horizon` bins, in the series' unit."""
        return self._said(predictive_quantiles(*self.weighted(horizon), qs, self.cloud.alike))

    def peak(self, window: int, qs: Sequence[float]) -> Peak:
        """Return the distribution of the highest bin among the next `window` bins.

        No quantile of a window is below that of a shorter one.

        Raises:
            ValueError: the window, in bins, is beyond the forecast's.
        """
        paths, weights = self._known(window)
        places = np.asarray(self.start_s + (np.arange(window) + 0.5) * self.step_s)
        return self._peak(paths, weights, places, (self.start_s, window * self.step_s), qs)

    def peak_within(self, from_s: float, window_s: float, qs: Sequence[float]) -> Peak:
        """Return the distribution of the highest load in [from_s, from_s + window_s], which need not be whole bins.

        Between the centres of bins the load goes in straight lines, and so do the quantiles of windows that end there;
        before the first centre it comes from the last known value, beyond the forecast's end it stays. No quantile of
        a window is below that of a shorter one from the same moment.
        """
        until_s = from_s + window_s
        horizon = int(np.clip(np.ceil((until_s - self.start_s) / self.step_s + 0.5), 1, self.bins))
        paths, weights = self._known(horizon)
        centres = np.asarray(self.start_s + (np.arange(-1, horizon) + 0.5) * self.step_s)
        before = paths[:, :1] if np.isnan(self.last) else np.full((len(paths), 1), self.last)
        inside = centres[(centres > from_s) & (centres < until_s)]
        ends_s = max(until_s, centres[-1])
        places = np.concatenate(([from_s], inside, [ends_s]))
        part = (until_s - places[-2]) / (ends_s - places[-2]) if until_s > from_s else 0.0
        inside_paths = _along(np.hstack((before, paths)), centres, places)
        return self._peak(inside_paths, weights, places, (from_s, window_s), qs, part)

    def median_at(self, at_s: float) -> float:
        """Return the middle forecast at a moment, in the series' unit."""
        return self.peak_within(at_s, 0.0, (0.5,)).values[0]

    def corrected(self, rate: float, at_s: float) -> Self:
        """Return the forecast raised to a rate measured at `at_s` (epoch seconds), if that is above the middle.

        The paths are multiplied by what the rate is above the middle forecast, fading over hours. A rate below it
        changes nothing: an open bin may yet fill up, and the next closed one tells.
        """
        usual = self.median_at(at_s)
        if not rate > usual:
            return self
        up = self.transform.forward(np.array([rate]))[0] - self.transform.forward(np.array([usual]))[0]
        since = self.start_s + (np.arange(self.bins) + 0.5) * self.step_s - at_s
        fade = np.exp(-np.maximum(since, 0.0) / _CORRECTION_MEMORY_S)
        basis = replace(self.basis, correction=rate / usual if usual > 0 else np.inf)
        known = min(max(self.last, rate), self.basis.ceiling) if since[0] > 0 else self.last
        return replace(self, cloud=self.cloud.moved(up * fade), basis=basis, last=known).checked()

    def widened(self, factor: float) -> Self:
        """Return the forecast with errors of so many times the size; itself for 1."""
        if factor == 1:
            return self
        basis = replace(self.basis, widened=self.basis.widened * factor)
        return replace(self, cloud=self.cloud.widened(factor), basis=basis).checked()

    def checked(self) -> Self:
        """Return the forecast with a basis that says how far beyond what was seen it goes."""
        centre, errors = self.cloud.centre, self.cloud.errors
        highest = float(self.transform.inverse(np.nanmax(centre + np.nanmax(errors, axis=0), keepdims=True))[0])
        return replace(self, basis=replace(self.basis, highest=highest))

    def moments_s(self, horizon: int) -> Floats:
        """Return (m,), at which past moment the path that each of `weighted` repeats began, epoch seconds."""
        return (self.start_s - self.basis.age_s) - _HOUR_S * self.cloud.moments_h(horizon)

    def weighted(self, horizon: int) -> tuple[Floats, Floats]:
        """Return (m, horizon) all paths in the series' unit and their weights (m,), which sum to 1.

        Raises:
            ValueError: the horizon, in bins, is beyond the forecast's.
        """
        if not 1 <= horizon <= self.bins:
            raise ValueError(f"a horizon of {horizon} bins; this forecast reaches from 1 to {self.bins}")
        paths, weights = self.cloud.paths(horizon)
        return np.minimum(self.transform.inverse(paths), self.basis.ceiling), weights

    def _known(self, horizon: int) -> tuple[Floats, Floats]:
        """Return like `weighted`, with the paths that are not known that far, NaN from there on."""
        if not 1 <= horizon <= self.bins:
            raise ValueError(f"a horizon of {horizon} bins; this forecast reaches from 1 to {self.bins}")
        paths, weights = self.cloud.known(horizon)
        return np.minimum(self.transform.inverse(paths), self.basis.ceiling), weights

    def _peak(  # noqa: PLR0913, PLR0917  # one window, from three sides
        self,
        paths: Floats,
        weights: Floats,
        places: Floats,
        window: tuple[float, float],
        qs: Sequence[float],
        part: float = 1.0,
    ) -> Peak:
        """Return the peak of paths (m, k) at `places` (k,), of which the window holds the last but in part."""
        until = len(places) - 1 + part
        values = self._said(nested_quantiles(paths, weights, qs, self.cloud.alike, until))
        whole = ~np.isnan(paths[:, -1])
        places = np.minimum(places, window[0] + window[1])
        when = paths[whole].argmax(axis=1)
        likely = np.bincount(when, weights=weights[whole], minlength=len(places)).argmax()
        early, late = weighted_quantiles(places[when], weights[whole], (0.1, 0.9))
        numbers = tuple(float(v) for v in values)
        return Peak(*window, tuple(qs), numbers, float(places[likely]), (float(early), float(late)))

    def _said(self, values: Floats) -> Floats:
        """Return quantiles in whole requests, where these come now and then, and not above the ceiling."""
        if not self.unit:
            return np.minimum(values, self.basis.ceiling)
        whole = np.maximum(np.ceil(values / self.unit - _ROUNDING), 0.0) + 0.0  # a little below nothing rounds to -0
        return np.minimum(whole * self.unit, self.basis.ceiling)


def _along(paths: Floats, centres: Floats, places: Floats) -> Floats:
    """Return paths (m, k) given at `centres` read off at `places`, (m, places), in straight lines."""
    at = np.clip((places - centres[0]) / (centres[1] - centres[0]), 0, len(centres) - 1)
    left = np.minimum(at.astype(np.intp), len(centres) - 2)
    beyond = at - left
    steps = np.where(beyond > 0, paths[:, left + 1] - paths[:, left], 0.0)  # a path may end with the bin on the left
    return np.asarray(paths[:, left] + beyond * steps)
