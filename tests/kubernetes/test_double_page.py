"""What docs/kubernetes-double.md shows does what it says, and its figures are those of the tests."""

import re
from pathlib import Path

import pytest

from tests.kubernetes import test_mutations, test_recorded, test_transcripts

PAGE = (Path(__file__).resolve().parents[2] / "docs/kubernetes-double.md").read_text(encoding="utf-8")


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(code, "kubernetes-double.md", "exec"), {})  # noqa: S102  # our own page
    assert capsys.readouterr().out.startswith("http://127.0.0.1:")


def test_the_figures_are_those_of_the_tests() -> None:
    quoted = sum(len(lines) for lines in test_transcripts.QUOTES_GO.values())
    differing = quoted + sum(len(lines) for lines in test_transcripts.ORDER_OF_CAUSES.values())
    assert f"| 2,240 | 2,240 | {2240 - differing:,} |" in PAGE
    assert f"quote\nthe server's own Go structs ({quoted})" in PAGE
    played = sum(test_recorded.PLAYED.values())
    statuses = played - sum(len(names) for names in test_recorded.STATE_UNKNOWN.values())
    bodies = statuses - sum(len(names) for names in test_recorded.BODIES_DIFFER.values())
    assert f"| {played} | {statuses} | {bodies} |" in PAGE
    assert len(test_mutations.MUTATIONS) + 1 == 13
    assert "Thirteen broken rules" in PAGE
