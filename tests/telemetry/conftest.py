"""A real Prometheus server with a history made for the test."""

import math
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BEGIN_S = 1_350_259_200
"""2012-10-15 00:00 UTC."""
HOURS = 60
SCRAPE_S = 60


def rate_at(at_s: float) -> float:
    """Return the requests per second that the recorded counter grew by."""
    return 20.0 + 10.0 * math.sin(2 * math.pi * (at_s - BEGIN_S) / 86400.0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A server that scraped `requests_total` of two instances for `HOURS` hours, once a minute, and then no more."""

    url: str
    end_s: int = BEGIN_S + HOURS * 3600
    begin_s: int = BEGIN_S


def _openmetrics() -> str:
    lines = ["# TYPE requests counter"]
    for instance in ("one", "two"):
        count = 0.0
        for at_s in range(BEGIN_S, BEGIN_S + HOURS * 3600 + 1, SCRAPE_S):
            lines.append(f'requests_total{{instance="{instance}"}} {count} {at_s}')
            count += rate_at(at_s + SCRAPE_S / 2) * SCRAPE_S / 2
    return "\n".join([*lines, "# EOF", ""])


def _wait_until_ready(url: str, server: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=5):  # noqa: S310  # our own server
                return
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None, "Prometheus ended by itself"
            time.sleep(0.1)
    pytest.fail("Prometheus did not get ready")


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Run a Prometheus server with the recorded history."""
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if prometheus is None or promtool is None:
        pytest.skip("needs the programs prometheus and promtool")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    history, config, data = folder / "history.txt", folder / "prometheus.yml", folder / "data"
    history.write_text(_openmetrics())
    config.write_text("scrape_configs: []\n")
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(history), str(data)]
    subprocess.run(blocks, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", server)
            yield Recorded(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait()


@pytest.fixture(scope="session")
def true_rate() -> object:
    """Return the function that the recorded counter follows."""
    return rate_at
