"""When every job starts and ends: the coming days played as they are, again and again beside the loop."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from scheduler.control.clocks import stopwatch_s
from scheduler.control.isolation.bulkheads import pause_s
from scheduler.control.reports.board import Board, Report
from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.eta_record import EtaRecord
from scheduler.control.whatif.question import Rules

RISK_WITHIN_S: Final = 6 * 3600.0
"""The risk of being stopped for others is that of so long."""
LEAST_PAUSE_S: Final = 60.0
RESTS: Final = 4.0
"""Times what an estimate took (wall seconds) that pass until the next: a fifth of a core, or less, goes into them."""
LONGEST_PAUSE_S: Final = 3600.0
"""Where nobody can say again and again, it is tried so often at least."""
MOST_SPEED: Final = 10.0
"""On a clock that goes faster what was found would be old before it is said."""


@dataclass(frozen=True, slots=True)
class JobEta:
    """What is expected of a job, epoch seconds.

    Attributes:
        start: when it starts next; None for one that runs.
        end: when it is over.
        risk: chance that it is stopped for others within `RISK_WITHIN_S`.
        lost_gpu_s: work that would be lost then, GPU-seconds, on average.
    """

    start: Spread | None
    end: Spread
    risk: float = 0.0
    lost_gpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Etas:
    """What was expected at a moment.

    Attributes:
        at_s: the moment, epoch seconds.
        by_id: jobs that were open then.
        runs: that it rests on.
    """

    at_s: float = 0.0
    by_id: Mapping[str, JobEta] = field(default_factory=dict)
    runs: int = 0


class Estimator(Protocol):
    """Plays the coming hours as they are."""

    def estimate(self, report: Report, rules: Rules) -> Etas:
        """Return what is expected of every open job.

        Raises:
            Unreachable: nobody can say, and why.
        """


class EtaDesk:
    """Keeps what is expected up to date, beside the loop and never in its way. Thread-safe."""

    def __init__(
        self,
        estimator: Estimator,
        board: Board,
        rules: Callable[[], Rules],
        is_busy: Callable[[], bool],
        timer: Callable[[], float] = stopwatch_s,
    ) -> None:
        """Ask of what the board shows, when `is_busy` does not say that somebody waits for the same process."""
        self._estimator, self._board, self._rules = estimator, board, rules
        self._is_busy, self._timer = is_busy, timer
        self._etas, self._lock, self._failures = Etas(), threading.Lock(), 0
        self.record = EtaRecord()
        board.listeners.append(self._seen)

    @property
    def etas(self) -> Etas:
        """What is expected, as its own record corrects it."""
        with self._lock:
            return self._etas

    def run_forever(self, stop: threading.Event) -> None:
        """Estimate again and again until told to stop."""
        rest_s = LEAST_PAUSE_S / 4
        while not stop.wait(rest_s):
            rest_s = self.estimate()

    def estimate(self) -> float:
        """Estimate once, if that can be done now, and return for how long to rest, wall seconds."""
        report, began_s = self._board.report, self._timer()
        if report is None or not report.cycle.snapshot.jobs or self._is_busy():
            return LEAST_PAUSE_S / 4
        try:
            found = self._estimator.estimate(report, self._rules())
            with self._lock:
                self._etas = Etas(found.at_s, self.record.corrected(found.by_id, found.at_s), found.runs)
                self.record.said(found.by_id, found.at_s)
        except Exception:  # noqa: BLE001  # whatever it is: a thread that ends would leave the last word standing for ever
            self._failures += 1
            return pause_s(self._failures, LEAST_PAUSE_S * RESTS, LONGEST_PAUSE_S)
        self._failures = 0
        return max(LEAST_PAUSE_S, RESTS * (self._timer() - began_s))

    def _seen(self, report: Report) -> None:
        with self._lock:
            self.record.see(report.cycle.snapshot)
