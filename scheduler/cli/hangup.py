"""SIGHUP to `headroom run`: the file is read again, beside the loop; where the terminal has gone, the process ends."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from scheduler.cli.errors import warn
from scheduler.cli.screen import Screen
from scheduler.control.isolation.bulkheads import reason_of

LOOK_S: Final = 0.5
"""Wall seconds between looks whether it is over."""
LAST_S: Final = 5.0
"""Wall seconds that a file gets to be read when it is."""


def told_by_hangup() -> threading.Event:
    """Return what SIGHUP sets from now on, in whatever state the process is."""
    told, had_terminal = threading.Event(), os.isatty(sys.__stdin__.fileno()) if sys.__stdin__ else False

    def handle(_number: int, _frame: FrameType | None) -> None:
        if had_terminal and sys.__stdin__ and not os.isatty(sys.__stdin__.fileno()):
            raise SystemExit(0)
        told.set()

    signal.signal(signal.SIGHUP, handle)
    return told


@contextmanager
def heeding(told: threading.Event, reload: Callable[[], str], screen: Screen) -> Iterator[None]:
    """Read the file again whenever that is told, within the block; print what came of it."""
    over = threading.Event()

    def heed() -> None:
        while not over.is_set():
            if told.wait(LOOK_S):
                told.clear()
                _once(reload, screen)

    thread = threading.Thread(target=heed, name="reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=LAST_S)


def _once(reload: Callable[[], str], screen: Screen) -> None:
    try:
        screen.note(reload())
    except Exception as error:  # noqa: BLE001  # whatever it is, the control plane runs on
        warn(f"cluster.yaml was not read again: {reason_of(error)}", screen)
