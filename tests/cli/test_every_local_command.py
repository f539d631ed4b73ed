"""Every command that asks no control plane, in good weather and in bad: what is in files, on flags and in folders."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.curve import AXES
from scheduler.cli.main import run
from simulations.outcome import NUMBERS

CLUSTER = """\
cluster: small
backend: {kind: ray, address: "127.0.0.1:1", dashboard: "http://127.0.0.1:1"}
state_dir: state
"""
SCENARIO = """\
scenario: small
start: "2012-06-04T00:00:00Z"
days: 0.1
control: {period: 5m}
hosts:
  - {name: gpu, count: 2, cpus: 8, memory: 32Gi, gpus: 4}
jobs:
  streams:
    - {name: tune, per_day: 40, duration: 1h, resources: {gpus: 1}}
"""
NODES = "cpu_milli,memory_mib,gpu,model\n96000,100000,8,G2\n"
PODS = "cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n4000,100,1,500,\n8000,100,1,1000,\n"
JOBS = "timestamp,duration,num_gpus\n" + "".join(f"2017-09-05 {hour:02}:00:00,3600,1\n" for hour in range(8))
MANY_JOBS = "timestamp,duration,num_gpus\n" + "".join(
    f"2017-09-05 {minute // 60:02}:{minute % 60:02}:00,600,1\n" for minute in range(0, 240, 2)
)
TRAFFIC = "timestamp,requests\n" + "".join(
    f"2012-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z,{100 + 40 * abs(12 - hour % 24)}\n" for hour in range(24 * 28)
)
OUTCOME = json.dumps(
    {
        "scenario": "small", "days": 1.0, "hosts": 1, "gpus": 2,
        "runs": [{"seed": 1, **dict.fromkeys(NUMBERS, 0.0)}],
    }
)  # fmt: skip
TURNS = Path(__file__).parents[1] / "scenarios" / "journals" / "evening-peak.jsonl.gz"
OBJECTS = """\
kind: InferenceService
metadata: {name: tone, namespace: edit}
spec: {predictor: {model: {resources: {requests: {cpu: 1, memory: 1Gi}}}}}
"""
GOOD = {
    "objects.yaml": OBJECTS,
    "job.yaml": "entrypoint: 'true'\n",
    "cluster.yaml": CLUSTER,
    "scenario.yaml": SCENARIO,
    "nodes.csv": NODES,
    "pods.csv": PODS,
    "jobs.csv": JOBS,
    "many.csv": MANY_JOBS,
    "traffic.csv": TRAFFIC,
    "days.txt": "2012-01-06\n",
    "outcome.json": OUTCOME,
    "policy.yaml": "policy: {victim_cost: lost-work}\n",
}
"""Files by name, each fit for what the commands below do with it."""
PACKING = ["--nodes", "nodes.csv", "--pods", "pods.csv", "--seeds", "1", "--policy", "headroom"]
QUEUEING = ["--trace", "jobs.csv", "--window", "2017-09-05", "--days", "0.1", "--hosts", "1", "--share", "1"]
LOCAL = {
    "explain": ["job"],
    "models import": ["-f", "objects.yaml"],
    "restore": ["kept.backup", "-c", "cluster.yaml"],
    "simulate": ["scenario.yaml"],
    "compare": ["outcome.json"],
    "size": ["scenario.yaml", "--objective", "wait_mean <= 9h", "--most", "1", "--seeds", "1"],
    "replay": ["turns.jsonl.gz", "--policy", "policy.yaml"],
    "bench planner": ["--hosts", "4", "--running", "4", "--pending", "1", "--models", "1", "--cycles", "1",
                      "--nodes", "nodes.csv", "--pods", "pods.csv"],
    "bench kubernetes": ["--nodes", "2", "--pods", "4", "--gangs", "1", "--workers", "1", "--events", "20"],
    "bench preemption": ["--cases", "2"],
    "bench queueing": [*QUEUEING, "--workers", "1", "--seeds", "1"],
    "bench joint": ["--traffic", "traffic.csv", "--jobs", "many.csv", "--from", "2012-01-20", "--days", "0.05",
                    "--jobs-from", "2017-09-05", "--hosts", "1", "--seeds", "1", "--workers", "1",
                    "--policy", "static"],
    "bench packing": PACKING,
    "bench eta": ["--jobs", "jobs.csv", "--window", "2017-09-05", "--days", "0.25", "--hosts", "1", "--share", "1",
                  "--every", "3", "--runs", "1"],
    "bench chaos": ["--seeds", "1"],
    "bench forecast-fleet": ["traffic.csv", "--series", "2", "--weeks", "2", "--horizon", "24h", "--workers", "1"],
    "backtest": ["traffic.csv", "--models", "seasonal-naive", "--every", "60h", "--horizons", "6h"],
}  # fmt: skip
"""Commands that ask nobody, and the rest of a line that they carry out."""
WITH_A_SERVER_OF_ITS_OWN = {"run": "tests/integration/conftest.py", "demo": "tests/docs/test_demo_on_ray.py"}
"""Commands that end only when they are told to, and the tests that start them on a real Ray."""
BESIDES = {
    "submit": ["submit", "job.yaml"],
    "run": ["run", "-c", "cluster.yaml"],
    "backup": ["backup", "new.backup", "-c", "cluster.yaml"],
    "forecast": ["forecast", "traffic.csv", "--horizon", "6h"],
    "forecast with holidays": ["forecast", "traffic.csv", "--horizon", "6h", "--holidays", "days.txt"],
    "backtest with holidays": ["backtest", *LOCAL["backtest"], "--holidays", "days.txt"],
}
"""Further lines that read files."""
READING = {command: [*command.split(), *rest] for command, rest in LOCAL.items()} | BESIDES
DRAWING = {
    "forecast": BESIDES["forecast"],
    **{name: READING[name] for name in ("simulate", "backtest", "bench packing", "bench queueing")},
    "bench preemption": ["bench", "preemption", "--cases", "2"],
    "bench planner": ["bench", "planner", "--sweep", "--hosts", "4", "--models", "1", "--cycles", "1"],
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be in a folder with all files, and a backup of an empty store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADROOM_URL", "http://127.0.0.1:1")
    for name, text in GOOD.items():
        Path(name).write_text(text, encoding="utf-8")
    shutil.copyfile(TURNS, "turns.jsonl.gz")


@pytest.fixture
def kept() -> Path:
    """A backup of a store."""
    from scheduler.store.backup import back_up  # noqa: PLC0415  # most tests need none
    from scheduler.store.sql import SqlStore  # noqa: PLC0415  # likewise

    SqlStore(url := f"sqlite:///{Path('other.db').resolve()}").close()
    back_up(url, Path("kept.backup"))
    return Path("kept.backup")


@pytest.mark.parametrize("command", LOCAL)
def test_in_good_weather_it_does_its_work_and_complains_of_nothing(
    command: str, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept.exists()
    assert run([*command.split(), *LOCAL[command]]) == 0
    shown = capsys.readouterr()
    assert shown.out or command == "restore"
    assert "error" not in shown.err


@pytest.mark.parametrize("command", [name for name in LOCAL if name.startswith(("bench", "backtest", "compare"))])
def test_its_figures_can_be_had_as_json_alone(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), *LOCAL[command], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def files_of(words: list[str]) -> list[str]:
    return [word for word in words if word in {*GOOD, "kept.backup", "turns.jsonl.gz"}]


def spoilt() -> list[Any]:
    """Every file of every command, in every way in which it may be wrong."""
    ways: dict[str, Callable[[Path], object]] = {
        "missing": lambda path: path.unlink(),
        "a folder": lambda path: (path.unlink(), path.mkdir()),
        "empty": lambda path: path.write_bytes(b""),
        "binary": lambda path: path.write_bytes(bytes(range(256)) * 40),
        "of something else": lambda path: path.write_text("dear diary,\nnothing happened today\n", encoding="utf-8"),
    }
    return [
        pytest.param(words, name, spoil, id=f"{command}, {name} {way}")
        for command, words in READING.items()
        for name in files_of(words)
        for way, spoil in ways.items()
    ]


@pytest.mark.parametrize(("words", "name", "spoil"), spoilt())
def test_a_file_that_cannot_be_used_is_named_and_never_our_fault(
    words: list[str], name: str, spoil: Callable[[Path], object], kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept.exists()
    spoil(Path(name))
    assert run(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert name in shown.err
    assert "help: " in shown.err
    assert "fault of Headroom itself" not in shown.err


@pytest.mark.parametrize("command", DRAWING)
@pytest.mark.parametrize("picture", ["picture.xyz", "nowhere/picture.png", "job.yaml/picture.svg", "."])
def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_long(
    command: str, picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*DRAWING[command], "--plot", picture]) == 2
    shown = capsys.readouterr()
    assert shown.out == "", "nothing was worked out in vain"
    assert "--plot" in shown.err
    assert "help: " in shown.err


@pytest.mark.parametrize("command", DRAWING)
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_drawn(command: str, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for axis in ("pending", "running"):
        monkeypatch.setitem(AXES, axis, (10,))  # type: ignore[arg-type]  # a sweep goes up to 10,000 of them
    begins = {"png": b"\x89PNG", "svg": b"<?xml"}[ending]
    assert run([*DRAWING[command], "--plot", f"picture.{ending}"]) == 0
    assert Path(f"picture.{ending}").read_bytes().startswith(begins)


def test_a_backup_and_its_way_back(capsys: pytest.CaptureFixture[str], kept: Path) -> None:
    restore = ["restore", str(kept), "-c", "cluster.yaml"]
    assert run(restore) == 0
    assert Path("state/headroom.db").exists()
    assert run(["backup", "new.backup", "-c", "cluster.yaml"]) == 0
    assert sqlite3.connect("new.backup").execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert run(["backup", "new.backup", "-c", "cluster.yaml"]) == 2
    assert "new.backup exists" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["nowhere/new.backup", "job.yaml/new.backup", "."])
def test_a_backup_that_cannot_be_written_is_refused(where: str, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", str(kept), "-c", "cluster.yaml"]) == 0
    assert run(["backup", where, "-c", "cluster.yaml"]) == 2
    assert where.partition("/")[0] in capsys.readouterr().err.splitlines()[-2]


@pytest.mark.parametrize("command", ["demo", "run"])
def test_a_port_that_is_taken_is_said_before_anything_starts(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    import socket  # noqa: PLC0415  # only this test needs one

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        config = ["-c", "cluster.yaml"] if command == "run" else []
        assert run([command, *config, "--port", port]) == 2
    assert f"port {port} is taken by another program" in capsys.readouterr().err


@pytest.mark.parametrize("command", WITH_A_SERVER_OF_ITS_OWN)
def test_what_starts_a_server_is_started_elsewhere(command: str) -> None:
    there = Path(__file__).parents[2] / WITH_A_SERVER_OF_ITS_OWN[command]
    assert f'"{command}"' in there.read_text(encoding="utf-8")
