"""Who held devices over time, by the records of attempts."""

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.control.records import JobRecord
from scheduler.model.resources import WHOLE_DEVICE_MILLI

BIN_S: Final = 3600.0
"""Devices held are averaged over so long."""


def held_gpus(jobs: Iterable[JobRecord], start_s: float, end_s: float, bin_s: float = BIN_S) -> NDArray[np.float64]:
    """Return the devices that jobs held on average in each bin between two moments, float64 (bins,)."""
    edges = edges_s(start_s, end_s, bin_s)
    held = np.zeros(len(edges) - 1)
    for job in jobs:
        per_worker = job.spec.gang.shape.total_gpu_milli / WHOLE_DEVICE_MILLI
        for attempt in job.attempts:
            if attempt.started_at_s is not None:
                inside_s = np.clip(edges, attempt.started_at_s, moment_s(attempt.ended_at_s, end_s))
                held += np.diff(inside_s) * len(attempt.slots) * per_worker
    return held / np.diff(edges)


def edges_s(start_s: float, end_s: float, bin_s: float = BIN_S) -> NDArray[np.float64]:
    """Return where bins begin and the last one ends, epoch seconds, float64 (bins + 1,); the last may be shorter."""
    return np.append(np.arange(start_s, end_s, bin_s), end_s)


def moment_s(at_s: float | None, end_s: float) -> float:
    """Return a moment, or the end of the run when it has not come."""
    return end_s if at_s is None else at_s
