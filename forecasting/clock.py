"""Local time by IANA zone: where its offset changes, and the wall-clock grid on which days have 24 hours.

Traffic follows people's clocks. On the day of a change the wall grid has an hour that no bin falls into (spring) or
that two bins fall into (autumn); everything else keeps its place in the day.
"""

from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_FINEST_SHIFT_S: Final = 900
_FELT_FOR_S: Final = 12 * _HOUR_S
"""So long after a change people still go, less and less, by how long they have been up or asleep."""
_MOST_FELT_S: Final = 3 * _HOUR_S
"""A larger change moves the date, not the sun: Samoa skipped a day and got up as ever."""


@lru_cache(maxsize=64)
def check_zone(zone: str) -> bool:
    """Return whether `zone` is the name of a time zone."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def offset_s(zone: str, at_s: float) -> int:
    """Return seconds by which the zone's clocks are ahead of UTC."""
    offset = datetime.fromtimestamp(at_s, tz=UTC).astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


@lru_cache(maxsize=256)
def changes(zone: str, first_day: int, last_day: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return moments (epoch seconds) at which the offset changes within days since 1970, and the offsets between them.

    The offsets are one more than the moments.
    """
    moments: list[int] = []
    offsets = [offset_s(zone, first_day * _DAY_S)]
    for day in range(first_day, last_day + 1):
        if offset_s(zone, (day + 1) * _DAY_S) != offsets[-1]:
            quarters = range(day * _DAY_S, (day + 1) * _DAY_S, _FINEST_SHIFT_S)
            before = offsets[-1]
            moments.append(
                quarters[0] + _FINEST_SHIFT_S * bisect_right(quarters, 0, key=lambda s: offset_s(zone, s) != before)
            )
            offsets.append(offset_s(zone, moments[-1]))
    return tuple(moments), tuple(offsets)


def offsets_s(zone: str, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the zone's offsets at ascending moments, (n,), seconds."""
    if zone == "UTC" or not len(at_s):
        return np.zeros(len(at_s), dtype=np.int64)
    moments, offsets = changes(zone, int(at_s[0]) // _DAY_S, int(at_s[-1]) // _DAY_S)
    return np.asarray(offsets, dtype=np.int64)[np.searchsorted(np.asarray(moments, dtype=np.int64), at_s, side="right")]


def wall_positions(zone: str, start_s: int, step_s: int, count: int) -> NDArray[np.int64]:
    """Return for each of `count` bins its place on the wall-clock grid of the same step, (count,).

    Places count bins of local time since 1970, so that equal places modulo a day are equal times of the day. Steps
    above an hour are not moved by a change of one hour.
    """
    starts = start_s + step_s * np.arange(count, dtype=np.int64)
    offsets = offsets_s(zone, starts)
    if step_s > _HOUR_S and len(offsets):
        offsets = np.full_like(offsets, offsets[0])
    return (starts + offsets) // step_s


def felt_positions(zone: str, start_s: int, step_s: int, count: int) -> NDArray[np.float64]:
    """Return `wall_positions` as traffic feels them, (count,): a change of the clocks arrives over half a day."""
    places = wall_positions(zone, start_s, step_s, count).astype(np.float64)
    starts = start_s + step_s * np.arange(count, dtype=np.int64)
    if zone == "UTC" or step_s > _HOUR_S or not count:
        return places
    moments, offsets = changes(zone, (start_s - _FELT_FOR_S) // _DAY_S, int(starts[-1]) // _DAY_S)
    for moment_s, before, after in zip(moments, offsets, offsets[1:], strict=False):
        if abs(after - before) > _MOST_FELT_S:
            continue
        still = np.clip(1 - (starts - moment_s) / _FELT_FOR_S, 0.0, 1.0) * (starts >= moment_s)
        places += (before - after) / step_s * still
    return places
