"""How far a long command is, on standard error: a bar with the time left for people, now and then a line for logs."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.config.units import format_duration

EVERY_S: Final = 10.0
"""A log is told a line so often at most, and none of what is done sooner."""


@contextmanager
def progress(name: str, total: float, screen: Screen, unit: str = "") -> Iterator[Callable[[float], None]]:
    """Yield what is told how much of the total is done.

    Args:
        name: of the work, for people.
        total: how much there is to do; 0 where nobody knows.
        screen: where it is shown.
        unit: of what is counted, for instance "runs".
    """
    if not sys.stderr.isatty():
        yield _lines(name, total, screen, unit)
        return
    from rich.console import Console  # noqa: PLC0415  # only terminals pay for it
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # likewise

    counted = TextColumn("{task.completed:.0f}" + (" of {task.total:g}" if total else "") + f" {unit}")
    columns = (TextColumn("{task.description}"), BarColumn(), counted, TimeRemainingColumn(), TextColumn("left"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total or None)
        yield lambda done: bar.update(task, completed=done)


def _lines(name: str, total: float, screen: Screen, unit: str) -> Callable[[float], None]:
    told_s = began_s = time.monotonic()

    def tell(done: float) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s < EVERY_S:
            return
        told_s = now_s
        left = f", {format_duration((now_s - began_s) * (total - done) / done)} left" if done and total else ""
        screen.note(f"{name}: {done:.0f}{f' of {total:g}' if total else ''} {unit}".rstrip() + left)

    return tell
