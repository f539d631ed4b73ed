"""What the rest of a device is worth: dual prices of the cutting-stock problem that the expected work poses.

Devices are stock of length 1000, pieces are the shares asked for. The prices of the pieces in the linear relaxation say
what a remainder of any length can still bring in; a remainder that no likely piece fits is worth nothing, whatever its
length. The relaxation is solved by the revised simplex method, where a knapsack finds the pattern that enters (Gilmore
and Gomory, Operations Research 9, 1961): a general solver takes ten times as long to set up such a small problem.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

HORIZONS: Final = (0.9, 1.0, 1.1)
"""Demand to come, as multiples of the room for it: nobody knows where demand stops, so prices are averaged."""
_DEVICES: Final = 1000.0
"""Devices of the priced fleet; only the ratio to the demand matters."""
_GAIN: Final = 1e-6
"""Thousandths by which a pattern must pay before it is worth another step."""
_STEPS: Final = 2000
"""More than any mix was seen to take."""
_LEAST_TAKEN: Final = 1e-9
"""What a column takes of a row below this is rounding."""
_APART: Final = 1e-9
"""By what part amounts are set apart from each other, so that no two steps tie and none repeats."""


@dataclass(frozen=True, slots=True, eq=False)
class Duals:
    """A solved relaxation.

    Attributes:
        pieces: float64 (J,), price of one piece of each size, in thousandths of a device.
        device: price of one whole device.
        value: thousandths of a device served at the optimum.
    """

    pieces: NDArray[np.float64]
    device: float
    value: float


def remainder_values(mix: SizeMix) -> NDArray[np.float64]:
    """Return float64 (1001,): the value of r free thousandths of one device, never falling, 0 at r = 0."""
    sizes, counts = mix.pieces()
    values = np.zeros(WHOLE_DEVICE_MILLI + 1)
    if len(sizes):
        per_device = counts / (sizes @ counts) * WHOLE_DEVICE_MILLI * _DEVICES
        relaxation = Relaxation(sizes, _DEVICES)
        for horizon in HORIZONS:
            values += best_filling(sizes, relaxation.solve(per_device * horizon).pieces) / len(HORIZONS)
    values.setflags(write=False)
    return values


class Relaxation:
    """Max Σ size·served, where patterns cut at most so many devices and nothing is cut beyond demand.

    Of two demands in a row the second is often served best in the same ways: its solution then follows from the first.
    """

    def __init__(self, sizes: NDArray[np.int64], devices: float) -> None:
        """Begin with the patterns of one size only.

        Args:
            sizes: int64 (J,), pieces in thousandths, each at most 1000.
            devices: whole devices at hand.
        """
        self._sizes, self._devices = sizes, devices
        self._patterns = np.diag(WHOLE_DEVICE_MILLI // sizes)
        self._corner = _Corner(len(sizes) + 1)

    def solve(self, demand: NDArray[np.float64]) -> Duals:
        """Return the optimum where so many pieces are asked for, float64 (J,)."""
        amounts = np.append(demand, self._devices)
        if not self._corner.suits(amounts):
            self._corner = _Corner(len(amounts))
            self._corner.suits(amounts)
        for _ in range(_STEPS):
            duals = self._corner.duals()
            if not self._improved(duals):
                break
        return Duals(np.maximum(self._sizes - duals[:-1], 0.0), float(duals[-1]), self._corner.value)

    def _improved(self, duals: NDArray[np.float64]) -> bool:
        """Go to a better corner, if there is one: by leaving more over, by a known pattern, or by a new one."""
        left_over = int(duals.argmin())
        if duals[left_over] < -_GAIN:
            self._corner.enter((np.arange(len(duals)) == left_over).astype(np.float64), 0.0)
            return True
        prices, device = np.maximum(self._sizes - duals[:-1], 0.0), float(duals[-1])
        gains = self._patterns @ prices
        best = int(gains.argmax())
        if gains[best] <= device + _GAIN:
            values = best_filling(self._sizes, prices)
            if values[-1] <= device + _GAIN:
                return False
            best = len(self._patterns)
            self._patterns = np.vstack([self._patterns, _pattern(self._sizes, prices, values)])
        cut = self._patterns[best] * (prices > 0)
        self._corner.enter(np.append(cut, 1.0), float(cut @ self._sizes))
        return True


class _Corner:
    """A corner of the relaxation: which columns are in use, how much of each, and the inverse of their matrix.

    Rows are the demands and the devices; columns are patterns and, at first, what is left of every row.
    """

    def __init__(self, rows: int) -> None:
        """Begin with nothing cut."""
        self._amount, self._inverse, self._worth = np.zeros(rows), np.eye(rows), np.zeros(rows)
        self._apart = 1.0 + _APART * np.arange(rows, 0, -1)

    def suits(self, amounts: NDArray[np.float64]) -> bool:
        """Use other amounts, the demands and the devices, float64 (J + 1,); say whether this corner is among theirs."""
        self._amount = self._inverse @ (amounts * self._apart)
        return bool((self._amount >= 0).all())

    @property
    def value(self) -> float:
        """Thousandths of a device served."""
        return float(self._worth @ self._amount)

    def duals(self) -> NDArray[np.float64]:
        """Return float64 (J + 1,): what one more of each row would bring in; below 0 it is better left over."""
        prices: NDArray[np.float64] = self._worth @ self._inverse
        return prices

    def enter(self, column: NDArray[np.float64], worth: float) -> None:
        """Go to the next corner, where this column is in use, float64 (J + 1,), and brings in `worth` a unit."""
        taken = self._inverse @ column
        limits = np.full(len(taken), np.inf)
        np.divide(self._amount, taken, out=limits, where=taken > _LEAST_TAKEN)
        leaving = int(limits.argmin())
        row, most = self._inverse[leaving] / taken[leaving], limits[leaving]
        self._inverse -= np.outer(taken, row)
        self._amount -= taken * most
        self._inverse[leaving], self._amount[leaving], self._worth[leaving] = row, most, worth


def best_filling(sizes: NDArray[np.int64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the value of the unbounded knapsack of every capacity, float64 (1001,): never falling, 0 at 0.

    Any number of pieces is a sum of one, two, four and so on of them.
    """
    values = np.zeros(WHOLE_DEVICE_MILLI + 1)
    for size, price in zip(sizes.tolist(), prices.tolist(), strict=True):
        taken, gain = size, price
        while gain > 0 and taken <= WHOLE_DEVICE_MILLI:
            np.maximum(values[taken:], values[:-taken] + gain, out=values[taken:])
            taken, gain = 2 * taken, 2 * gain
    return values


def _pattern(sizes: NDArray[np.int64], prices: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return int64 (J,): the pieces of a best filling of a whole device, whose values are known."""
    pattern, room = np.zeros(len(sizes), dtype=np.int64), WHOLE_DEVICE_MILLI
    while values[room] > 0:
        fitting = sizes[: int(np.searchsorted(sizes, room, side="right"))]
        piece = int((prices[: len(fitting)] + values[room - fitting]).argmax())
        pattern[piece] += 1
        room -= int(sizes[piece])
    return pattern
