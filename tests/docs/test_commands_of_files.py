"""The README's commands that need no control plane: each ends well and leaves what its flags promise."""

from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


def test_a_scenario_of_the_readme_plays_and_draws_its_picture(newcomer: Any, commands_in: Any) -> None:
    (given,) = [one.text for one in commands_in(ROOT / "README.md") if one.text.startswith("headroom simulate")]
    said = newcomer.types(f"{given} --plot holders.svg", wall_s=500.0)
    assert said.returncode == 0, said.stderr
    assert "late requests" in said.stdout
    assert (newcomer.folder / "holders.svg").read_text(encoding="utf-8").lstrip().startswith("<?xml")


@pytest.mark.parametrize("what", ["job", "cluster", "scenario"])
def test_every_key_is_explained(newcomer: Any, what: str) -> None:
    said = newcomer.types(f"headroom explain {what}")
    assert said.returncode == 0, said.stderr
    assert len(said.stdout.splitlines()) > 10


def test_the_forecast_of_a_file_is_drawn(newcomer: Any) -> None:
    file = "scheduler/demo/data/dewiki_hourly_2012.csv.gz"
    said = newcomer.types(f"headroom forecast {file} --zone Europe/Berlin --from 2012-09-18T06:00 --plot ordinary.svg")
    assert said.returncode == 0, said.stderr
    assert (newcomer.folder / "ordinary.svg").stat().st_size > 1000
