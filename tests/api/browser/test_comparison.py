"""The report of `headroom compare` in a real browser: it draws itself, asks nobody, and fits where it is looked at."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulations.comparing.entries import Entry
from simulations.comparing.page import page
from simulations.evidence import Evidence, JobStory, Point
from simulations.hindsight import Stop, Violation
from simulations.outcome import NUMBERS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenarios, told in full."""
    points = [Point(600.0 * at, 1 + at % 3, math.nan if at < 3 else 2, 4, 4, 4, 2, 2, 0, at % 5) for at in range(60)]
    told = Evidence(
        seed=1,
        points=tuple(points),
        hosts=("gpu1",),
        occupancy=(("S" * 30 + "T" * 30, "s" * 60),),
        jobs=tuple(JobStory(50, 1, 60.0 * number, 9.0) for number in range(9)),
        stops=(Stop(6000.0, "7 a-job-with-a-long-name", 8, "serving", "m", 60.0, 600.0, needed=True, why="2 were"),),
        violations=(Violation("m", 6000.0, 7000.0, 0.5, "more came than was forecast", "one more host"),),
        outages=(("gpu1", 7200.0, 9000.0),),
        synthetic=("made up: jobs",),
    )
    runs = {seed: dict.fromkeys(NUMBERS, 0.5 * seed) for seed in (1, 2)}
    entries = [Entry(name, 1.0, 2, 8, runs, told, "headroom simulate x.yaml", "1.0") for name in ("base", "growth")]
    path = tmp_path_factory.mktemp("report") / "out.html"
    path.write_text(page(entries), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1480, "light"), (1480, "dark"), (366, "light")])
def test_it_draws_itself_and_fits(report: Path, open_tab: Callable[..., Any], width: int, scheme: str) -> None:
    tab = open_tab(f"file://{report}", "", width=width, color_scheme=scheme)
    tab.page.wait_for_selector(f'html[data-drawn="{scheme}"]', timeout=30_000)
    for place in ("timeline-0", "occupancy-1", "waits-1"):
        tab.page.wait_for_selector(f"#{place} *", state="attached")
    assert tab.complaints == []
    assert len(tab.asked) == 1, "the file itself, and nothing else"
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.page.locator("h1").inner_text() == "base compared"


def test_other_eyes_are_drawn_for_when_they_come(report: Path, open_tab: Callable[..., Any]) -> None:
    tab = open_tab(f"file://{report}", "", color_scheme="light")
    tab.page.wait_for_selector('html[data-drawn="light"]', timeout=30_000)
    tab.page.emulate_media(color_scheme="dark")
    tab.page.wait_for_selector('html[data-drawn="dark"]', timeout=30_000)
    assert tab.complaints == []
