"""The page for those without a script, without a mouse, and in the first hour of a control plane."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.control.isolation.bulkheads import Part, Trouble

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  for (let one = at; one && one !== document.body; one = one.parentElement) {
    const style = getComputedStyle(one);
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) return true;
  }
  return at.outerHTML.slice(0, 120);
}"""


@pytest.fixture
def url(world: Any, serve: Any) -> str:
    """Serve the evening's control plane."""
    return serve(world.app())


@pytest.mark.parametrize("width", [1440, 390])
def test_long_reasons_push_nothing_off_the_page(world: Any, url: str, open_tab: Any, width: int) -> None:
    part = Part(
        "starting replicas of edit-check", "edit-check", "none is started for a while, those that are ready serve"
    )
    trouble = Trouble(part, "three replicas in a row were not ready within the time that it takes: " + 40 * "why", 0.0)
    world.publish(replace(world.board.report, troubles=(trouble,)))
    tab = open_tab(url, width=width).until_drawn()
    assert tab.page.is_visible("tr.said")
    assert tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


@pytest.mark.parametrize("width", [360, 390])
def test_without_a_script_the_choices_of_the_chart_stay_in_their_frame(url: str, open_tab: Any, width: int) -> None:
    page = open_tab(url, width=width, java_script_enabled=False).page
    frame, last = page.locator("#capacity").bounding_box(), page.locator(".seg a").last.bounding_box()
    assert last["x"] + last["width"] <= frame["x"] + frame["width"]


def test_every_stop_of_the_keyboard_is_outlined(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    bare, stops = [], 0
    for _ in range(120):
        tab.page.keyboard.press("Tab")
        found = tab.page.evaluate(FOCUSED)
        if found is None:
            break
        stops += 1
        if found is not True:
            bare.append(found)
    assert stops > 20
    assert bare == []


def test_without_a_script_there_is_a_table_and_nothing_claims_to_be_live(url: str, open_tab: Any) -> None:
    tab = open_tab(url, java_script_enabled=False)
    assert "live" not in tab.page.inner_text("#fresh").split()
    assert "state of 17:24:0" in tab.page.inner_text("#fresh")
    assert tab.page.is_visible("#chart-rows")
    assert "Demand is" in tab.page.inner_text("#chart")
    assert tab.page.locator("#chart").bounding_box()["height"] < 100


def test_with_a_script_the_table_waits_until_it_is_asked_for(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    assert not tab.page.is_visible("#chart-rows")
    assert "live" in tab.page.inner_text("#fresh")


def test_in_the_first_hour_no_word_is_cut(world: Any, serve: Any, open_tab: Any) -> None:
    recent = [point for point in world.board.history if point.at_s > world.board.report.cycle.at_s - 1800]
    world.board.history.clear()
    world.board.history.extend(replace(point) for point in recent)
    tab = open_tab(serve(world.app())).until_drawn()
    words = tab.page.evaluate("""() => {
      const model = Bokeh.documents.at(-1).get_model_by_name("notes");
      return [model.data.text, model.data.align];
    }""")
    assert list(words[0]) == ["ready", "demand"]
    assert list(words[1]) == ["left", "left"]
