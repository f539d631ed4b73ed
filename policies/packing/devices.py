"""What devices have left after one unit of a shape took the fullest of them that fit, as the ledger hands them out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape

LAST: Final = np.iinfo(np.int64).max
"""In place of the free amount of a device that does not suit: it is chosen after all that do."""


def devices_taken(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.int64]:
    """Return int64 (N, count): which devices one unit on each of N rows, where it must fit, takes: the fullest."""
    if not shape.gpu_count or not len(rows):
        return np.zeros((len(rows), 0), dtype=np.int64)
    free = ledger.gpu_milli[rows]
    chosen = np.where(ledger.table.matching(shape)[rows] & (free >= shape.gpu_milli), free, LAST)
    if shape.gpu_count == 1:
        fullest: NDArray[np.int64] = chosen.argmin(axis=1)[:, None]
        return fullest
    return np.argsort(chosen, axis=1, kind="stable")[:, : shape.gpu_count]


def devices_after(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.int64]:
    """Return int64 (N, D): free thousandths of devices after one unit on each of N rows, where it must fit."""
    free, taken = ledger.gpu_milli[rows], devices_taken(ledger, rows, shape)
    np.put_along_axis(free, taken, np.take_along_axis(free, taken, axis=1) - shape.gpu_milli, axis=1)
    return free
