"""A real `headroom run` reads its file again, by command and by signal, and runs on whatever is in it."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.client import Client
from scheduler.model.errors import HeadroomError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
PROGRAM = Path(__file__).parent / "plane_on_file.py"
CLUSTER = """\
cluster: again
backend: {kind: ray, address: "127.0.0.1:1", dashboard: "http://127.0.0.1:1"}
control: {period: 500ms}
queues: [default, research]
"""


class Process:
    """`headroom run` on a cluster that is a file."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.folder, self.file = folder, folder / "cluster.yaml"
        self.file.write_text(CLUSTER, encoding="utf-8")
        command = [sys.executable, str(PROGRAM), str(folder / "world.db"), "run", "-c", str(self.file)]
        command += ["--state-dir", str(folder / "state"), "--port", self.url.rpartition(":")[2]]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.client = Client(self.url)

    def write(self, old: str, new: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")

    def types(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "scheduler.cli", "--url", self.url, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def queues(self) -> set[str]:
        try:
            return {queue.name for queue in self.client.queues().items}
        except HeadroomError:
            return set()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8")

    def until(self, done: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60.0
        while not done():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.1)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    """A control plane that plans."""
    made = Process(tmp_path)
    try:
        made.until(lambda: made.queues() == {"default", "research"})
        yield made
    finally:
        made.process.terminate()
        made.process.wait(30.0)
        made.client.close()


def test_by_command_and_by_signal_the_file_counts_again(process: Process) -> None:
    process.write("research", "product")
    only_asked = process.types("reload", "--dry-run")
    assert (only_asked.returncode, "queue research" in only_asked.stdout) == (0, True), only_asked.stderr
    assert process.queues() == {"default", "research"}
    done = process.types("reload", "-o", "json")
    assert {each["what"] for each in json.loads(done.stdout)["item"]["changes"]} == {"queue product", "queue research"}
    process.until(lambda: process.queues() == {"default", "product"})

    process.write("product", "sales")
    process.process.send_signal(signal.SIGHUP)
    process.until(lambda: process.queues() == {"default", "sales"})
    assert "queue sales comes; queue product goes" in process.log()

    process.write("cluster: again", "cluster: other")
    refused = process.types("reload")
    assert refused.returncode == 2
    assert f"error: {process.file}:1: cluster cannot change while the control plane runs" in refused.stderr
    process.process.send_signal(signal.SIGHUP)
    process.until(lambda: "is refused, all stays as it is" in process.log())
    assert process.client.status().state == "live"
    said = [(event.title, event.actor) for event in process.client.events(subject="configuration").items]
    assert [title.partition(":")[0] for title, _ in said] == [
        "cluster.yaml was read again",
        "cluster.yaml was read again",
        "the file of the control plane is refused; all stays as it is",
    ]
    assert [actor for _, actor in said] == ["operator", "SIGHUP", ""]
