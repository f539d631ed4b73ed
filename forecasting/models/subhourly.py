"""Steps below an hour: the next hour from the last minutes, then hourly paths drawn finer with the noise of bins."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from forecasting.models import nowcast
from forecasting.models.origins import MemberForecast
from forecasting.models.sample_paths import SamplePaths
from forecasting.quantiles import nan_median

Floats = NDArray[np.float64]

HOUR_S: Final = 3600
_NOISE_DAYS: Final = 14
_MEMORY_H: Final = 3.0
"""Hours in which a deviation of the last minutes fades by a factor e."""
_NEAR_HOURS: Final = 2
_NEARLY_ALL: Final = 0.99
_OUTLIER: Final = 3.0
_DISTURBED: Final = 6.0
_SELDOM: Final = 6
"""Each of three faults has two edges."""
_STRANGE: Final = 1.0
"""On the logarithmic scale."""
_MAY_BEGIN_H: Final = 3
_DAY_H: Final = 24
_SEED: Final = 20130723


def refined(hourly: SamplePaths, past: Floats, lead: int, bins: int, per_hour: int) -> SamplePaths:
    """Return paths in fine bins.

    Args:
        hourly: the paths in hours, from the first hour that is not known as a whole.
        past: (n,) known fine values on the even scale that end with a whole hour and `lead` bins more; NaN in gaps.
        lead: fine bins already known of the first hour to forecast.
        bins: fine bins to return, from the first that is not known.
        per_hour: fine bins in an hour.
    """
    centres = np.asarray(np.arange(-1, len(hourly.centre)) + 0.5)
    at = np.asarray((np.arange(lead + bins) + 0.5) / per_hour)
    whole = past[: len(past) - lead].reshape(-1, per_hour)
    last = _mean(whole[-1:])[0]
    anchor = last if np.isfinite(last) else hourly.centre[0]
    centre = np.interp(at, centres, np.append(anchor, hourly.centre))
    noise = _noise(past[: len(past) - lead], per_hour)
    off = _deviation(past, centre, noise, lead, per_hour)
    centre = centre[lead:] + off * np.exp(-np.arange(1, bins + 1) / (per_hour * _MEMORY_H))
    errors = _drawn_finer(hourly.errors, centres, at[lead:], lead / per_hour)
    random = np.random.default_rng(_SEED)
    begins = random.integers(0, len(noise), len(errors))
    stretch = noise[(begins[:, None] + np.arange(bins)) % len(noise)]
    drawn = replace(hourly, centre=centre, errors=errors + stretch)
    if not np.isfinite(past[-per_hour:]).any():  # nothing to go on from
        return drawn
    fitted = nowcast.fit(_bridged(_without_strange_hours(past, per_hour)), per_hour, min(bins, _NEAR_HOURS * per_hour))
    return drawn if fitted is None or not len(fitted.errors) else _begun(drawn, fitted, per_hour, random)


def _begun(drawn: SamplePaths, fitted: MemberForecast, per_hour: int, random: np.random.Generator) -> SamplePaths:
    """Return the cloud with its first hour as learnt from the last minutes, passing over to its own within the next."""
    leads = len(fitted.centre)
    share = np.clip(_NEAR_HOURS - np.arange(1, leads + 1) / per_hour, 0.0, 1.0)
    order = np.resize(random.permutation(len(fitted.errors)), len(drawn.errors))
    centre, errors = drawn.centre.copy(), drawn.errors.copy()
    centre[:leads] = share * fitted.centre + (1 - share) * centre[:leads]
    errors[:, :leads] = np.sqrt(share) * fitted.errors[order] + np.sqrt(1 - share) * errors[:, :leads]
    return replace(drawn, centre=centre, errors=errors)


def _bridged(past: Floats) -> Floats:
    """Return values (n,) with gaps in straight lines."""
    known = np.flatnonzero(np.isfinite(past))
    return np.asarray(np.interp(np.arange(len(past)), known, past[known]))


def _without_strange_hours(past: Floats, per_hour: int) -> Floats:
    """Return values (n,) with NaN in hours far off the same hour of most days, but for the newest: minutes know none.

    What happens on more than a few days is usual.
    """
    hours = _mean(past[len(past) % per_hour :].reshape(-1, per_hour))
    days = np.concatenate((np.full(-len(hours) % _DAY_H, np.nan), hours)).reshape(-1, _DAY_H)
    off = np.abs(days - nan_median(days)).ravel()[-len(hours) :]
    strange = np.nan_to_num(off) > max(_STRANGE, _DISTURBED * float(np.nanmedian(off)))
    strange[-_MAY_BEGIN_H:] = False
    if _begins(strange) > _SELDOM:
        return past
    return np.where(np.repeat(strange, per_hour), np.nan, past[len(past) % per_hour :])


def _begins(flags: NDArray[np.bool_]) -> int:
    return int((flags & ~np.concatenate(([False], flags[:-1]))).sum())


def _drawn_finer(errors: Floats, centres: Floats, at: Floats, known: float) -> Floats:
    """Return hourly error paths (m, hours) at fine origins, growing from the moment now (`known` of the first hour)."""
    padded = np.hstack((np.zeros((len(errors), 1)), errors))
    places = np.clip(np.searchsorted(centres, at, side="right") - 1, 0, len(centres) - 2)
    share = at - centres[places]
    drawn = padded[:, places] * (1 - share) + padded[:, places + 1] * share
    return np.asarray(drawn * np.sqrt(np.clip((at - known + 0.25) / (at + 0.25), 0.0, 1.0)))


def _noise(past: Floats, per_hour: int) -> Floats:
    """Return (n,) what fine bins were off the line between the means of their hours, with the gaps left out."""
    recent = past[-_NOISE_DAYS * 24 * per_hour :]
    hours = _mean(recent.reshape(-1, per_hour))
    known = np.flatnonzero(np.isfinite(hours))
    if not len(known):
        return np.zeros(1)
    at = (np.arange(len(recent)) + 0.5) / per_hour
    inside = np.isfinite(recent) & (at >= known[0] + 0.5) & (at <= known[-1] + 0.5)  # the line does not reach further
    if not inside.any():
        return np.zeros(1)
    apart = np.where(inside, recent - np.interp(at, known + 0.5, hours[known]), np.nan)
    apart = apart[inside & ~np.repeat(_disturbed(apart.reshape(-1, per_hour)), per_hour)]
    most = _OUTLIER * float(np.quantile(np.abs(apart), _NEARLY_ALL))  # a spike is no noise
    apart = np.clip(apart, -most, most)
    return np.asarray(apart - apart.mean())


def _disturbed(apart: Floats) -> NDArray[np.bool_]:
    """Return (hours,), in which bins (hours, per hour) are far more uneven than in most, if that happens seldom.

    A spike or the edge of an outage makes a few hours uneven; bursts do so again and again, and are noise.
    """
    uneven = _mean(np.abs(apart))
    usual = np.nanmedian(uneven)
    disturbed = np.nan_to_num(uneven) > _DISTURBED * usual
    return disturbed & (_begins(disturbed) <= _SELDOM)


def _deviation(past: Floats, centre: Floats, noise: Floats, lead: int, per_hour: int) -> float:
    """Return how far the bins known of the open hour are off the forecast, less what noise explains."""
    off = (past[len(past) - lead :] - centre[:lead])[-per_hour:] if lead else np.empty(0)
    off = off[np.isfinite(off)]
    if not len(off):
        return 0.0
    chance = float(noise.var()) / len(off)
    return float(off.mean() * max(0.0, 1 - chance / max(float(off.mean()) ** 2, 1e-12)))


def _mean(rows: Floats) -> Floats:
    """Return (r,) the means of what is known in each row; NaN where nothing is."""
    known = np.isfinite(rows)
    with np.errstate(invalid="ignore"):
        return np.where(known.any(axis=1), np.where(known, rows, 0.0).sum(axis=1) / known.sum(axis=1), np.nan)
