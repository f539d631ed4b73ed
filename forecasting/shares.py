"""Which share of a source's requests goes to one of its models: learned from both, changing, never certain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series

Floats = NDArray[np.float64]

HALF_LIFE_S: Final = 7 * 86400.0
"""A week ago counts half: shares drift as products change, and the week's rhythm averages out."""
_LEAST_BINS: Final = 3
_LEVELS: Final = (np.arange(64) + 0.5) / 64


@dataclass(frozen=True, slots=True)
class Share:
    """Requests to a model per request of its source, as a lognormal distribution over what it will be.

    Attributes:
        middle: the median.
        spread: standard deviation of the logarithm; 0 for a share that is declared, not learned.
        history_s: how much history it rests on, seconds.
    """

    middle: float
    spread: float = 0.0
    history_s: float = 0.0

    def draws(self, n: int, seed: int) -> Floats:
        """Return (n,) shares, one for each path of the source, drawn with `seed`."""
        if not self.spread:
            return np.full(n, self.middle)
        return np.asarray(self.middle * np.exp(self.spread * np.random.default_rng(seed).standard_normal(n)))

    def quantiles_of(self, samples: Floats, qs: Sequence[float]) -> Floats:
        """Return the quantiles (len(qs), …) of the model's load from equally likely loads (m, …) of its source."""
        both = np.multiply.outer(self._levels(), samples)
        return np.asarray(np.quantile(both.reshape(-1, *samples.shape[1:]), qs, axis=0))

    def _levels(self) -> Floats:
        from scipy.special import ndtri  # noqa: PLC0415  # only learned shares need it

        return np.asarray(self.middle * np.exp(self.spread * ndtri(_LEVELS)))


def learn_share(own: Series, source: Series, half_life_s: float = HALF_LIFE_S) -> Share | None:
    """Return the share of a model, or None as long as both have hardly been measured at the same time.

    The middle is the ratio of sums over the past with weights that halve every `half_life_s` (discounted
    Gamma-Poisson updating: Harvey & Fernandes, J. Business & Economic Statistics 7, 1989). The spread is what the
    ratio of single bins was off from the middle known before them, weighted likewise and by the source's requests: it
    holds the drift of the share, its rhythm within the day, and the chance of single requests.

    Args:
        own: requests per second of the model.
        source: requests per second of its source; read in the longer of the two steps.
        half_life_s: see above.
    """
    y, x, step_s = _aligned(own, source)
    both = ~np.isnan(y + x)
    if int(both.sum()) < _LEAST_BINS or not x[both].sum() or not y[both].sum():
        return None
    weights = 0.5 ** ((len(x) - 1 - np.arange(len(x)))[both] * step_s / half_life_s)
    total_y, total_x = np.cumsum(weights * y[both]), np.cumsum(weights * x[both])
    expected = total_y[:-1] * x[both][1:] / np.maximum(total_x[:-1], 1e-300)
    usable = expected > 0
    off = (y[both][1:][usable] / expected[usable] - 1) ** 2
    heavy = (weights * x[both])[1:][usable]
    variance = float((heavy * off).sum() / heavy.sum()) if heavy.sum() else 0.0
    return Share(float(total_y[-1] / total_x[-1]), float(np.sqrt(np.log1p(variance))), float(both.sum()) * step_s)


def _aligned(own: Series, source: Series) -> tuple[Floats, Floats, int]:
    """Return the values of both over the time that both cover, in equal bins."""
    step_s = max(own.step_s, source.step_s)
    one, other = own.resample(step_s), source.resample(step_s)
    from_s = max(one.start_s, other.start_s)
    to_s = min(one.end_s, other.end_s)
    if (one.start_s - other.start_s) % step_s:
        return np.empty(0), np.empty(0), step_s
    return one.between(from_s, to_s).values, other.between(from_s, to_s).values, step_s
