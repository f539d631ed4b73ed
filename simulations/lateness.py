"""Which share of a model's requests is late over time: by its own rule where a load lasts, by its backlog where not."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.capacity import CapacityRule
from policies.station import Station
from simulations.backlog import Backlog

Floats = NDArray[np.float64]

_RELAXED: Final = 8.0
"""A queue has forgotten what was before after so many of its relaxation times."""
_AS_GOOD_AS_IDLE: Final = 1e-9
"""Fewer late ones than this count as nothing: below it no queue needs to be followed."""
_CLOSE: Final = 0.01
"""A backlog this near to the steady state, as a share of it, is over."""
_STEP_S: Final = 10.0
"""Time that a backlog is moved by at once, at most."""
_LOADS: Final = 200
"""Loads for which a rule is asked that has no formula for many at once; in between its answers are interpolated."""


def late_shares(rule: CapacityRule, rps: Floats, replicas: NDArray[np.int64], lasts_s: Floats) -> Floats:
    """Return the share of requests that are late while each load lasts, (n,); 0 where no replica is ready.

    Args:
        rule: how many replicas a load takes; the queue that it stands for is what requests wait in.
        rps: (n,), requests per second.
        replicas: (n,), ready ones.
        lasts_s: (n,), seconds.
    """
    late, moving = np.zeros(len(rps)), np.zeros(len(rps), dtype=np.bool_)
    stations = dict[int, Station]()
    for number in np.unique(replicas[replicas > 0]).tolist():
        here = np.flatnonzero(replicas == number)
        station = rule.station(number)
        if station is None:
            late[here] = _by_rule(rule, number, rps[here])
        else:
            stations[number] = station
            late[here] = station.late(rps[here])
            moving[here] = _is_moving(station, rps[here], late[here], lasts_s[here])
    return _followed([stations.get(int(number)) for number in replicas], rps, lasts_s, late, moving)


def _by_rule(rule: CapacityRule, replicas: int, rps: Floats) -> Floats:
    """Return the share that is late in the steady state of each load, interpolated where there are many."""
    asked = np.unique(rps)
    if len(asked) > _LOADS:
        asked = np.linspace(asked[0], asked[-1], _LOADS)
    late = np.array([max(0.0, 1.0 - rule.on_time(replicas, load)) for load in asked.tolist()])
    least = np.finfo(np.float64).tiny
    return np.asarray(np.exp(np.interp(rps, asked, np.log(np.maximum(late, least)))))


def _is_moving(station: Station, rps: Floats, late: Floats, lasts_s: Floats) -> NDArray[np.bool_]:
    """Whether loads do not last for long enough to be in a steady state: (1 - load)^2 tells how long that takes."""
    free = 1.0 - station.load(rps)
    relaxed_s = _RELAXED * 2.0 * station.spread / (station.most_rps * free**2)
    return np.asarray((free <= 0) | ((relaxed_s > lasts_s) & (late > _AS_GOOD_AS_IDLE)))


def _followed(
    stations: Sequence[Station | None], rps: Floats, lasts_s: Floats, late: Floats, moving: NDArray[np.bool_]
) -> Floats:
    """Return the late shares with those in place of the steady state's where a backlog grows or is worked off."""
    found, backlog = late.copy(), None
    for index, station in enumerate(stations):
        if station is None or (backlog is None and not moving[index]):
            backlog = None
            continue
        if backlog is None:
            before = max(0, index - 1)
            backlog = _begun(stations[before] or station, float(rps[before]))
        backlog.serve_by(station)
        steps = max(1, math.ceil(lasts_s[index] / _STEP_S))
        found[index] = backlog.move(float(rps[index]), float(lasts_s[index]), steps)
        if not moving[index] and abs(backlog.late - late[index]) <= _CLOSE * late[index] + _AS_GOOD_AS_IDLE:
            backlog = None
    return found


def _begun(station: Station, rps: float) -> Backlog:
    """Return the backlog of a load that has lasted; a free server where it never could."""
    backlog = Backlog(station)
    if rps < station.most_rps:
        backlog.settle(rps)
    return backlog
