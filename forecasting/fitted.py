"""A fitted forecast: a distribution over paths that answers for quantiles and peaks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from forecasting.models.sample_paths import SamplePaths
from forecasting.models.transform import Transform
from forecasting.peaks import Peak, PeaksFrom, Places
from forecasting.provenance import Provenance
from forecasting.quantiles import predictive_quantiles

Floats = NDArray[np.float64]

_HOUR_S: Final = 3600.0
_CORRECTION_MEMORY_S: Final = 6 * _HOUR_S
"""A surprise fades by a factor e in so long, unless new values say otherwise."""
_ROUNDING: Final = 1e-6


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
        return self.said(predictive_quantiles(*self.weighted(horizon), qs, self.cloud.alike))

    def peak(self, window: int, qs: Sequence[float]) -> Peak:
        """Return the distribution of the highest bin among the next `window` bins.

        No quantile of a window is below that of a shorter one.

        Raises:
            ValueError: the window, in bins, is beyond the forecast's.
        """
        centres = np.asarray(self.start_s + (np.arange(window) + 0.5) * self.step_s)
        places = Places(*self.known(window), centres, self.cloud.alike)
        values = tuple(self.said(places.highest(qs, window)).tolist())
        window_s = float(window * self.step_s)
        return Peak(self.start_s, window_s, tuple(qs), values, *places.times_s(self.start_s + window_s))

    def peak_within(self, from_s: float, window_s: float, qs: Sequence[float]) -> Peak:
        """Return the distribution of the highest load in [from_s, from_s + window_s]; see `PeaksFrom`."""
        return PeaksFrom(self, from_s).within(window_s, qs)

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

    def later(self, bins: int) -> Self:
        """Return what a forecast made so many bins later may say, if all goes by the middle until then.

        The middle stays; the errors are those of as many bins ahead as it is from then. Itself for 0.

        Raises:
            ValueError: that is not within the forecast.
        """
        if not 0 <= bins < self.bins:
            raise ValueError(f"{bins} bins later; this forecast reaches {self.bins}")
        if not bins:
            return self
        centre, errors = self.cloud.centre[bins:], self.cloud.errors[:, : self.bins - bins]
        last = float(self.transform.inverse(self.cloud.centre[bins - 1 : bins])[0])
        cloud = replace(self.cloud, centre=centre, errors=errors)
        return replace(self, start_s=self.start_s + bins * self.step_s, cloud=cloud, last=last)

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

    def known(self, horizon: int) -> tuple[Floats, Floats]:
        """Return like `weighted`, with the paths that are not known that far, NaN from there on.

        Raises:
            ValueError: as there.
        """
        if not 1 <= horizon <= self.bins:
            raise ValueError(f"a horizon of {horizon} bins; this forecast reaches from 1 to {self.bins}")
        paths, weights = self.cloud.known(horizon)
        return np.minimum(self.transform.inverse(paths), self.basis.ceiling), weights

    def said(self, values: Floats) -> Floats:
        """Return quantiles in whole requests, where these come now and then, and not above the ceiling."""
        if not self.unit:
            return np.minimum(values, self.basis.ceiling)
        whole = np.maximum(np.ceil(values / self.unit - _ROUNDING), 0.0) + 0.0  # a little below nothing rounds to -0
        return np.minimum(whole * self.unit, self.basis.ceiling)
