"""Turn after turn until told to stop; what fails is tried again, with a status people see."""

import logging
from dataclasses import dataclass
from threading import Event
from typing import Final

from scheduler.control.clocks import computed_s, stopwatch_s
from scheduler.control.cycle import Cycle
from scheduler.control.gc_freeze import spare_collector
from scheduler.control.isolation.bulkheads import reason_of
from scheduler.model.errors import HeadroomError, Superseded

SPARED_EVERY: Final = 1000
"""Turns after which the collector is told anew what to pass over; see `spare_collector`."""
log = logging.getLogger(__name__)


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

    Whatever a turn raises, the last plan stays, the board says why, and the next turn comes after a pause; only what
    ends a process (KeyboardInterrupt, SystemExit) ends the loop.

    Args:
        cycle: takes the turns, every `settings.period_s` seconds of its clock.
        stop: ends the loop after the turn that runs.
        poke: ends a pause early; cleared before each turn, so that no wish waits for a whole period.
        backoff: pauses when something fails.

    Raises:
        Superseded: another control plane leads.
    """
    pauses = backoff or Backoff()
    failures = turns = 0
    while not stop.is_set():
        poke.clear()
        failed, rest_s = _turn(cycle, failures)
        failures = failures + 1 if failed else 0
        if turns % SPARED_EVERY == 0:
            spare_collector()
        turns += 1
        if not stop.is_set():
            poke.wait(pauses.pause_s(failures) if failures else rest_s)


def _turn(cycle: Cycle, failures: int) -> tuple[bool, float]:
    """Take one turn; return whether something failed, and the rest of the period in wall seconds."""
    wall_s, cpu_s = stopwatch_s(), computed_s()
    try:
        began_s = cycle.timer()
        failed = bool(cycle.turn().degraded)
        return failed, max(0.0, cycle.settings.period_s / cycle.clock.speed - (cycle.timer() - began_s))
    except Superseded as error:
        cycle.board.degrade(str(error))
        raise
    except Exception as error:  # nothing that a turn raises may end the loop
        log.info("a turn failed", exc_info=error)
        cycle.board.degrade(f"{_said(error)}; try {failures + 1}")
        return True, 0.0
    finally:
        cycle.board.took(stopwatch_s() - wall_s, computed_s() - cpu_s)


def _said(error: Exception) -> str:
    """Return what failed: in Headroom's own words where it has some, else as an error of the control loop."""
    return str(error) if isinstance(error, HeadroomError) else f"the control loop failed: {reason_of(error)}"
