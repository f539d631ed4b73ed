"""Recorded traffic drawn finer: the same load in shorter bins, with the chance of arrivals, to test short leads on."""

from dataclasses import replace

import numpy as np

from forecasting.series import Series, SeriesError


def drawn_finer(series: Series, step_s: int, rate: float, seed: int = 0) -> Series:
    """Return a series in bins of `step_s`, its mean scaled to `rate`.

    The load goes in straight lines between the centres of the bins; each short bin counts the arrivals of a Poisson
    process of that load, over its length. A gap stays a gap.

    Args:
        series: what was recorded.
        step_s: seconds; divides the series' step.
        rate: requests per second on average: the lower, the more the arrivals' chance weighs.
        seed: of the arrivals.

    Raises:
        SeriesError: the step does not divide the series' own, or there is no traffic.
    """
    if step_s >= series.step_s or series.step_s % step_s:
        raise SeriesError(f"steps of {series.step_s} s cannot be drawn in {step_s} s", help="a step that divides it")
    known = np.flatnonzero(series.known)
    mean = float(series.values[known].mean()) if len(known) else 0.0
    if not mean > 0:
        raise SeriesError("a series without traffic cannot be scaled to a rate", help="give one that has some")
    parts = series.step_s // step_s
    places = (np.arange(len(series) * parts) + 0.5) / parts
    load = np.interp(places, known + 0.5, series.values[known]) * (rate / mean)
    arrivals = np.random.default_rng(seed).poisson(load * step_s) / step_s
    return replace(series, step_s=step_s, values=np.where(np.repeat(series.known, parts), arrivals, np.nan))
