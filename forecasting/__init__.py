"""Forecasts of traffic peaks as distributions over sample paths; knows nothing of clusters.

    from forecasting import Forecaster, Series
    fitted = Forecaster().fit(Series(start_s, 3600, values, "Europe/Berlin"))
    fitted.peak(24 * 3600, (0.5, 0.99)).values

Importing this package loads nothing but the names; numpy and scipy come with the first fit.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from forecasting.fitted import Fitted
    from forecasting.forecaster import Forecaster
    from forecasting.peaks import Peak
    from forecasting.series import Series, SeriesError

__all__ = ["Fitted", "Forecaster", "Peak", "Series", "SeriesError"]

_HOMES = {
    "Fitted": "forecasting.fitted",
    "Forecaster": "forecasting.forecaster",
    "Peak": "forecasting.peaks",
    "Series": "forecasting.series",
    "SeriesError": "forecasting.series",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
