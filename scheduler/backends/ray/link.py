"""Our side of the driver process: orders with a deadline; a driver that does not answer is replaced."""

import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.claims import Claim, InTheWay
from scheduler.model.errors import ActionFailed, Unreachable

START_S: Final = 30.0
KNOCK_S: Final = 3.0
ANSWER_S: Final = 5.0


class DriverLink:
    """Sends orders to `scheduler.backends.ray.driver`, one at a time, from any thread.

    Args:
        address: host and port of Ray's GCS.
        claimant: whose orders these are. Looking claims the cluster; every call raises `Superseded` when another
            control plane leads, `ClusterTaken` when one with another store has the cluster, and does nothing then.
    """

    def __init__(self, address: str, claimant: Claimant) -> None:
        self._address, self._claimant = address, claimant
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def look(self) -> Mapping[str, Any]:
        """Return `nodes` as `ray.nodes()` has them, `groups` with their bundles, and the names that were `adopted`.

        Raises:
            Unreachable: Ray does not answer.
        """
        return self._ask({"order": "look", "take_over": self._claimant.take_over}, ANSWER_S)

    def confirm(self) -> None:
        """See that we still have the cluster, before an order that goes another way.

        Raises:
            Unreachable: Ray does not answer.
        """
        self._ask({"order": "confirm"}, ANSWER_S)

    def adopt(self, name: str) -> None:
        """Have a stray listed as adopted from now on.

        Raises:
            Unreachable: Ray does not answer.
        """
        self._ask({"order": "adopt", "name": name}, ANSWER_S)

    def unserve(self, name: str) -> None:
        """Have Serve remove an application that was not made by its configuration.

        Raises:
            Unreachable: Ray does not answer.
            ActionFailed: Serve refuses.
        """
        answer = self._ask({"order": "unserve", "name": name}, ANSWER_S)
        if "error" in answer:
            raise ActionFailed(f"Serve does not remove {name}: {answer['error']}")

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
        """Let others claim the cluster, and end the driver; the next order starts a new one."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                leaving = {"order": "leave", "claim": asdict(self._claimant.last_claim())}
                self._exchange(self._process, json.dumps(leaving), ANSWER_S)
            self._end()

    def _ask(self, order: Mapping[str, Any], answer_s: float) -> Mapping[str, Any]:
        with self._lock:
            fresh = self._process is None
            process = self._running()
            carried = {**order, "claim": asdict(self._claimant.claim())}
            line = self._exchange(process, json.dumps(carried), answer_s + (START_S if fresh else 0.0))
            answer = dict(json.loads(line)) if line else {}
            if not line or "refused" in answer:  # an order without a result is answered by {}
                self._end()
                why = answer.get("refused", "")
                raise Unreachable(f"Ray at {self._address} does not answer" + (f": {why}" if why else ""))
        if other := answer.get("in_the_way"):
            raise self._claimant.refused(InTheWay(Claim(**other["claim"]), other["silent_s"]))
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
