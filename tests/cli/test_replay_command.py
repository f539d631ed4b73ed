"""Promises of `headroom replay`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from policies.choices import Choices
from scheduler.cli.main import run
from scheduler.control.release import release
from scheduler.store.codec import read_journal, write_journal
from scheduler.store.sql import SqlStore

JOURNAL = Path(__file__).parents[1] / "scenarios" / "journals" / "evening-peak.jsonl.gz"
BY = Choices(min_runtime_s=900.0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Six recorded turns with their policy."""
    cycles = [replace(cycle, choices=BY, release=release()) for cycle in read_journal(JOURNAL)]
    write_journal(tmp_path / "turns.jsonl", cycles[:6])
    return tmp_path / "turns.jsonl"


def test_equal_turns_are_one_line_and_exit_code_0(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", str(journal)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("6 turns, ")
    assert line.endswith("all planned as they were")


def test_a_turn_that_is_planned_otherwise_is_named_with_what_differs(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cycles = list(read_journal(journal))
    write_journal(journal, [*cycles[:5], replace(cycles[5], plan=replace(cycles[5].plan, actions=()))])
    assert run(["replay", str(journal)]) == 1
    shown = capsys.readouterr().out
    assert f"turn {cycles[5].number}, " in shown
    assert "release, policy and input are as they were" in shown
    assert "  + stop a replica of " in shown
    assert f"1 planned otherwise, the first is turn {cycles[5].number}" in shown


def test_another_policy_says_what_would_have_differed(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("policy: {placement_score: worst-fit, min_runtime: 15m}\n")
    assert run(["replay", str(journal), "--policy", str(other), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["turns"] == 6
    assert found["differing"]
    assert {one["why"] for one in found["differing"]} == {"it was asked by another policy"}


def test_a_store_is_read_between_two_times_and_written_to_a_file(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, cycles = f"sqlite:///{tmp_path}/state.db", list(read_journal(journal))
    store = SqlStore(url)
    for number, cycle in enumerate(cycles, 1):
        store.journal(replace(cycle, number=number, at_s=3600.0 * number))
    store.close()
    there = tmp_path / "some.jsonl.gz"
    between = ["--from", "1970-01-01T02:00:00Z", "--to", "1970-01-01T04:00:00Z"]
    assert run(["replay", "--store", url, *between, "--write", str(there)]) == 0
    assert "3 turns, 1 Jan 02:00 UTC – 1 Jan 04:00 UTC" in capsys.readouterr().out
    assert [cycle.number for cycle in read_journal(there)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: []\n", "other.yaml: has no section policy"),
        ("policy:\n  victim_cost: cheap\n", 'other.yaml:2: unknown victim_cost "cheap"'),
        ("policy:\n  victim: cheap\n", 'other.yaml:2: unknown key "victim"'),
    ],
)
def test_a_policy_that_is_none_is_told_with_its_line(
    journal: Path, tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.yaml").write_text(text)
    assert run(["replay", str(journal), "--policy", str(tmp_path / "other.yaml")]) == 2
    assert message in capsys.readouterr().err


def test_one_of_a_file_and_a_store_must_be_given(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay"]) == 2
    assert run(["replay", str(journal), "--store", "sqlite:////tmp/x.db"]) == 2
    assert capsys.readouterr().err.count("give a journal or a store") == 2
    assert run(["replay", str(journal), "--from", "2030-01-01"]) == 5
