"""Who may have whom stopped. Serving may always; this is about one training job for another."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.length import takes_s
from scheduler.model.running import Running
from scheduler.model.workloads import TrainingJob

GAIN: Final = 2.0
"""The wait that is saved must be so many times what it costs others."""
SMALLEST_SHARE: Final = 0.001
"""Of a device, in devices."""


def higher_priority(beneficiary: TrainingJob, victim: TrainingJob) -> bool:
    """Allow it for strictly higher priority: equals never stop each other."""
    return beneficiary.priority > victim.priority


def never(_beneficiary: TrainingJob, _victim: TrainingJob) -> bool:
    """Stop training for serving only."""
    return False


def shorter_first(beneficiary: TrainingJob, running: Running, now_s: float) -> NDArray[np.bool_]:
    """Allow it where the wait that is saved exceeds the cost, and never for who waited longer than it ran, bool (J,).

    Without it the waiting job waits until the running one ends; with it the running one waits for the other's length,
    loses what it has not saved, and starts anew. Several small ones that make room for one large one are late all of
    them, so each counts as many times as it takes of them.

    Where the waiting job says how long it takes, its word is held against what is expected of those who run. Where it
    does not (see `policies.length`), those who run are expected to run as long again, at most until their expected end.
    Whoever waited longer than it ran is left alone: ageing.
    """
    served_s = running.served_s(now_s)
    ahead_s = running.ends_s - now_s
    ahead_s = np.where((ahead_s > 0) & np.isfinite(ahead_s), ahead_s, served_s)
    left_s = np.minimum(ahead_s, served_s) if beneficiary.max_runtime_s is None else ahead_s
    lost_s = running.lost_s(now_s)
    others = np.maximum(1.0, beneficiary.gang.gpus / np.maximum(running.gpus, SMALLEST_SHARE))
    waited_s = now_s - running.submitted_s - served_s
    allowed: NDArray[np.bool_] = (left_s >= GAIN * others * (takes_s(beneficiary) + lost_s)) & (waited_s <= served_s)
    return allowed
