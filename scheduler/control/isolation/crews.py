"""Who does what a turn must not wait for: threads beside the loop, or, where time is simulated, the caller itself."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from scheduler.control.clocks import stopwatch_s

T = TypeVar("T")


class Crew(Protocol):
    """Takes on errands."""

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Return a future of what `work(*args)` returns or raises."""

    def tend(self) -> None:
        """Let others go on in place of errands that take too long."""


class AtOnce:
    """Does every errand while it is asked for: nothing is left to chance, and all is there when it is looked for."""

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Return a future that is done."""
        done: Future[T] = Future()
        _do(done, work, args)
        return done

    def tend(self) -> None:
        """Do nothing: every errand is done."""


class Threads:
    """So many threads at once; one that takes longer than the deadline counts no more, so that others go on.

    Threads are daemons: an errand that never ends does not keep the process from ending.
    """

    def __init__(self, name: str, most: int, deadline_s: float, timer: Callable[[], float] = stopwatch_s) -> None:
        """Allow `most` threads; an errand is given `deadline_s` wall seconds before another may take its place."""
        self._name, self._most, self._deadline_s, self._timer = name, most, deadline_s, timer
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = deque()
        self._running: dict[int, float] = {}
        self._number = 0

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Begin an errand, or put it in line."""
        future: Future[T] = Future()
        with self._lock:
            self._waiting.append((future, work, args))
        self.tend()
        return future

    def tend(self) -> None:
        """Begin threads for what waits, as far as those that are not late leave room."""
        with self._lock:
            self._begin()

    def _begin(self) -> None:
        """Begin what may begin; the lock is held."""
        now_s = self._timer()
        busy = sum(now_s - begun_s < self._deadline_s for begun_s in self._running.values())
        for _ in range(min(self._most - busy, len(self._waiting))):
            self._number += 1
            errand = threading.Thread(
                target=self._work, args=(self._number,), name=f"{self._name}-{self._number}", daemon=True
            )
            self._running[self._number] = now_s
            errand.start()

    def _work(self, number: int) -> None:
        is_late = False
        while True:
            with self._lock:
                if is_late or not self._waiting:
                    del self._running[number]
                    return
                begun_s = self._running[number] = self._timer()
                future, work, args = self._waiting.popleft()
            _do(future, work, args)
            is_late = self._timer() - begun_s >= self._deadline_s


def _do(future: "Future[Any]", work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Do an errand; whatever it raises is its future's."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        done = work(*args)
    except Exception as error:  # noqa: BLE001  # it is whoever looks at the future who must know
        future.set_exception(error)
    else:
        future.set_result(done)
