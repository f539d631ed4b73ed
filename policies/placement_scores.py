"""Which host is best for one unit of a shape: scores per host row, the lowest wins.

These look at nothing but the host itself.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.ledger import Ledger
from scheduler.model.policy import Scorer
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.work import WorkSeen

_CPU_WEIGHT: Final = 1e-9
"""Makes CPU and memory decide only between hosts that are equal in GPUs."""
_BREAKS_A_DEVICE: Final = 0.5
"""Less than a thousandth of a device is worth, so it decides only between hosts that are equal in GPUs."""


def best_fit(_start: Ledger, _work: WorkSeen) -> Scorer:
    """Prefer the host with least GPU left, so that large holes stay; work without GPUs goes to hosts without.

    Among equals a share of a device goes where a device is shared already, and then where least CPU is left.
    """
    return _tightest


def worst_fit(_start: Ledger, _work: WorkSeen) -> Scorer:
    """Prefer the host with most GPU left, so that load is even; work without GPUs goes where most CPU is left."""
    return _emptiest


def first_fit(_start: Ledger, _work: WorkSeen) -> Scorer:
    """Prefer nothing: the first host by name wins."""
    return _any


def _tightest(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
    left = _free_gpu_milli(ledger, rows) - shape.total_gpu_milli
    breaking = np.where(_breaks_a_device(ledger, rows, shape), _BREAKS_A_DEVICE, 0.0)
    tight = (ledger.cpu_milli[rows] - shape.cpu_milli) * _CPU_WEIGHT
    return left + breaking + tight


def _emptiest(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
    if shape.gpu_count:
        return -_free_gpu_milli(ledger, rows)
    return -ledger.cpu_milli[rows].astype(np.float64)


def _any(_ledger: Ledger, rows: NDArray[np.int64], _shape: Shape) -> NDArray[np.float64]:
    return np.zeros(len(rows))


def _free_gpu_milli(ledger: Ledger, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    free: NDArray[np.float64] = np.maximum(ledger.gpu_milli[rows], 0).sum(axis=1).astype(np.float64)
    return free


def _breaks_a_device(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.bool_]:
    """Whether a share of a device would have to come from one that is whole, bool (N,)."""
    free = ledger.gpu_milli[rows]
    shared = (free >= shape.gpu_milli) & (free < WHOLE_DEVICE_MILLI)
    breaking: NDArray[np.bool_] = np.logical_not(shared.any(axis=1)) & (shape.gpu_milli < WHOLE_DEVICE_MILLI)
    return breaking
