"""Errands in a process beside this one: what computes there takes no turn of this interpreter's lock from the loop.

The process speaks in pickles over its standard streams. It ends when the stream to it does, however this one ended.
"""

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import IO, Any, Final, TypeVar

from scheduler.control.isolation.bulkheads import reason_of
from scheduler.control.isolation.crews import Crew
from scheduler.model.errors import Unreachable

T = TypeVar("T")
ONE_CORE: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Computing takes one core at most: others need theirs."""


class OneProcess:
    """Does one errand at a time in a process of its own, started with the first errand and anew when it has ended.

    An errand must be a function that can be imported, and so must be all that it takes and returns.
    """

    def __init__(self, line: Crew, deadline_s: float) -> None:
        """Let `line` wait for the process, one errand after the other; each is given `deadline_s` wall seconds."""
        self._line, self._deadline_s = line, deadline_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def submit(self, work: Callable[..., T], /, *args: Any) -> "Future[T]":
        """Begin an errand, or put it in line."""
        return self._line.submit(self._done, work, args)

    def tend(self) -> None:
        """Let others go on in place of errands that take too long."""
        self._line.tend()

    def close(self) -> None:
        """End the process; what it does, and what waits for it, fails."""
        self._is_closed = True
        if (process := self._process) is not None:
            process.kill()  # whoever waits for it lets go of the lock
        with self._lock:
            self._end()

    def _done(self, work: Callable[..., T], args: tuple[Any, ...]) -> T:
        """Return what the process says; an errand that takes too long is ended with it.

        Raises:
            Unreachable: the process ended meanwhile, or the errand failed there, and why.
        """
        with self._lock:
            process = self._started()
            alarm = threading.Timer(self._deadline_s, process.kill)
            alarm.start()
            try:
                did, said = _asked(process, (work, args))
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                self._end()
                raise Unreachable(f"it was given up on after {self._deadline_s:.0f} s, or its process died") from error
            finally:
                alarm.cancel()
        if not did:
            raise Unreachable(said)
        return said  # type: ignore[no-any-return]  # what `work` returns

    def _started(self) -> subprocess.Popen[bytes]:
        """Return the process; a session of its own keeps Ctrl-C from it, which is for us to answer."""
        if self._is_closed:
            raise Unreachable("this control plane ends")
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603  # this very interpreter and module
                (sys.executable, "-m", __name__),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **ONE_CORE},
                start_new_session=True,
            )
        return self._process

    def _end(self) -> None:
        """End the process, if there is one; the lock is held."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()  # closes its streams
            self._process = None


def _asked(process: subprocess.Popen[bytes], errand: tuple[Any, ...]) -> tuple[bool, Any]:
    """Return whether an errand was done, and what it returned, or why not."""
    to, out = _open(process.stdin), _open(process.stdout)
    pickle.dump(errand, to)
    to.flush()
    return pickle.load(out)  # type: ignore[no-any-return]  # noqa: S301  # our own process wrote it


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise EOFError
    return stream


def serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Do errand after errand until there is none to come."""
    while True:
        try:
            work, args = pickle.load(asked)  # noqa: S301  # the process that started this one wrote it
        except EOFError:
            return
        try:
            said = pickle.dumps((True, work(*args)))
        except Exception as error:  # noqa: BLE001  # it is whoever asked who must know
            said = pickle.dumps((False, reason_of(error)))
        answers.write(said)
        answers.flush()


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as told:
        os.dup2(2, 1)  # what somebody prints is no answer
        serve(sys.stdin.buffer, told)
