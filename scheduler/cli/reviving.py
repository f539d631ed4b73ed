"""A local Ray that dies under a control plane is started anew, where it was; the loop then tries its jobs again.

A cluster at an address is not ours to start: the loop asks there until it is back.
"""

import threading
import time
from typing import Final

from scheduler.backends.ray.liveness import is_dead
from scheduler.backends.ray.local import LocalAddress, LocalRay
from scheduler.cli.screen import Screen
from scheduler.control.isolation.bulkheads import reason_of
from scheduler.control.leadership import Lease

LOOK_S: Final = 2.0
"""How often it is looked at,"""
MISSES: Final = 3
"""and how often in a row nobody may answer before it counts as dead."""
PAUSE_S: Final = 30.0
"""After a start that failed."""


def keep_alive(local: LocalRay, address: LocalAddress, lease: Lease, over: threading.Event, screen: Screen) -> None:
    """Start a local cluster anew whenever it is dead, until it is over, or until somebody else leads."""
    misses = 0
    while not over.wait(LOOK_S):
        misses = misses + 1 if is_dead(address) else 0
        if misses < MISSES:
            continue
        try:
            lease.prove()
            address, misses = _revived(local, address, screen), 0
        except Exception as error:  # noqa: BLE001  # whatever a start fails of, it is tried again: nobody else does
            screen.note(reason_of(error))
            over.wait(PAUSE_S)


def _revived(local: LocalRay, dead: LocalAddress, screen: Screen) -> LocalAddress:
    screen.note("Ray on this machine has died; it is started anew, and its jobs are tried again")
    began_s = time.monotonic()
    address = local.revive(dead)
    screen.note(f"Ray is up again after {time.monotonic() - began_s:.0f} s")
    return address
