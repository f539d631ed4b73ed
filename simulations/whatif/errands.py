"""What a process beside the loop does for a question: takes the state once, then plays one run after the other."""

import os
import pickle
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from scheduler.control.whatif.answer import Answer
from scheduler.control.whatif.etas import Etas
from scheduler.control.whatif.question import Question
from simulations.whatif.answering import Pair, answer_of
from simulations.whatif.coming import Coming, Paths
from simulations.whatif.counting import Run, counted
from simulations.whatif.covering import cover_of
from simulations.whatif.estimating import RUNS, Estimated
from simulations.whatif.moment import Moment
from simulations.whatif.playing import play

LOWER_BY: Final = 10
"""Steps of priority below the loop's."""


@dataclass(slots=True)
class Asked:
    """One question, and how far it is.

    Attributes:
        moment: what it is asked of.
        question: what is otherwise.
        paths: of traffic, for all runs.
        sides: what serving needs as it is, and as it would be.
        pairs: what came out.
    """

    moment: Moment
    question: Question
    paths: Paths
    sides: tuple[Coming, Coming]
    pairs: list[Pair] = field(default_factory=list)

    @classmethod
    def of(cls, moment: Moment, question: Question) -> "Asked":
        """Draw all paths of traffic."""
        paths = Paths.drawn(moment, question, question.runs)
        return cls(
            moment, question, paths, (Coming(moment, as_it_is(question), paths), Coming(moment, question, paths))
        )

    def play(self) -> Answer:
        """Play one more run of both sides and return what is known then."""
        number = len(self.pairs)
        as_is, what_if = (self._run(asked, coming, number) for asked, coming in self._sides())
        self.pairs.append((as_is, what_if))
        return answer_of(self.moment, self.question, self.pairs)

    def covered(self) -> Answer:
        """Return the answer with what would cover what serving lacks."""
        runs = [pair[1] for pair in self.pairs]
        cover = cover_of(self.moment, self.question, runs, self._again)
        return answer_of(self.moment, self.question, self.pairs, cover)

    def _sides(self) -> tuple[tuple[Question, Coming], tuple[Question, Coming]]:
        return (as_it_is(self.question), self.sides[0]), (self.question, self.sides[1])

    def _run(self, question: Question, coming: Coming, number: int) -> Run:
        return counted(play(self.moment, question, coming, number), coming, number, self.moment.now_s)

    def _again(self, question: Question, number: int) -> Run:
        return self._run(question, self.sides[1], number)


def as_it_is(question: Question) -> Question:
    """Return the same question with nothing otherwise."""
    return Question(question.horizon_s, question.runs, question.seed)


_asked: dict[str, Asked] = {}
_estimated: dict[str, Estimated] = {}


def begin(name: str, moment: bytes, question: Question) -> None:
    """Take a question, in place of any other."""
    _give_way()
    _asked.clear()
    _asked[name] = Asked.of(pickle.loads(moment), question)  # noqa: S301  # the process that started this one wrote it


def begin_estimate(name: str, moment: bytes) -> int:
    """Take a state to estimate of, in place of any other; return how many runs are to be played."""
    _give_way()
    _estimated.clear()
    _estimated[name] = Estimated.of(pickle.loads(moment))  # noqa: S301  # likewise
    return RUNS


def play_estimate(name: str) -> None:
    """Play one more run of an estimate."""
    _estimated[name].play()


def conclude_estimate(name: str) -> Etas:
    """Return what is expected by the runs that were played, and forget the state."""
    return _estimated.pop(name).etas()


def _give_way() -> None:
    """Let everything else go first."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, LOWER_BY)


def play_one(name: str) -> Answer:
    """Play one more run of a question."""
    return _asked[name].play()


def conclude(name: str) -> Answer:
    """Return the last word on a question, and forget it."""
    return _asked.pop(name).covered()
