"""Asks questions in a process beside the control plane: at most one core, at a lower priority, one after the other."""

import pickle
from collections.abc import Iterator
from itertools import count
from typing import Final

from scheduler.control.clocks import stopwatch_s
from scheduler.control.isolation.crews import Threads
from scheduler.control.isolation.processes import OneProcess
from scheduler.control.reports.board import Report
from scheduler.control.whatif.answer import Answer
from scheduler.control.whatif.etas import Etas
from scheduler.control.whatif.question import Question, Rules
from simulations.whatif.errands import begin, begin_estimate, conclude, conclude_estimate, play_estimate, play_one
from simulations.whatif.moment import Moment

RUN_WITHIN_S: Final = 120.0
"""Wall seconds after which a run is given up."""
ESTIMATE_WITHIN_S: Final = 60.0
LEAST_RUNS: Final = 5
"""An estimate rests on fewer runs where more would take longer, and never on fewer than these."""


class BesideTheLoop:
    """A `scheduler.control.whatif.desk.Player` in a process of its own."""

    def __init__(self) -> None:
        """Start nothing before the first question."""
        self._process = OneProcess(Threads("what-if", 1, 2 * RUN_WITHIN_S), RUN_WITHIN_S)
        self._numbers = count(1)

    def play(self, report: Report, rules: Rules, question: Question) -> Iterator[Answer]:
        """Yield what is known after each run, and at last the whole answer.

        Raises:
            Unreachable: the process died, or a run failed there, and why.
        """
        name, moment = f"question {next(self._numbers)}", Moment.of(report, rules.policy, rules.settings)
        self._process.submit(begin, name, pickle.dumps(moment), question).result()
        for _ in range(question.runs):
            yield self._process.submit(play_one, name).result()
        yield self._process.submit(conclude, name).result()

    def estimate(self, report: Report, rules: Rules) -> Etas:
        """Return what is expected of every open job, by as many runs as the time allows.

        Raises:
            Unreachable: the process died, or a run failed there, and why.
        """
        name, moment = f"estimate {next(self._numbers)}", Moment.of(report, rules.policy, rules.settings)
        runs = self._process.submit(begin_estimate, name, pickle.dumps(moment)).result()
        until_s = stopwatch_s() + ESTIMATE_WITHIN_S
        for number in range(runs):
            if number >= LEAST_RUNS and stopwatch_s() > until_s:
                break
            self._process.submit(play_estimate, name).result()
        return self._process.submit(conclude_estimate, name).result()

    def close(self) -> None:
        """End the process."""
        self._process.close()
