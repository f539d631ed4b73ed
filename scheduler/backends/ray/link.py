"""Our side of the driver process: orders with a deadline; a driver that does not answer is replaced."""

import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scheduler.model.errors import ActionFailed, Unreachable

START_S: Final = 30.0
KNOCK_S: Final = 3.0
ANSWER_S: Final = 5.0


class DriverLink:
    """Sends orders to `scheduler.backends.ray.driver`, one at a time, from any thread.

    Args:
        address: host and port of Ray's GCS.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def look(self) -> Mapping[str, Any]:
        """Return `nodes` as `ray.nodes()` has them and `groups`, state by name.

        Raises:
            Unreachable: Ray does not answer.
        """
        return self._ask({"order": "look"}, ANSWER_S)

    def reserve(
        self, name: str, bundles: Sequence[Mapping[str, float]], selectors: Sequence[Mapping[str, str]], wait_s: float
    ) -> bool:
        """Make a placement group, or leave nothing behind; return whether it stands.

        Args:
            name: of the group; one that exists is left alone.
            bundles: resources of each worker, as Ray counts them.
            selectors: labels of each worker's node.
            wait_s: how long room that is just being freed may take.

        Raises:
            Unreachable: Ray does not answer.
            ActionFailed: Ray refuses.
        """
        order = {"order": "reserve", "name": name, "bundles": bundles, "selectors": selectors, "wait_s": wait_s}
        answer = self._ask(order, ANSWER_S + wait_s)
        if "error" in answer:
            raise ActionFailed(f"Ray refuses {name}: {answer['error']}")
        return bool(answer["created"])

    def release(self, names: Sequence[str]) -> frozenset[str]:
        """Remove placement groups and supervisors of jobs, with all that runs in them.

        Args:
            names: of runs; nothing happens for those that are gone.

        Returns:
            Those of which anything was left.

        Raises:
            Unreachable: Ray does not answer.
        """
        if not names:
            return frozenset()
        return frozenset(self._ask({"order": "release", "names": list(names)}, ANSWER_S).get("found", names))

    def close(self) -> None:
        """End the driver; the next order starts a new one."""
        with self._lock:
            self._end()

    def _ask(self, order: Mapping[str, Any], answer_s: float) -> Mapping[str, Any]:
        with self._lock:
            fresh = self._process is None
            process = self._running()
            line = self._exchange(process, json.dumps(order), answer_s + (START_S if fresh else 0.0))
            answer = dict(json.loads(line)) if line else {}
            if not line or "refused" in answer:  # an order without a result is answered by {}
                self._end()
                why = answer.get("refused", "")
                raise Unreachable(f"Ray at {self._address} does not answer" + (f": {why}" if why else ""))
        return answer

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._knock()
        self._process = subprocess.Popen(  # noqa: S603  # our own module
            [sys.executable, "-m", "scheduler.backends.ray.driver", self._address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C in a terminal is for the control plane to handle
        )
        return self._process

    def _knock(self) -> None:
        """See that something listens: a driver would try for half a minute before it gives up.

        Raises:
            Unreachable: nothing does.
        """
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
        except (OSError, ValueError) as error:
            help_ = "is Ray up there? backend.address in the configuration points elsewhere"
            raise Unreachable(f"Ray at {self._address} does not answer: {error}", help=help_) from error

    @staticmethod
    def _exchange(process: "subprocess.Popen[str]", order: str, answer_s: float) -> str:
        if process.stdin is None or process.stdout is None:
            return ""
        try:
            process.stdin.write(order + "\n")
            process.stdin.flush()
        except OSError:
            return ""
        ready, _, _ = select.select([process.stdout], [], [], answer_s)
        return process.stdout.readline() if ready else ""

    def _end(self) -> None:
        if self._process is None:
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                _close(pipe)
        self._process.kill()
        self._process.wait()
        self._process = None


def _close(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:
        return  # the reader is gone: nothing to flush to
