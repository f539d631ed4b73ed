"""The lines of `headroom run`: a change of health is told once, and that it begins well is not news."""

import io
import threading

import pytest

from scheduler.cli.screen import Screen
from scheduler.cli.ticker import tell_cycles
from scheduler.control.reports.board import Board, Report


class Played(Board):
    """A board whose health changes each time somebody waits for a report; it then says stop."""

    def __init__(self, healths: list[str]) -> None:
        super().__init__()
        self.stop = threading.Event()
        self._healths = list(healths)

    def wait_beyond(self, cycle: int, timeout_s: float) -> Report | None:  # noqa: ARG002  # the board's signature
        """Go on to the next health."""
        self.degrade(self._healths.pop(0))
        if not self._healths:
            self.stop.set()
        return None


DOWN, AGAIN = "Ray does not answer", "Ray does not answer, try 2"


@pytest.mark.parametrize(
    ("healths", "lines"),
    [
        (["", ""], []),
        (["", DOWN, DOWN, ""], [f"degraded: {DOWN}", "all well again"]),
        ([DOWN, AGAIN], [f"degraded: {DOWN}", f"degraded: {AGAIN}"]),
        ([DOWN, "", ""], [f"degraded: {DOWN}", "all well again"]),
    ],
)
def test_changes_of_health_are_told_and_a_good_beginning_is_not(healths: list[str], lines: list[str]) -> None:
    board, err = Played(healths), io.StringIO()
    screen = Screen(io.StringIO(), err, is_terminal=False, width=80, colored=False, header=True, zone=None)
    tell_cycles(board, board.stop, screen)
    assert err.getvalue().splitlines() == lines
