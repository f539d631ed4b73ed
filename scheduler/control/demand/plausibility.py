"""What of a source's answer is believed: garbage is refused with its reason, an absurd load is to be confirmed."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.series import Series
from scheduler.control.ports import Traffic
from scheduler.model.errors import Unreachable

MOST_RPS: Final = 1e12
"""No site of this world has more requests per second: such a number is an error of whoever measured it."""
ABSURD: Final = 20.0
"""A load this many times the highest that was ever seen is not believed at once."""
LEAST_ABSURD_RPS: Final = 20.0
"""Loads up to this are never absurd: of little traffic nobody knows what is much."""
CONFIRMED: Final = 3
"""Samples in a row that it takes to believe an absurd load."""
LEAST_BINS: Final = 24
"""Closed bins without which nothing is known to be absurd."""
HELP: Final = "a source answers with requests per second: finite numbers, 0 or more"


@dataclass(frozen=True, slots=True)
class Doubt:
    """An absurd load that waits to be confirmed.

    Attributes:
        times_s: of the samples in a row that were absurd, epoch seconds.
        rps: the last of them.
        highest_rps: the highest load seen before.
    """

    times_s: tuple[float, ...] = ()
    rps: float = 0.0
    highest_rps: float = 0.0

    @property
    def is_held(self) -> bool:
        """Whether the load is not believed yet."""
        return 0 < len(self.times_s) < CONFIRMED

    def __str__(self) -> str:
        """Return it as a sentence."""
        return (
            f"{self.rps:.3g} requests/s measured, and never more than {self.highest_rps:.3g} before: "
            f"believed when {CONFIRMED} samples in a row say so"
        )


def checked(traffic: object, now_s: float) -> Traffic:
    """Return what a source answered, fit to be planned by.

    Raises:
        Unreachable: it is no traffic, or says what no load is.
    """
    if not isinstance(traffic, Traffic) or not isinstance(traffic.series, Series):
        raise Unreachable(f"it answers with {_kind(traffic)}, not with traffic", help=HELP)
    latest, at_s = _number(traffic.latest_rps, "rate"), _number(traffic.latest_at_s, "time")
    if latest < 0 or latest > MOST_RPS:
        raise Unreachable(f"it says {latest:g} requests/s, which no load is", help=HELP)
    if not math.isnan(latest) and not math.isfinite(at_s):
        raise Unreachable(f"it measured at the time {at_s:g}", help=HELP)
    values = traffic.series.values
    if (values > MOST_RPS).any():
        raise Unreachable(f"it says {np.nanmax(values):g} requests/s of the past, which no load is", help=HELP)
    return replace(traffic, latest_rps=latest, latest_at_s=min(at_s, now_s))


def believed(traffic: Traffic, before: Traffic | None, doubt: Doubt, highest_rps: float) -> tuple[Traffic, Doubt]:
    """Return the traffic without a load that is absurdly above all that was seen, until samples confirm it.

    Args:
        traffic: as checked.
        before: what was believed the last time.
        doubt: as returned the last time.
        highest_rps: the highest load seen before, see `highest_of`.
    """
    if not traffic.latest_rps > max(ABSURD * highest_rps, LEAST_ABSURD_RPS):
        return traffic, Doubt()
    times_s = doubt.times_s if traffic.latest_at_s in doubt.times_s else (*doubt.times_s, traffic.latest_at_s)
    held = Doubt(times_s[-CONFIRMED:], traffic.latest_rps, highest_rps)
    if not held.is_held:
        return traffic, held
    if before is None:
        return replace(traffic, latest_rps=math.nan), held
    return replace(traffic, latest_rps=before.latest_rps, latest_at_s=before.latest_at_s), held


def highest_of(series: Series) -> float:
    """Return the highest load that is believed of the past, requests per second; infinity when little is known."""
    known = series.values[series.known]
    return min(float(known.max()), _absurd_from(known)) if len(known) >= LEAST_BINS else math.inf


def without_lone_peaks(series: Series) -> Series:
    """Return a series without bins that are absurdly far above all others and fewer than it takes to confirm them."""
    limit = _absurd_from(series.values[series.known])
    return (
        series if limit == math.inf else replace(series, values=np.where(series.values > limit, np.nan, series.values))
    )


def _absurd_from(known: NDArray[np.float64]) -> float:
    """Return the highest value that others bear out; infinity when that is the case of all."""
    if len(known) < LEAST_BINS:
        return math.inf
    top = np.sort(np.partition(known, -CONFIRMED)[-CONFIRMED:])[::-1]
    gaps = np.flatnonzero(top[:-1] > np.maximum(ABSURD * top[1:], LEAST_ABSURD_RPS))
    return float(top[gaps[-1] + 1]) if len(gaps) else math.inf


def _number(value: object, what: str) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # whatever a source has put there
    except (TypeError, ValueError, OverflowError) as error:
        raise Unreachable(f"its {what} is {value!r:.80}, not a number", help=HELP) from error


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
