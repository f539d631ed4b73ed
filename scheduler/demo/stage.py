"""The processes of the demo: the control plane and the load generator, each ended by its own id."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from scheduler.backends.ray.local import LocalRay
from scheduler.client import Client
from scheduler.demo import load
from scheduler.demo.programme import CONFIG
from scheduler.model.errors import HeadroomError, Unreachable

START_S: Final = 120.0
STOP_S: Final = 45.0
LOG: Final = "control-plane.log"


class ControlPlane:
    """`headroom run` in a process of its own.

    Args:
        config: its configuration.
        state_dir: where it keeps its state, and its output in `control-plane.log`.
        port: of the API.
        flags: further ones.
    """

    def __init__(self, config: Path, state_dir: Path, port: int, *flags: str) -> None:
        self._state_dir, self._log = state_dir, state_dir / LOG
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "scheduler.cli", "run", "-c", str(config), "--state-dir", str(state_dir)]
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [*command, "--port", str(port), *flags],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_live(self, client: Client) -> None:
        """Return once the first plan was made.

        Raises:
            HeadroomError: it ended, or did not come up in time; with what it said.
        """
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise HeadroomError(f"the control plane ended: {self.last_words()}", help=f"see {self._log}")
            try:
                if client.status().state == "live":
                    return
            except Unreachable:
                pass  # it does not listen yet
            time.sleep(0.25)
        raise HeadroomError(f"the control plane made no plan in {START_S:.0f} s: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last lines it printed."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " / ".join(line for line in lines[-4:] if line.strip()) or "it printed nothing"

    def stop(self) -> None:
        """End it; what runs on its cluster goes on."""
        if self._process.poll() is None:
            self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class RayControlPlane(ControlPlane):
    """One that starts a Ray cluster on this machine.

    Args:
        state_dir, port: as of `ControlPlane`.
        router_port: of the front router.
        reactive: without the forecast.
    """

    def __init__(self, state_dir: Path, port: int, router_port: int, *, reactive: bool) -> None:
        flags = ("--router-port", str(router_port), *(("--reactive",) if reactive else ()))
        super().__init__(CONFIG, state_dir, port, *flags)

    def stop(self) -> None:
        """End it, and with it the Ray cluster it started; also one that it left behind.

        Raises:
            Unreachable: a process of that cluster cannot be ended.
        """
        super().stop()
        LocalRay((), self._state_dir).stop()


class LoadProcess:
    """The load generator in a process of its own.

    Args:
        streams: what to send where.
        world_s: what the world's clock shows now.
        speed: world seconds per wall second.
        seed: of the arrivals.
    """

    def __init__(self, streams: Sequence[load.Stream], world_s: float, speed: float, seed: int = 1) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", load.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
            start_new_session=True,
        )
        self._counts: dict[str, load.Count] = {}
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        orders = {"streams": [asdict(stream) for stream in streams], "world_s": world_s, "speed": speed, "seed": seed}
        print(json.dumps(orders), file=self._process.stdin, flush=True)

    @property
    def counts(self) -> Mapping[str, load.Count]:
        """What became of the requests so far, by model."""
        return self._counts

    def stop(self) -> Mapping[str, load.Count]:
        """Send no more, wait for the answers that are due, and return the final counts."""
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(load.GIVE_UP_S + 5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(timeout=5.0)
        return self._counts

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._counts = {model: load.Count(**count) for model, count in json.loads(line).items()}
