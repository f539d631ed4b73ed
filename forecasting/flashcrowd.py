"""How large flash crowds were: a reserve that a policy may add, since nobody can forecast when the next one comes."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from forecasting.cleaning import clean
from forecasting.heard import Heard
from forecasting.models.transform import Transform
from forecasting.series import Series

_DAY_S: Final = 86400


@dataclass(frozen=True, slots=True)
class FlashCrowds:
    """Passing spikes of a history against what was usual at their time.

    Attributes:
        factors: of each spike, its highest value over the usual one, ascending.
        history_s: length of the history.
    """

    factors: tuple[float, ...]
    history_s: float

    @classmethod
    def of(cls, series: Series) -> Self:
        """Return the spikes of a series in steps that divide a day; gaps are no spikes."""
        heard = Heard.of(series).lived()
        if heard is None:
            return cls((), 0.0)
        lived = heard.series.values
        scale = Transform.fitted(lived)
        day = _DAY_S // series.step_s
        scaled = scale.forward(lived)
        cleaned = clean(scaled, day, 7 * day)
        for index, difference in cleaned.shifts:
            scaled[:index] += difference  # what is usual is on the level of today, so must be what came
        over = scale.inverse(scaled) / np.maximum(scale.inverse(cleaned.usual), 1e-300)
        runs = np.flatnonzero(np.diff(np.concatenate(([0], cleaned.spikes.astype(int), [0]))))
        spikes = [over[a:b].max() for a, b in runs.reshape(-1, 2)]
        return cls(tuple(sorted(float(s) for s in spikes)), float(len(lived) * series.step_s))

    @property
    def per_week(self) -> float:
        """How many there were a week."""
        return 7 * _DAY_S * len(self.factors) / self.history_s if self.history_s else 0.0

    def factor(self, quantile: float) -> float:
        """Return the factor over the usual load that this share of past spikes kept to; 1.0 without any."""
        return float(np.quantile(self.factors, quantile)) if self.factors else 1.0
