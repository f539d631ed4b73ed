"""Promises of `headroom compare`, from two small simulations to one page."""

import json
from pathlib import Path

import pytest

from scheduler.cli.main import run

SMALL = """\
scenario: {name}
start: "2012-06-04T00:00:00Z"
days: 0.2
control: {{period: 10m}}
hosts:
  - {{name: gpu, count: {count}, cpus: 8, memory: 32Gi, gpus: 2}}
jobs:
  streams:
    - {{name: tune, per_day: 80, duration: 1h, resources: {{gpus: 1}}}}
"""


@pytest.fixture
def outcomes(tmp_path: Path) -> list[str]:
    """A small and a large site under the same jobs, two seeds each."""
    files = []
    for name, count in (("small", 1), ("large", 3)):
        (tmp_path / f"{name}.yaml").write_text(SMALL.format(name=name, count=count))
        files.append(str(tmp_path / f"{name}.json"))
        assert run(["simulate", str(tmp_path / f"{name}.yaml"), "--seeds", "2", "--json", files[-1]]) == 0
    return files


def test_outcomes_are_answered_tabled_and_written_as_a_page(
    outcomes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(["compare", *outcomes, "--report", str(tmp_path / "out.html")]) == 0
    asked, came, to_do, head, *rows = capsys.readouterr().out.splitlines()
    assert asked.startswith("large was compared with small: 0.2 days on 1 to 3 hosts with 2 to 6 GPUs, 2 seeds each.")
    assert "the mean wait from" in came
    assert to_do.startswith("Take small: ")
    assert head.split("\t") == ["", "SMALL", "LARGE"]
    assert rows[3].startswith("mean wait\t")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert f"headroom simulate {tmp_path}/small.yaml --seeds 2" in page
    assert "made up: jobs at random: tune" in page

    assert run(["compare", *outcomes, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["scenarios"] == ["small", "large"]
    assert found["measures"][3]["differences"][0]["mean"] < 0
    assert run(["compare", outcomes[0], outcomes[0]]) == 2
    assert 'two outcomes are called "small"' in capsys.readouterr().err


def test_a_simulation_writes_the_page_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.yaml").write_text(SMALL.format(name="s", count=1))
    report = tmp_path / "out.html"
    assert run(["simulate", str(tmp_path / "s.yaml"), "--report", str(report)]) == 0
    assert "It keeps late and failed requests within" in report.read_text(encoding="utf-8")
    assert f"report: {report}" in capsys.readouterr().err
