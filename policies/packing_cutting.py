"""What the rest of a device is worth: dual prices of the cutting-stock problem that the expected work poses.

Devices are stock of length 1000, pieces are the shares asked for (Gilmore and Gomory, Operations Research 9, 1961).
The prices of the pieces in the linear relaxation say what a remainder of any length can still bring in; a remainder
that no likely piece fits is worth nothing, whatever its length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import bmat, csr_matrix, eye

from policies.packing_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

HORIZONS: Final = (0.9, 1.0, 1.1)
"""Demand to come, as multiples of the room for it: nobody knows where demand stops, so prices are averaged."""
_DEVICES: Final = 1000.0
"""Devices of the priced fleet; only the ratio to the demand matters."""
_GAIN: Final = 1e-6
"""Thousandths by which a new pattern must pay before it is worth another round."""
_ROUNDS: Final = 60


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
        patterns = _plain_patterns(sizes)
        for horizon in HORIZONS:
            duals = solve(sizes, per_device * horizon, _DEVICES, patterns)
            values += best_filling(sizes, duals.pieces)[0] / len(HORIZONS)
    values.setflags(write=False)
    return values


def solve(
    sizes: NDArray[np.int64], demand: NDArray[np.float64], devices: float, patterns: list[NDArray[np.int64]]
) -> Duals:
    """Solve max Σ size·served, where patterns cut at most `devices` devices and nothing is served beyond demand.

    Args:
        sizes: int64 (J,), pieces in thousandths, each at most 1000.
        demand: float64 (J,), pieces asked for.
        devices: whole devices at hand.
        patterns: int64 (J,) each, ways to cut one device; those that turn out to pay are added to the list.
    """
    for _ in range(_ROUNDS):
        duals = _master(sizes, demand, devices, patterns)
        values, chosen = best_filling(sizes, duals.pieces)
        if values[-1] <= duals.device + _GAIN:
            break
        patterns.append(_pattern(sizes, chosen))
    return duals


def best_filling(
    sizes: NDArray[np.int64], prices: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the unbounded knapsack of every capacity: value float64 (1001,), and the piece taken last, -1 for none."""
    values, chosen = np.zeros(WHOLE_DEVICE_MILLI + 1), np.full(WHOLE_DEVICE_MILLI + 1, -1)
    step = int(np.gcd.reduce(np.append(sizes, WHOLE_DEVICE_MILLI)))
    for room in range(step, WHOLE_DEVICE_MILLI + 1, step):
        fitting = int(np.searchsorted(sizes, room, side="right"))
        taking = prices[:fitting] + values[room - sizes[:fitting]]
        best = int(taking.argmax()) if fitting else -1
        gains = fitting and taking[best] > values[room - step]
        values[room] = taking[best] if gains else values[room - step]
        chosen[room] = best if gains else -1
    return np.maximum.accumulate(values), _spread(chosen, step)


def _spread(chosen: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Give the capacities between two multiples of `step` the answer of the lower one."""
    return chosen[np.arange(len(chosen)) // step * step]


def _pattern(sizes: NDArray[np.int64], chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    pattern, room = np.zeros(len(sizes), dtype=np.int64), WHOLE_DEVICE_MILLI
    step = int(np.gcd.reduce(np.append(sizes, WHOLE_DEVICE_MILLI)))
    while room > 0:
        piece = int(chosen[room])
        if piece >= 0:
            pattern[piece] += 1
        room -= int(sizes[piece]) if piece >= 0 else step
    return pattern


def _plain_patterns(sizes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the patterns of one size only: they make the first relaxation feasible and its prices sensible."""
    counts = WHOLE_DEVICE_MILLI // sizes
    return [np.where(np.arange(len(sizes)) == j, counts, 0) for j in range(len(sizes))]


def _master(
    sizes: NDArray[np.int64], demand: NDArray[np.float64], devices: float, patterns: Sequence[NDArray[np.int64]]
) -> Duals:
    many, ways = len(sizes), len(patterns)
    served_of_cut = bmat(
        [
            [eye(many), csr_matrix(-np.array(patterns, dtype=np.float64).T)],
            [None, csr_matrix(np.ones((1, ways)))],
        ]
    )
    solved = linprog(
        np.concatenate([-sizes.astype(np.float64), np.zeros(ways)]),
        A_ub=served_of_cut.tocsr(),
        b_ub=np.append(np.zeros(many), devices),
        bounds=np.column_stack([np.zeros(many + ways), np.append(demand, np.full(ways, np.inf))]),
        method="highs",
    )
    prices = np.maximum(-solved.ineqlin.marginals, 0.0)
    return Duals(prices[:many], float(prices[many]), float(-solved.fun))
