"""Answers of a store that may fall silent, for those who only look: a fresh one, or soon the one before."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import Final, Generic, TypeVar

from scheduler.model.errors import Unreachable

PATIENCE_S: Final = 1.0
"""Longest wait of somebody who looks, wall seconds."""
_AnswerT = TypeVar("_AnswerT")


class Remembered(Generic[_AnswerT]):
    """One question and its last answer; thread-safe.

    The question is asked in a thread of its own, one at a time: whoever comes while it is under way waits for the same
    answer, and nobody waits longer than `PATIENCE_S`.
    """

    def __init__(self, ask: Callable[[], _AnswerT], empty: _AnswerT) -> None:
        """Ask nothing yet.

        Args:
            ask: the question; may raise `Unreachable`.
            empty: the answer as long as there was none.
        """
        self._ask = ask
        self._last, self._was_answered = empty, False
        self._lock = threading.Lock()
        self._under_way: Future[_AnswerT] | None = None

    def __call__(self) -> _AnswerT:
        """Return the answer of now, or the last one when the store is silent."""
        asked = self._asked()
        try:
            return asked.result(timeout=PATIENCE_S)
        except (NotYet, Unreachable):
            return self._last

    @property
    def was_answered(self) -> bool:
        """Whether there ever was an answer."""
        return self._was_answered

    def _asked(self) -> "Future[_AnswerT]":
        with self._lock:
            if self._under_way is not None:
                return self._under_way
            asked: Future[_AnswerT] = Future()
            self._under_way = asked
        threading.Thread(target=self._answer, args=(asked,), name="remembering", daemon=True).start()
        return asked

    def _answer(self, asked: "Future[_AnswerT]") -> None:
        try:
            found = self._ask()
        except BaseException as error:  # noqa: BLE001  # raised again by whoever waits for the answer
            self._done(asked)
            asked.set_exception(error)
            return
        self._last, self._was_answered = found, True
        self._done(asked)
        asked.set_result(found)

    def _done(self, asked: "Future[_AnswerT]") -> None:
        with self._lock:
            assert self._under_way is asked  # noqa: S101  # one at a time
            self._under_way = None
