"""Promises of `headroom simulate`."""

import json
from pathlib import Path

import pytest

from scheduler.cli.main import run

SMALL = """\
scenario: small
start: "2012-06-04T00:00:00Z"
days: 0.5
control: {period: 5m}
hosts:
  - {name: gpu, count: 2, cpus: 8, memory: 32Gi, gpus: 4}
jobs:
  streams:
    - {name: tune, per_day: 40, duration: 1h, resources: {gpus: 1}}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def test_the_outcome_goes_to_standard_output_and_progress_does_not(
    scenario: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", scenario]) == 0
    shown = capsys.readouterr()
    first, *rest = shown.out.splitlines()
    assert first.startswith("small · 0.5 days · 2 hosts, 8 GPUs · ")
    assert [line.split("  ")[0] for line in rest] == ["late requests", "wait mean/p95", "jobs done"]
    assert shown.err == "", "what is done at once is not told a log while it is done"


def test_a_sweep_is_a_table_and_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, file = tmp_path / "small.yaml", tmp_path / "out.json"
    path.write_text(SMALL + "vary: {hosts.gpu.count: [1, 2], jobs.streams.tune.per_day: [40, 80]}\n")
    assert run(["simulate", str(path), "--json", str(file)]) == 0
    names = [one["scenario"] for one in json.loads(file.read_text())["scenarios"]]
    assert names[1] == "small hosts.gpu.count=1 jobs.streams.tune.per_day=80"
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("SCENARIO\tGPUS\tLATE")
    assert [row.split("\t")[0] for row in rows] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "small.yaml"]


def test_resuming_needs_the_file_of_what_was_done(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", scenario, "--resume"]) == 2
    assert "--resume needs the --json FILE" in capsys.readouterr().err


def test_two_scenarios_of_one_name_are_refused(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", scenario, scenario]) == 2
    assert 'two scenarios are called "small"' in capsys.readouterr().err


def test_json_on_standard_output_is_all_there_is(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", scenario, "--seeds", "2", "--json", "-"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["scenario"], written["seeds"], written["gpus"]) == ("small", 2, 8)
    assert written["outcome"]["jobs"] > 0
    assert written["outcome"]["late_requests_share"] is None
    assert [entry["seed"] for entry in written["runs"]] == [1, 2]
    assert written["intervals"]["jobs"] > 0


def test_json_in_a_file_is_the_same_each_time(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file in files:
        assert run(["simulate", scenario, "--json", str(file)]) == 0
    assert files[0].read_text() == files[1].read_text()
    assert "small" in capsys.readouterr().out, "people get their lines all the same"


def test_a_file_that_cannot_be_written_is_an_error_too(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", scenario, "--json", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err


def test_bad_input_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.json"
    assert run(["simulate", str(tmp_path / "nowhere.yaml"), "--json", str(file)]) == 2
    assert not file.exists()
    assert "error:" in capsys.readouterr().err


def test_a_reactive_run_says_so(scenario: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", scenario, "--reactive", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["scenario"] == "small (reactive)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["{scenario}", "--json", "no/such/place.json"], "there is no directory for no/such/place.json"),
        (["{scenario}", "--seeds", "0"], "--seeds"),
    ],
)
def test_bad_input_is_exit_code_2_and_says_what(
    scenario: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *(argument.format(scenario=scenario) for argument in arguments)]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_a_fault_in_the_file_is_shown_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SMALL + "faults: {outtages: []}\n")
    assert run(["simulate", str(path)]) == 2
    assert 'bad.yaml:10: unknown key "outtages"' in capsys.readouterr().err


def test_a_picture_of_who_held_the_devices_is_drawn_when_asked_for(
    scenario: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "held.png"
    assert run(["simulate", scenario, "--plot", str(picture)]) == 0
    assert picture.stat().st_size > 5000
    assert f"picture in {picture}" in capsys.readouterr().err
