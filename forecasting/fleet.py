"""Many series at once, on all processors."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from typing import Final

from forecasting.fitted import Fitted
from forecasting.forecaster import Forecaster
from forecasting.series import Series

_WORTH_A_PROCESS: Final = 32
"""Series from which starting a process pays."""
_CHUNKS_A_WORKER: Final = 4
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def fit_all(
    forecaster: Forecaster, fleet: Sequence[Series], *, now_s: float | None = None, workers: int = 1
) -> tuple[Fitted, ...]:
    """Return the forecast of each series, in their order; the same as fitting them one by one.

    Args:
        forecaster: how to forecast.
        fleet: the series. Models that share a source need it only once.
        now_s: see `Forecaster.fit`.
        workers: processes to use, each on one thread: matrices are small, and the series keep all processors busy.
    """
    fit = partial(forecaster.fit, now_s=now_s)
    if workers < 2 or len(fleet) < _WORTH_A_PROCESS:  # noqa: PLR2004  # one process is this one
        return tuple(fit(series) for series in fleet)
    with one_thread_each(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return tuple(pool.map(fit, fleet, chunksize=-(-len(fleet) // (_CHUNKS_A_WORKER * workers))))


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Have processes that are started meanwhile do their linear algebra on one thread."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
