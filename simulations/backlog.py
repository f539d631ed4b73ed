"""The wait that a request would have, as a distribution that moves with the load: queues grow, and work themselves off.

The wait of whoever comes next is a random walk: up with the work that comes, down with the time that passes, held at
zero while a server is free. It is kept on a grid of waits whose steps up and down have the odds and the mean times that
a Brownian motion of the station's drift and decay has between neighbours (the gambler's ruin), so that the steady state
on the grid is the station's own, and a queue that grows does so at its true speed. Steps in time are implicit.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded

from policies.station import Station

Floats = NDArray[np.float64]

_TO_SLACK: Final = 40
"""Steps of the grid from no wait to the slack, and as many again in equal width;"""
_WIDER: Final = 1.08
"""then each is so much wider than the one before,"""
_LONGEST_S: Final = 1e6
"""up to a wait of eleven days."""
_FEW_SERVICES: Final = 4.0
"""Without slack the first steps reach as far as so many requests take."""
_NO_SLACK: Final = 1e-3
"""A slack of less than so many requests' time is none."""
_FLAT: Final = 1e-5
"""Below this a step is as likely up as down."""


class Backlog:
    """The distribution of the wait at one station."""

    def __init__(self, station: Station) -> None:
        """Begin with a free server."""
        waits = station.slack_s > _NO_SLACK / station.most_rps
        reach_s = station.slack_s if waits else _FEW_SERVICES / station.most_rps
        even = reach_s / _TO_SLACK
        wider = int(np.log(_LONGEST_S / even) / np.log(_WIDER))
        steps = np.concatenate([np.full(2 * _TO_SLACK, even), even * _WIDER ** np.arange(1, wider)])
        self._station = station
        self._steps = steps
        self._waits_s = np.append(0.0, np.cumsum(steps))
        self._late_from = _TO_SLACK + 1 if waits else 1
        self._shares = np.zeros(len(self._waits_s))
        self._shares[0] = 1.0

    @property
    def late(self) -> float:
        """The share of requests that come now and wait longer than the slack."""
        return float(self._shares[self._late_from :].sum())

    @property
    def wait_s(self) -> float:
        """The mean wait of requests that come now."""
        return float((self._shares * self._waits_s).sum())

    def settle(self, rps: float) -> None:
        """Let it be in the steady state of a load below what the station works through."""
        up, down = self._rates(rps)
        with np.errstate(divide="ignore"):  # no load, no way up
            logs = np.append(0.0, np.cumsum(np.log(up[:-1]) - np.log(down[1:])))
        shares = np.exp(logs - logs.max())
        self._shares = shares / shares.sum()

    def move(self, rps: float, duration_s: float, steps: int) -> float:
        """Let a load come for so long; return the mean share of requests that were late."""
        up, down = self._rates(rps)
        step_s = duration_s / steps
        bands = np.zeros((3, len(up)))
        bands[0, 1:] = -step_s * down[1:]
        bands[1] = 1.0 + step_s * (up + down)
        bands[2, :-1] = -step_s * up[:-1]
        late = 0.0
        for _ in range(steps):
            self._shares = solve_banded((1, 1), bands, self._shares, check_finite=False)
            late += self.late / steps
        return min(1.0, max(0.0, late))

    def serve_by(self, station: Station) -> None:
        """Go on with more or fewer servers: as many requests wait as before, and so for another time."""
        if station == self._station:
            return
        waits_s = self._waits_s * self._station.most_rps / station.most_rps
        self._station = station
        place = np.clip(np.searchsorted(self._waits_s, waits_s) - 1, 0, len(self._steps) - 1)
        upper = np.clip((waits_s - self._waits_s[place]) / self._steps[place], 0.0, 1.0)
        moved = np.zeros(len(waits_s))
        np.add.at(moved, place, self._shares * (1.0 - upper))
        np.add.at(moved, place + 1, self._shares * upper)
        self._shares = moved

    def _rates(self, rps: float) -> tuple[Floats, Floats]:
        """Return how often each wait steps up and down, per second."""
        station, load = self._station, np.array(rps)
        busy, decay = float(station.load(load)), float(station.decay(load))
        below, above = self._steps, np.append(self._steps[1:], self._steps[-1])
        rises, lasts_s = _ruin(busy - 1.0, decay, station.spread * busy / station.most_rps, below, above)
        up, down = np.append(0.0, rises / lasts_s), np.append(0.0, (1.0 - rises) / lasts_s)
        up[-1] = 0.0
        up[0] = down[1] * float(station.odds(load)) * -np.expm1(-decay * below[0]) / (1.0 - busy)
        return up, down


def _ruin(drift: float, decay: float, variance: float, below: Floats, above: Floats) -> tuple[Floats, Floats]:
    """Return the chance to come out above, and the mean time that it takes.

    Args:
        drift: of the wait, seconds a second.
        decay: twice the drift over the variance, with the other sign.
        variance: of the wait, used where there is no drift.
        below: distances down, seconds, (n,).
        above: distances up, seconds, (n,).
    """
    whole = below + above
    flat = np.abs(decay) * whole < _FLAT
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # of each pair one is no number, and not taken
        size = abs(decay)
        nearer, farther = (above, below) if decay > 0 else (below, above)
        against = np.exp(-size * nearer) * np.expm1(-size * farther) / np.expm1(-size * whole)
        rises = np.where(flat, below / whole, against if decay > 0 else 1.0 - against)
        lasts_s = np.where(flat, below * above / variance, (rises * above - (1.0 - rises) * below) / drift)
    return rises, lasts_s
