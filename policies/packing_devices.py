"""What devices have left after one unit of a shape took the fullest of them that fit, as the ledger hands them out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape

LAST: Final = np.iinfo(np.int64).max
"""In place of the free amount of a device that does not suit: it is chosen after all that do."""


def devices_after(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.int64]:
    """Return int64 (N, D): free thousandths of devices after one unit on each of N rows, where it must fit."""
    free = ledger.gpu_milli[rows]
    if not shape.gpu_count or not len(rows):
        return free
    suits = ledger.table.matching(shape)[rows] & (free >= shape.gpu_milli)
    chosen = np.where(suits, free, LAST)
    if shape.gpu_count == 1:
        free[np.arange(len(rows)), chosen.argmin(axis=1)] -= shape.gpu_milli
        return free
    order = np.argsort(chosen, axis=1, kind="stable")[:, : shape.gpu_count]
    np.put_along_axis(free, order, np.take_along_axis(free, order, axis=1) - shape.gpu_milli, axis=1)
    return free
