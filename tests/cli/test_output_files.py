"""A file that cannot be written is refused before anything long begins."""

from pathlib import Path

import pytest

from scheduler.cli import output_files
from scheduler.cli.output_files import check_file, check_plot
from scheduler.model.errors import ConfigError


def test_without_the_library_a_picture_is_refused_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_files, "find_spec", lambda _: None)
    check_plot(None)
    with pytest.raises(ConfigError, match="a picture needs matplotlib") as refused:
        check_plot(Path("p.png"))
    assert "headroom-scheduler[plot]" in refused.value.faults[0].help


def test_a_file_that_can_be_written_is_let_through(tmp_path: Path) -> None:
    for file in (tmp_path / "new", tmp_path / "there", None):
        check_file("--json", file)


@pytest.mark.parametrize(
    ("file", "said"), [(".", "is a directory"), ("nowhere/x", "no directory"), ("there/x", "no directory")]
)
def test_one_that_cannot_is_named_with_its_flag(file: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"^--json: .*{said}"):
        check_file("--json", tmp_path / file)


def test_one_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(ConfigError, match="cannot be written"):
        check_file("--report", tmp_path / "x")
