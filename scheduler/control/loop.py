"""Turn after turn until told to stop; what does not answer is tried again, with a status people see."""

from dataclasses import dataclass
from threading import Event
from typing import Final

from scheduler.control.cycle import Cycle
from scheduler.control.pauses import spare_collector
from scheduler.model.errors import HeadroomError, Unreachable

SPARED_EVERY: Final = 1000
"""Turns after which the collector is told anew what to pass over; see `spare_collector`."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses after failures in a row, in wall seconds: the first, doubled each time, up to the longest."""

    first_s: float = 1.0
    longest_s: float = 30.0

    def pause_s(self, failures: int) -> float:
        """Return the pause after so many failures in a row, at least 1."""
        return min(self.first_s * 2.0 ** min(failures - 1, 30), self.longest_s)


def run_forever(cycle: Cycle, stop: Event, poke: Event, backoff: Backoff | None = None) -> None:
    """Take turns until `stop` is set (set `poke` after it, so that a pause ends at once).

    Args:
        cycle: takes the turns, every `settings.period_s` seconds of its clock.
        stop: ends the loop after the turn that runs.
        poke: ends a pause early; cleared before each turn, so that no wish waits for a whole period.
        backoff: pauses when something does not answer.

    Raises:
        InvariantBroken: a bug; the board says that the loop has stopped.
    """
    pauses = backoff or Backoff()
    failures = turns = 0
    while not stop.is_set():
        poke.clear()
        began_s = cycle.timer()
        failed = _turn(cycle, failures)
        failures = failures + 1 if failed else 0
        if turns % SPARED_EVERY == 0:
            spare_collector()
        turns += 1
        rest_s = cycle.settings.period_s / cycle.clock.speed - (cycle.timer() - began_s)
        if not stop.is_set():
            poke.wait(pauses.pause_s(failures) if failures else max(0.0, rest_s))


def _turn(cycle: Cycle, failures: int) -> bool:
    """Take one turn; return whether something did not answer."""
    try:
        return bool(cycle.turn().degraded)
    except Unreachable as failure:
        cycle.board.degrade(f"{failure}; try {failures + 1}")
        return True
    except HeadroomError as failure:
        cycle.board.degrade(f"the control loop stopped: {failure}")
        raise
