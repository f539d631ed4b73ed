"""What stopping a running job costs, in GPU-seconds; the cheapest is stopped first."""

import numpy as np
from numpy.typing import NDArray

from scheduler.model.running import Running


def lost_work(running: Running, now_s: float) -> NDArray[np.float64]:
    """Return the work since the last checkpoint and the restart, over all devices of each job, float64 (J,)."""
    return (np.maximum(now_s - running.saved_s, 0.0) + running.restart_cost_s) * running.gpus


def newest_first(running: Running, now_s: float) -> NDArray[np.float64]:
    """Return the time each attempt has run, over all its devices, float64 (J,): the newest first, saved or not."""
    return np.maximum(now_s - running.started_s, 0.0) * running.gpus
