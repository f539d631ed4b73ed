"""LightGBM quantile regression on lag features: one model a quantile over all leads, one for each window's peak.

With steps below an hour it also sees the means of the last quarter, half and whole hour.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from forecasting.evaluation.questions import Answer, Ask
from forecasting.peers.naive import bridged, logarithm
from forecasting.series import Series

Floats = NDArray[np.float64]

_DAY_S: Final = 86400
_WEEKS: Final = 12
_REFIT_S: Final = 7 * _DAY_S
_ROWS: Final = 8_000
_PEAK_ROWS: Final = 25_000
"""Of shorter steps every other moment, every third … is learnt from: neighbours tell nearly the same."""
_LAST_MINUTES: Final = (15, 30, 60)
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "quantile", "verbosity": -1, "num_threads": 1, "learning_rate": 0.08, "num_leaves": 31,
    "min_data_in_leaf": 40, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "seed": 1,
    "deterministic": True,
}  # fmt: skip
_PEAK_PARAMETERS: Final = _PARAMETERS | {"num_leaves": 15, "min_data_in_leaf": 20}
_ROUNDS: Final = 100


@dataclass(slots=True)
class Boosted:
    """Trained again once a week on the twelve weeks before; asked with fresh features at every origin."""

    _trained_s: float = -np.inf
    _bins: list[lightgbm.Booster] = field(default_factory=list)
    _peaks: list[list[lightgbm.Booster]] = field(default_factory=list)

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Forecast what follows; see `asked.Model`."""
        day = _DAY_S // history.step_s
        values = bridged(history.values[-(_WEEKS + 3) * 7 * day :])
        scaled = logarithm(values)
        first = history.end_s // history.step_s - len(scaled)
        if history.end_s - self._trained_s >= _REFIT_S:
            self._train(scaled, first, day, ask)
            self._trained_s = history.end_s
        now = np.array([len(scaled) - 1])
        return Answer(self._bins_of(scaled, first, day, ask), self._peaks_of(scaled, now, first, day))

    def _bins_of(self, scaled: Floats, first: int, day: int, ask: Ask) -> Floats:
        leads = np.arange(1, ask.horizon + 1)
        moments = np.full(len(leads), len(scaled) - 1)
        seen = _lead_features(scaled, moments, leads, first, day)
        base = _week_before(scaled, moments, leads, day)
        return np.asarray(np.exp(np.sort([base + model.predict(seen) for model in self._bins], axis=0)))

    def _peaks_of(self, scaled: Floats, now: NDArray[np.intp], first: int, day: int) -> Floats:
        seen = _moment_features(scaled, now, first, day)
        level = scaled[now[0]]
        said = [np.sort([model.predict(seen)[0] for model in models]) for models in self._peaks]
        return np.asarray(np.exp(level + np.array(said)))

    def _train(self, scaled: Floats, first: int, day: int, ask: Ask) -> None:
        random = np.random.default_rng(0)
        moments = random.integers(14 * day, len(scaled) - 1, _ROWS)
        leads = np.minimum(random.integers(1, ask.horizon + 1, _ROWS), len(scaled) - 1 - moments)
        seen = _lead_features(scaled, moments, leads, first, day)
        target = scaled[moments + leads] - _week_before(scaled, moments, leads, day)
        self._bins = [_fit(seen, target, level, _PARAMETERS) for level in ask.levels]
        self._peaks = [self._train_window(scaled, first, day, window, ask) for window in ask.windows]

    def _train_window(self, scaled: Floats, first: int, day: int, window: int, ask: Ask) -> list[lightgbm.Booster]:
        moments = np.arange(14 * day, len(scaled) - window)
        moments = moments[:: -(-len(moments) // _PEAK_ROWS)]
        highest = np.lib.stride_tricks.sliding_window_view(scaled[1:], window).max(axis=1)[moments]
        seen = _moment_features(scaled, moments, first, day)
        return [_fit(seen, highest - scaled[moments], level, _PEAK_PARAMETERS) for level in ask.peak_levels]


def _fit(seen: Floats, target: Floats, level: float, parameters: dict[str, Any]) -> lightgbm.Booster:
    return lightgbm.train(parameters | {"alpha": level}, lightgbm.Dataset(seen, target), _ROUNDS)


def _week_before(scaled: Floats, moments: NDArray[np.intp], leads: NDArray[np.intp], day: int) -> Floats:
    return np.asarray(scaled[moments + (leads - 1) % (7 * day) + 1 - 7 * day])


def _lead_features(scaled: Floats, moments: NDArray[np.intp], leads: NDArray[np.intp], first: int, day: int) -> Floats:
    """Return (rows, p): the lead, the time it falls on, the same time before, and what the series does now."""
    target = moments + leads
    base = _week_before(scaled, moments, leads, day)
    yesterday = scaled[moments + (leads - 1) % day + 1 - day]
    fortnight = scaled[moments + (leads - 1) % (7 * day) + 1 - 14 * day]
    clock = [leads, (first + target) % day, (first + target) // day % 7]
    return np.column_stack([*clock, yesterday - base, fortnight - base, *_deviations(scaled, moments, day)])


def _moment_features(scaled: Floats, moments: NDArray[np.intp], first: int, day: int) -> Floats:
    """Return (rows, p): the time, what the series does now, and the profile of the week before, against now."""
    week = 7 * day
    stride = max(day // 24, 1)
    ahead = [scaled[moments + k - week] - scaled[moments] for k in range(stride, day + 1, stride)]
    highest = [maximum_filter1d(scaled, week, origin=(week - 1) // 2)[moments] - scaled[moments]]
    clock = [(first + moments) % day, (first + moments) // day % 7]
    return np.column_stack([*clock, *_deviations(scaled, moments, day), *ahead, *highest])


def _deviations(scaled: Floats, moments: NDArray[np.intp], day: int) -> list[Floats]:
    """Return how far the last bins, hours and days were from a week before, and the last minutes from now."""
    week = 7 * day
    change = np.concatenate((np.zeros(week), scaled[week:] - scaled[:-week]))
    total = np.concatenate(([0.0], np.cumsum(change)))
    widths = [max(1, day * hours // 24) for hours in (3, 6, 24, 72, 168)]
    means = [(total[moments + 1] - total[moments + 1 - width]) / width for width in widths]
    return [change[moments], change[moments - 1], change[moments - 2], *means, *_last_minutes(scaled, moments, day)]


def _last_minutes(scaled: Floats, moments: NDArray[np.intp], day: int) -> list[Floats]:
    """Return the means of the last minutes less the last bin; none with steps of an hour."""
    total = np.concatenate(([0.0], np.cumsum(scaled)))
    widths = [day * minutes // (24 * 60) for minutes in _LAST_MINUTES]
    return [
        (total[moments + 1] - total[moments + 1 - width]) / width - scaled[moments] for width in widths if width > 1
    ]


def build() -> Boosted:
    """Return it, not yet trained."""
    return Boosted()
