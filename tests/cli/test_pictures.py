"""A picture that cannot be drawn is refused before anything long begins."""

from pathlib import Path

import pytest

from scheduler.cli import pictures
from scheduler.model.errors import ConfigError


def test_without_the_library_a_picture_is_refused_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    pictures.check_plot(None)
    with pytest.raises(ConfigError, match="a picture needs matplotlib") as refused:
        pictures.check_plot(Path("p.png"))
    assert "headroom-scheduler[plot]" in refused.value.faults[0].help
