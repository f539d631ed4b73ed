"""Many series at once, on all processors."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Final

from forecasting.fitted import Fitted
from forecasting.forecaster import Forecaster
from forecasting.series import Series

_WORTH_A_PROCESS: Final = 32
"""Series from which starting a process pays."""


def fit_all(
    forecaster: Forecaster, fleet: Sequence[Series], *, now_s: float | None = None, workers: int = 1
) -> tuple[Fitted, ...]:
    """Return the forecast of each series, in their order; the same as fitting them one by one.

    Args:
        forecaster: how to forecast.
        fleet: the series. Models that share a source need it only once.
        now_s: see `Forecaster.fit`.
        workers: processes to use.
    """
    fit = partial(forecaster.fit, now_s=now_s)
    if workers < 2 or len(fleet) < _WORTH_A_PROCESS:  # noqa: PLR2004  # one process is this one
        return tuple(fit(series) for series in fleet)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return tuple(pool.map(fit, fleet, chunksize=-(-len(fleet) // (4 * workers))))
