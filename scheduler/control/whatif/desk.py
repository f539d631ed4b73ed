"""Takes questions of the kind "what if" and keeps their answers while they grow; a bounded number of each."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from scheduler.control.clocks import stopwatch_s
from scheduler.control.isolation.bulkheads import reason_of
from scheduler.control.reports.board import Board, Report
from scheduler.control.whatif.answer import Answer
from scheduler.control.whatif.question import Question, Rules
from scheduler.model.errors import Conflict, NotFound

MOST_WAITING: Final = 4
"""Questions that wait for their turn; of one person, at most `MOST_OF_ONE`."""
MOST_OF_ONE: Final = 2
KEPT: Final = 32
"""Questions whose answers are kept, the newest."""


class Player(Protocol):
    """Plays questions."""

    def play(self, report: Report, rules: Rules, question: Question) -> Iterator[Answer]:
        """Yield what is known after each run, the whole answer last.

        Raises:
            Unreachable: it cannot be played, and why.
        """

    def close(self) -> None:
        """End what is being played."""


class Phase(StrEnum):
    """How far a question is."""

    WAITING = "waiting"
    PLAYING = "playing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question and what is known of its answer.

    Attributes:
        name: by which it is asked for again.
        by: who asks.
        question: what is asked.
        phase: see `Phase`.
        answer: what is known by now; None before the first run.
        took_s: wall seconds since it was begun.
        failure: why there is no answer; "" when there is, or will be.
    """

    name: str
    by: str
    question: Question
    phase: Phase = Phase.WAITING
    answer: Answer | None = None
    took_s: float = 0.0
    failure: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in {Phase.DONE, Phase.FAILED}


class WhatIfDesk:
    """Questions, one played at a time. Thread-safe; nothing live is touched."""

    def __init__(
        self, player: Player, board: Board, rules: Callable[[], Rules], timer: Callable[[], float] = stopwatch_s
    ) -> None:
        """Ask of what the board shows; `rules` says how the site decides."""
        self._player, self._board, self._rules, self._timer = player, board, rules, timer
        self._lock = threading.Lock()
        self._inquiries: dict[str, Inquiry] = {}
        self._waiting: deque[str] = deque()
        self._number = 0
        self._is_playing = False

    def ask(self, question: Question, by: str = "") -> Inquiry:
        """Take a question; it is answered beside everything else.

        Raises:
            Conflict: no plan was made yet, or too many questions wait.
        """
        with self._lock:
            self._refuse_too_many(by)
            self._number += 1
            inquiry = Inquiry(f"w{self._number}", by, question)
            self._inquiries[inquiry.name] = inquiry
            self._waiting.append(inquiry.name)
            self._forget_old()
            if not self._is_playing:
                self._is_playing = True
                threading.Thread(target=self._play_all, name="what-if-desk", daemon=True).start()
        return inquiry

    @property
    def is_playing(self) -> bool:
        """Whether somebody waits for an answer."""
        with self._lock:
            return self._is_playing

    def inquiry(self, name: str) -> Inquiry:
        """Return a question with what is known by now.

        Raises:
            NotFound: there is none, or it was forgotten.
        """
        with self._lock:
            if name not in self._inquiries:
                raise NotFound(f"no question {name}", help=f"the newest {KEPT} are kept; ask again")
            return self._inquiries[name]

    def inquiries(self) -> tuple[Inquiry, ...]:
        """Return all questions that are kept, oldest first."""
        with self._lock:
            return tuple(self._inquiries.values())

    def close(self) -> None:
        """End what is being played."""
        self._player.close()

    def _refuse_too_many(self, by: str) -> None:
        if self._board.report is None:
            raise Conflict("no plan was made yet", help="ask again in a minute")
        own = sum(one.by == by and not one.is_over for one in self._inquiries.values())
        if len(self._waiting) >= MOST_WAITING or own >= MOST_OF_ONE:
            raise Conflict("too many questions wait already", help="they are answered one by one; ask again later")

    def _forget_old(self) -> None:
        over = [name for name, one in self._inquiries.items() if one.is_over]
        for name in over[: max(0, len(self._inquiries) - KEPT)]:
            del self._inquiries[name]

    def _play_all(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_playing = False
                    return
                inquiry = self._inquiries[self._waiting.popleft()]
            self._play(inquiry)

    def _play(self, inquiry: Inquiry) -> None:
        began_s = self._timer()

        def keep(**changes: object) -> None:
            nonlocal inquiry
            inquiry = replace(inquiry, took_s=self._timer() - began_s, **changes)  # type: ignore[arg-type]  # its fields
            with self._lock:
                self._inquiries[inquiry.name] = inquiry

        try:
            keep(phase=Phase.PLAYING)
            report = self._board.report
            for answer in self._player.play(report, self._rules(), inquiry.question) if report else ():
                keep(answer=answer)
            keep(phase=Phase.DONE)
        except Exception as error:  # noqa: BLE001  # whoever asked is told
            keep(phase=Phase.FAILED, failure=reason_of(error))
