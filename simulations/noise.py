"""Recorded traffic as it might have come: a load that varies around recorded means, and requests that are counted."""

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series
from scheduler.config.scenario import Noise
from scheduler.control.ports import Traffic
from scheduler.telemetry.replay import ReplayTraffic
from simulations.chance import chance

Floats = NDArray[np.float64]

COUNTED_S: Final = 60.0
"""Requests are counted over about so long, in whole parts of the record's bins."""
_LEAST_SPREAD: Final = 1e-3
"""A load that varies by less does not."""
_DRAWN: Final = 1440
"""So many draws are made at once."""


class NoisyTraffic:
    """A `scheduler.control.ports.TrafficSource` that shows what was counted, of a load that nobody sees.

    What was recorded before it begins is shown as it was recorded: it has the noise that it had. Where finer bins are
    shown than were recorded, the load before goes in straight lines, with noise like that of later.
    """

    def __init__(self, recorded: ReplayTraffic, noise: Noise, begins_s: float, seed: int, name: str) -> None:
        """Let traffic vary from `begins_s` on; equal seeds and names give equal traffic."""
        self._recorded, self._noise, self._seed, self._name = recorded, noise, seed, name
        self._factors: dict[int, Floats] = {}
        self._counts: dict[int, Floats] = {}
        series = self._shown(recorded.series)
        self._slots = math.ceil(series.step_s / COUNTED_S)
        self._slot_s = series.step_s / self._slots
        self._first_bin = max(0, math.ceil((begins_s - series.start_s) / series.step_s))
        self._begins_s = series.start_s + self._first_bin * series.step_s
        self._series = series
        self._seen = series.values.copy()
        self._seen_bins = self._first_bin

    def load(self, at_s: Floats) -> Floats:
        """Return requests per second at moments (epoch seconds), of the same shape."""
        rates, at_s = self._recorded.rates_at(at_s), np.asarray(at_s, dtype=np.float64)
        if self._noise.spread < _LEAST_SPREAD:
            return rates
        place = np.floor((at_s - self._begins_s) / self._noise.lasts).astype(np.int64)
        return np.where(place >= 0, rates * self._factors_at(np.maximum(place, 0)), rates)

    def read(self, now_s: float) -> Traffic:
        """Return the bins that have ended, as counted, and the rate of the last minute that has."""
        shown = self._recorded.read(now_s)
        slot = int((now_s - self._begins_s) // self._slot_s) - 1
        series = self._counted(self._series.until(now_s))
        if slot < 0 or math.isnan(shown.latest_rps):
            return replace(shown, series=series)
        counted = self._counts_in(slot // self._slots)[slot % self._slots]
        ended_s = self._begins_s + (slot + 1) * self._slot_s
        return replace(shown, series=series, latest_rps=float(counted) / self._slot_s, latest_at_s=ended_s)

    def _shown(self, series: Series) -> Series:
        """Return the record in the bins that are shown."""
        step_s = self._noise.shown
        if step_s is None or step_s >= series.step_s or series.step_s % step_s:
            return series
        parts = round(series.step_s / step_s)
        places = np.asarray(series.start_s + (np.arange(len(series) * parts) + 0.5) * step_s)
        before = self._recorded.rates_at(places) * self._varying(len(places))
        return replace(series, step_s=round(step_s), values=np.where(np.repeat(series.known, parts), before, np.nan))

    def _varying(self, bins: int) -> Floats:
        """Return by how much bins of before are above or below, (bins,): as much as is left in their means."""
        if self._noise.spread < _LEAST_SPREAD:
            return np.ones(bins)
        shape = max(1.0, (self._noise.shown or 0.0) / self._noise.lasts) / self._noise.spread**2
        rng = chance(self._seed, f"load of {self._name} before")
        return np.asarray(rng.gamma(shape, 1.0 / shape, bins))

    def _counted(self, ended: Series) -> Series:
        """Return bins that have ended with what was counted in those since the beginning."""
        for place in range(self._seen_bins, len(ended.values)):
            if not math.isnan(self._seen[place]):
                self._seen[place] = self._counts_in(place - self._first_bin).sum() / ended.step_s
        self._seen_bins = max(self._seen_bins, len(ended.values))
        return replace(ended, values=self._seen[: len(ended.values)])

    def _counts_in(self, number: int) -> Floats:
        """Return the requests of each slot of a bin since the beginning, (slots,)."""
        if number not in self._counts:
            slots = number * self._slots + np.arange(self._slots, dtype=np.float64)
            expected = self.load(self._begins_s + (slots + 0.5) * self._slot_s) * self._slot_s
            rng = chance(self._seed, f"requests to {self._name} {number}")
            self._counts[number] = rng.poisson(expected).astype(np.float64) if self._noise.poisson else expected
        return self._counts[number]

    def _factors_at(self, places: NDArray[np.int64]) -> Floats:
        """Return by how much the load is above or below, gamma with mean 1; a place always has the same."""
        found = np.empty(places.shape)
        for block in np.unique(places // _DRAWN).tolist():
            inside = places // _DRAWN == block
            found[inside] = self._drawn(block)[places[inside] % _DRAWN]
        return found

    def _drawn(self, block: int) -> Floats:
        if block not in self._factors:
            shape = 1.0 / self._noise.spread**2
            rng = chance(self._seed, f"load of {self._name} {block}")
            self._factors[block] = rng.gamma(shape, 1.0 / shape, _DRAWN)
        return self._factors[block]
