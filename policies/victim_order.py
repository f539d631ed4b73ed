"""What stopping a running job costs, in GPU-seconds; the cheapest is stopped first.

By lost work alone small jobs are always cheapest, and a full host of them gives way where one large job could: many
jobs are late then instead of one. So the default also counts the wait that a stop causes.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.running import Running

WAIT_SHARE: Final = 0.01
"""GPU-seconds that a second of one job's wait is worth: two hours count about as a restart."""


AGAIN: Final = 10.0
"""How many times as much it is worth for each time that the job was stopped before."""
MOST_AGAIN: Final = 5
"""Stops that count so at most."""


def lost_work(running: Running, now_s: float) -> NDArray[np.float64]:
    """Return the work that is not saved, or saving itself, and the restart, over all devices of each job, (J,)."""
    return running.lost_s(now_s) * running.gpus


def newest_first(running: Running, now_s: float) -> NDArray[np.float64]:
    """Return the time each attempt has run, over all its devices, float64 (J,): the newest first, saved or not."""
    return np.maximum(now_s - running.started_s, 0.0) * running.gpus


def lost_work_and_wait(running: Running, now_s: float) -> NDArray[np.float64]:
    """Return the lost work and the wait that a stop will cause, float64 (J,).

    Whoever is stopped waits until somebody of those who run ends. How long is not known, but what has run for long is
    expected to run as long again (the spread of training times is that wide), so the wait is as long as what a running
    device has been held for on average. It counts

    - once a job, whatever its size: one late job is one late job. It decides between those whose stop loses about as
      much: devices that stand idle while somebody waits are counted in full, as what follows from a stop
      (`scheduler.planning.victim_selection.aftermath`), and are not to be counted twice;
    - less, the longer a job has run itself: the same wait is a smaller part of its time;
    - ten times as much for each time that the job was stopped before, so that it is others' turn.
    """
    served_s = running.served_s(now_s)
    wait_s = running.mean_held_s(now_s)
    share = wait_s / np.maximum(wait_s + served_s, 1.0)
    stops = AGAIN ** np.minimum(running.stops, MOST_AGAIN).astype(np.float64)
    return lost_work(running, now_s) + WAIT_SHARE * wait_s * share * stops
