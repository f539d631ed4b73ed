"""`headroom forecast` of what a real Prometheus server recorded: asked directly, and through a control plane."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from scheduler.cli.composition import plane as root
from scheduler.cli.composition.cluster import Seat
from scheduler.cli.composition.state import store_url
from scheduler.cli.main import run
from scheduler.config.loading import load_config
from scheduler.control.reports.board import RequestCounts
from scheduler.model.hosts import Device, Host
from scheduler.store.ownership import Candidacy
from simulations.world import World

pytestmark = pytest.mark.prometheus

HOUR_S = 3600
QUERY = "sum(rate(requests_total[5m]))"
SITE = """\
cluster: measured
backend: {{kind: ray, address: "127.0.0.1:6379", dashboard: "http://127.0.0.1:8265"}}
replay: {{start: "{start}", speed: 1}}
control: {{period: 1s}}
traffic:
  web: {{kind: prometheus, url: "{url}", query: "{query}", step: {step}, history: 3d}}
models:
  - name: edit-check
    served_elsewhere: true
    resources: {{cpus: 1, gpus: 1}}
    capacity: {{kind: rate, rps_per_replica: 6}}
    max_replicas: 8
    warm_up: 30s
    traffic: web
    share: 0.5
"""


@pytest.fixture
def record(recorded: Any, true_rate: Callable[[float], float]) -> tuple[Any, Callable[[float], float]]:
    """The server, and what it really recorded."""
    return recorded, true_rate


def stamp(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_query(url: str, *flags: str) -> list[str]:
    return ["forecast", QUERY, "--prometheus", url, "--history", "3d", *flags]


def test_a_query_is_forecast_without_a_control_plane(
    recorded: Any, true_rate: Callable[[float], float], capsys: pytest.CaptureFixture[str]
) -> None:
    from_s = recorded.begin_s + 54 * HOUR_S
    assert run(of_query(recorded.url, "--from", stamp(from_s), "--horizon", "6h", "-o", "json")) == 0
    item = json.loads(capsys.readouterr().out)["item"]
    assert (item["query"], item["prometheus"], item["step_s"]) == (QUERY, recorded.url, HOUR_S)
    assert item["basis"]["history_s"] == 54 * HOUR_S
    assert item["points"][0]["at"] == stamp(from_s)
    middle = [point["p50"] for point in item["points"]]
    np.testing.assert_allclose(middle, [true_rate(from_s + (i + 0.5) * HOUR_S) for i in range(6)], rtol=0.1)
    (six_hours,) = (peak for peak in item["peaks"] if peak["window_s"] == 6 * HOUR_S)
    highest = max(true_rate(from_s + (i + 0.5) * HOUR_S) for i in range(6))
    assert six_hours["p50"] == pytest.approx(highest, rel=0.1)
    assert highest <= six_hours["p99"] < 2 * highest


@pytest.mark.parametrize(("step", "bins"), [("5m", 12), ("1m", 60)])
def test_fine_steps_of_a_query(
    record: tuple[Any, Callable[[float], float]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    step: str,
    bins: int,
) -> None:
    recorded, true_rate = record
    from_s, picture = recorded.begin_s + 54 * HOUR_S + 1200, tmp_path / "fine.png"
    flags = ["--from", stamp(from_s), "--horizon", "1h", "--step", step, "--plot", str(picture), "-o", "json"]
    assert run(of_query(recorded.url, *flags)) == 0
    points = json.loads(capsys.readouterr().out)["item"]["points"]
    assert len(points) == bins
    assert points[0]["p50"] == pytest.approx(true_rate(from_s), rel=0.05)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_people_read_a_table_of_it(recorded: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--utc", *of_query(recorded.url, "--from", stamp(recorded.end_s), "--horizon", "2h")]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{QUERY} · requests/s · rests on ")
    assert [line.split("\t")[0] for line in out.splitlines()[-2:]] == ["12:00", "13:00"]


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--step", "soon"], 2, "--step"),
        (["--step", "1s"], 2, "out of range"),
        (["--zone", "Mars/Olympus"], 2, "Mars/Olympus"),
        ([], 2, "a longer --history"),
    ],
)
def test_bad_input_is_said(
    recorded: Any, flags: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last: the record is of 2012, and now is long after."""
    assert run(of_query(recorded.url, *flags)) == code
    assert said in capsys.readouterr().err


def test_a_server_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", "up", "--prometheus", "http://127.0.0.1:1", "--step", "1d"]) != 0
    assert "Prometheus at http://127.0.0.1:1" in capsys.readouterr().err


class Cluster:
    """A simulated cluster with a router that counts nothing."""

    def __init__(self, at_s: float) -> None:
        self.world = World(at_s, [Host("gpu-1", 64_000, 65_536, tuple(Device(i, 1024) for i in range(8)), "MI210")])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.cluster, name)

    def request_counts(self) -> dict[str, RequestCounts]:
        return {}

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def control_plane(site: Path, at_s: float, patch: pytest.MonkeyPatch) -> Iterator[tuple[root.ControlPlane, str]]:
    """Compose a control plane as `headroom run` does, but on a simulated cluster, and serve its API."""
    config = load_config(site)
    patch.setattr(root, "cluster_of", lambda *_, **__: Cluster(at_s))
    candidacy = Candidacy(store_url(config), holder="this test", address="")
    plane = root.compose(config, config.backend, Seat(candidacy.insist(), ""))  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(root.web_app(plane), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield plane, f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
        plane.close()
        candidacy.__exit__()


@pytest.mark.parametrize("step", ["1h", "5m"])
def test_a_models_series_read_from_prometheus_is_forecast_through_the_control_plane(
    record: tuple[Any, Callable[[float], float]],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    recorded, true_rate = record
    now_s = recorded.begin_s + 54 * HOUR_S + 600.0
    site = tmp_path / "cluster.yaml"
    site.write_text(SITE.format(start=stamp(now_s), url=recorded.url, query=QUERY, step=step), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asking, item, until_s = ["forecast", "edit-check", "--horizon", "6h", "-o", "json"], {}, time.monotonic() + 60.0
    with control_plane(site, now_s, monkeypatch) as (plane, url):
        while not item.get("points"):  # what is read and fitted beside the loop comes a turn later
            assert time.monotonic() < until_s, item
            plane.cycle.turn()
            assert run(["--url", url, *asking]) == 0
            item = json.loads(capsys.readouterr().out)["item"]
        assert run(["--url", url, "forecast", "edit-check"]) == 0
        said = capsys.readouterr().out
    assert (item["model"], item["source"]) == ("edit-check", "web")
    assert item["history_s"] == pytest.approx(54 * HOUR_S, abs=HOUR_S)
    assert item["source_age_s"] < 120
    for point in item["points"]:
        at_s = datetime.fromisoformat(point["at"]).timestamp()
        assert point["p50"] == pytest.approx(0.5 * true_rate(at_s), rel=0.15)
        assert point["p10"] <= point["p50"] <= point["p99"]
    (day,) = (peak for peak in item["peaks"] if peak["window_s"] == 24 * HOUR_S)
    assert day["p50"] == pytest.approx(0.5 * 30.0, rel=0.15)
    assert "source web" in said
    report = plane.board.report
    assert report is not None
    (model,) = report.cycle.demand.models
    assert model.replicas_wanted >= math.ceil(0.5 * true_rate(now_s) / 6)
