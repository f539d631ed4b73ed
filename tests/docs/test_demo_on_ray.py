"""`make demo` as somebody runs it who has seen enough once a model answers and a job trains."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scheduler.client import Client
from scheduler.model.errors import HeadroomError
from tests.leftovers import descendants

pytestmark = [pytest.mark.ray, pytest.mark.alone, pytest.mark.slow, pytest.mark.timeout(500)]

ROOT = Path(__file__).parents[2]
WITHIN_S = 300.0


def plays(said: str) -> bool:
    """Whether a model is ready and a job runs."""
    url = re.search(r"dashboard: (http://\S+?)/?\s", said)
    if url is None:
        return False
    try:
        with Client(url[1]) as client:
            ready = any(model.ready for model in client.models().items)
            return ready and any(job.state == "Running" for job in client.jobs().items)
    except HeadroomError:
        return False


def test_it_serves_and_trains_and_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    before, log = descendants(), tmp_path / "log"
    words = [sys.executable, "-m", "scheduler.cli", "demo", "--port", "0", "--router-port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("wb") as told:
        demo = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
            start_new_session=True,
        )  # fmt: skip
    try:
        until_s = time.monotonic() + WITHIN_S
        while not plays(log.read_text(errors="replace")):
            assert demo.poll() is None, log.read_text()
            assert time.monotonic() < until_s, log.read_text()
            time.sleep(1.0)
        assert len(descendants() - before) > 5, "a Ray with its hosts"
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(90.0)
    assert not {process for process in descendants() - before if process.is_alive}, log.read_text()
