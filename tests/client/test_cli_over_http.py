"""The command line against the real API over real HTTP: from submitting to stopping, with the roles that are needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli.main import run

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def headroom(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line against a control plane."""

    def call(live: Any, *arguments: str, bearer: str = "") -> tuple[int, str, str]:
        monkeypatch.setenv("HEADROOM_URL", live.url)
        monkeypatch.setenv("HEADROOM_TOKEN", bearer)
        code = run(["--utc", *arguments])
        return (code, *capsys.readouterr())

    return call


def test_a_job_from_submission_to_its_end(headroom: Run, live: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    file = tmp_path / "job.yaml"
    file.write_text(
        "entrypoint: python train.py\nworking_dir: .\nresources: {gpus: 1}\ncheckpoint_interval: 10m\n",
        encoding="utf-8",
    )
    code, out, err = headroom(live, "submit", str(file), "--priority", "high")
    assert (code, out.split("\n")[0], err) == (0, "Accepted 1 train · high · 1×any", "")
    code, out, _ = headroom(live, "list", "-o", "json")
    (job,) = json.loads(out)["items"]
    assert (job["id"], job["state"], job["priority_class"]) == ("1", "Pending", "high")
    assert headroom(live, "set-priority", "train", "low")[1] == "1 train has priority low (25) now\n"
    assert headroom(live, "hold", "1", "--reason", "labels")[0] == 0
    assert headroom(live, "resume", "1")[0] == 0
    assert "1 train · " in headroom(live, "describe", "train")[1]
    assert headroom(live, "stop", "--all-mine") == (0, "Stopped 1 train\n", "")
    assert headroom(live, "stop", "1")[0] == 0


def test_the_servers_faults_keep_file_and_line(headroom: Run, live: Any, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("entrypoint: python train.py\nqueue: reserch\n", encoding="utf-8")
    code, out, err = headroom(live, "submit", str(file))
    assert (code, out) == (2, "")
    assert err == (
        f'error: {file}:2: unknown queue "reserch"\nhelp: did you mean "research"? queues: default, research\n'
    )
    assert headroom(live, "list", "--all", "-o", "name")[1] == ""


def test_a_gang_that_can_never_run_is_bad_input(headroom: Run, live: Any) -> None:
    code, _, err = headroom(live, "submit", "--entrypoint", "x", "--gpus", "8", "--workers", "4")
    assert code == 2
    assert err.startswith("error: this gang can never run: ")


def test_every_view_is_served(headroom: Run, live: Any) -> None:
    for command in ("list", "hosts", "models", "capacity", "events", "status", "forecast edit-check", "hosts gpu-1"):
        for output in ("table", "wide", "json", "yaml", "name"):
            code, out, _ = headroom(live, *command.split(), "-o", output)
            assert code == 0, (command, output)
            assert out or command in {"list", "events"}


def test_roles_decide_with_exit_code_4(headroom: Run, start: Callable[..., Any]) -> None:
    live = start(see="viewer", do="submitter")
    code, _, err = headroom(live, "list")
    assert (code, err.split("\n")[0]) == (4, "error: a bearer token is needed")
    assert headroom(live, "list", bearer="see")[0] == 0
    code, _, err = headroom(live, "submit", "--entrypoint", "x", bearer="see")
    assert code == 4
    assert "help: ask for a token with role submitter" in err
    assert headroom(live, "submit", "--entrypoint", "x", "--name", "mine", bearer="do")[0] == 0
    code, _, err = headroom(live, "hosts", "drain", "gpu-1", bearer="do")
    assert code == 4
    assert "help: ask for a token with role operator" in err
    assert headroom(live, "list", "--mine", "-o", "name", bearer="do")[1] == "1\n"
    assert headroom(live, "list", "--mine", "-o", "name", bearer="see")[1] == ""


def test_a_host_is_drained_and_given_back(headroom: Run, live: Any) -> None:
    code, out, _ = headroom(live, "hosts", "drain", "gpu-1", "--dry-run")
    assert (code, out.split("\n")[0]) == (0, "Would drain gpu-1: serving falls short")
    assert headroom(live, "hosts", "drain", "gpu-1")[0] == 1
    assert headroom(live, "hosts", "drain", "gpu-1", "--force")[0] == 0
    assert headroom(live, "hosts", "uncordon", "gpu-1") == (0, "gpu-1 takes work again\n", "")
    code, _, err = headroom(live, "hosts", "cordon", "gpu-9")
    assert (code, err) == (5, "error: no host gpu-9\nhelp: headroom hosts lists them\n")


@pytest.mark.parametrize("name", ["gpu-1?", "gpu-1#1", "gpu-1/../gpu-1", "%67pu-1"])
def test_a_host_is_known_by_its_whole_name_whatever_is_in_it(headroom: Run, live: Any, name: str) -> None:
    for command in (["drain", name, "--force"], ["cordon", name], [name]):
        assert headroom(live, "hosts", *command)[0] == 5
    assert live.store.host_marks() == ()
    assert headroom(live, "forecast", name.replace("gpu-1", "edit-check"))[0] == 5
