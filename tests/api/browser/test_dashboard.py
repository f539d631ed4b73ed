"""The page in a real browser: it looks as drawn, moves by itself and by keys, and asks nobody else for anything."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scheduler.control.records import EventKind, EventRecord

pytestmark = pytest.mark.browser
IMAGES = Path(__file__).parents[3] / "docs" / "images"
MOST_IMAGE_BYTES = 300_000
VIEWS = {
    "dashboard-wide": {"width": 1480, "color_scheme": "light"},
    "dashboard-dark": {"width": 1480, "color_scheme": "dark"},
    "dashboard-narrow": {"width": 390, "color_scheme": "light"},
}


@pytest.fixture
def url(world: Any, serve: Any) -> str:
    return serve(world.app())


def later(world: Any, **cycle: Any) -> Any:
    report = world.board.report
    return replace(report, cycle=replace(report.cycle, number=report.cycle.number + 1, **cycle))


@pytest.mark.parametrize("name", VIEWS)
def test_the_page_is_drawn_whole_without_a_complaint_or_a_foreign_request(
    url: str, open_tab: Any, name: str, tmp_path: Path
) -> None:
    tab = open_tab(url, **VIEWS[name]).until_drawn()
    tab.page.wait_for_timeout(300)
    wide = tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    picture = tab.page.screenshot(full_page=True)
    (tmp_path / f"{name}.png").write_bytes(picture)
    if os.environ.get("HEADROOM_SCREENSHOTS"):
        keep(picture, IMAGES / f"{name}.png")
    assert tab.complaints == []
    assert tab.hosts_asked == {"127.0.0.1"}
    assert wide == 0
    assert canvas_colours(tab.page) > 20


def keep(picture: bytes, path: Path) -> None:
    """Store a screenshot for the documentation, in 256 colours: a page needs no more."""
    image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def test_the_pictures_in_the_documentation_are_small() -> None:
    pictures = list(IMAGES.glob("dashboard-*.png"))
    assert {path.stem for path in pictures} >= set(VIEWS)
    assert all(path.stat().st_size < MOST_IMAGE_BYTES for path in pictures)


def canvas_colours(page: Any) -> int:
    """Return how many colours the charts' canvases show: a blank one shows one."""
    return int(
        page.evaluate(
            """() => {
              const canvases = [];
              const walk = (node) => { for (const child of node.querySelectorAll('*')) {
                if (child.tagName === 'CANVAS') canvases.push(child);
                if (child.shadowRoot) walk(child.shadowRoot);
              } };
              walk(document.getElementById('chart'));
              const seen = new Set();
              for (const canvas of canvases) {
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                new Uint32Array(data.buffer).forEach((colour) => seen.add(colour));
              }
              return seen.size;
            }"""
        )
    )


def test_a_new_cycle_changes_the_page_by_itself(world: Any, url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    tab.page.evaluate("document.getElementById('host-ml-serve1012').marked = true")
    hosts = tuple(
        replace(host, cpu_milli=host.cpu_milli // 2) if host.name == "ml-serve1013" else host
        for host in world.board.report.cycle.snapshot.hosts
    )
    world.store.record(EventRecord(world.clock.at_s, 18423, EventKind.CONTROL, "", "a new cycle came"))
    snapshot = replace(world.board.report.cycle.snapshot, hosts=hosts)
    world.publish(later(world, snapshot=snapshot, at_s=world.board.report.cycle.at_s + 30))
    tab.page.wait_for_selector("#events :text('a new cycle came')")
    assert "18\u202f423" in tab.page.inner_text("#fresh")
    assert tab.page.evaluate("document.getElementById('host-ml-serve1012').marked") is True
    tab.page.wait_for_selector("html[data-chart='18423']", timeout=20_000)
    assert tab.page.evaluate("Bokeh.documents.length") == 1
    assert tab.complaints == []


def test_a_silent_control_plane_turns_the_page_grey_and_its_return_turns_it_back(
    world: Any, url: str, open_tab: Any
) -> None:
    tab = open_tab(url).until_drawn()
    tab.page.clock.install()
    tab.page.reload()
    tab.page.clock.fast_forward(120_000)
    tab.page.wait_for_selector("html.stale")
    assert "This is the state of 17:24; no plan was made since." in tab.page.inner_text("#gone")
    world.publish(later(world))
    tab.page.wait_for_selector("html:not(.stale)")
    assert not tab.page.is_visible("#gone")


def test_a_control_plane_that_is_gone_is_told_from_one_whose_loop_is_held_up(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    tab.page.clock.install()
    tab.page.reload()
    tab.page.context.set_offline(True)
    tab.page.clock.fast_forward(120_000)
    tab.page.wait_for_selector("html.stale #gone :text('the control plane does not answer')")
    tab.page.context.set_offline(False)
    tab.page.clock.fast_forward(11_000)
    tab.page.wait_for_selector("#gone :text('no plan was made since')")


def test_devices_are_reached_by_keys_one_stop_a_host(url: str, open_tab: Any) -> None:
    page = open_tab(url).until_drawn().page
    focused = "document.activeElement.getAttribute('aria-label')"
    stops = page.evaluate(
        "[...document.querySelectorAll('.host')].map(h => h.querySelectorAll('[tabindex=\"0\"]').length)"
    )
    assert set(stops) == {1}
    page.focus("#host-ml-serve1013 [tabindex='0']")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == "ml-serve1013 GPU 3: 401 wikitext-lm, training"
    assert page.locator(".same").count() == 4
    assert "401 wikitext-lm" in page.inner_text("#named")
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "ml-serve1014 GPU 7: drained"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    assert page.evaluate(focused).startswith("ml-serve1013 GPU 0")
    page.keyboard.press("Tab")
    assert page.evaluate(focused).startswith("ml-serve1014")


def test_the_first_stop_skips_to_the_queue(url: str, open_tab: Any) -> None:
    page = open_tab(url).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the queue"
    page.keyboard.press("Enter")
    assert page.url.endswith("#queue")


def test_focus_stays_on_a_device_while_its_row_is_replaced(world: Any, url: str, open_tab: Any) -> None:
    page = open_tab(url).until_drawn().page
    page.focus("#host-ml-serve1013 [tabindex='0']")
    page.keyboard.press("ArrowRight")
    snapshot = world.board.report.cycle.snapshot
    hosts = tuple(replace(host, cpu_milli=host.cpu_milli // 2) for host in snapshot.hosts)
    world.publish(later(world, snapshot=replace(snapshot, hosts=hosts)))
    page.wait_for_selector("#fresh[data-cycle='18423']")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("ml-serve1013 GPU 1")


def test_range_and_model_go_to_the_address_and_the_chart_follows(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    tab.page.click("[data-range='6h']")
    tab.page.select_option("select[name=model]", "edit-check")
    tab.page.wait_for_selector("#unit:text('requests/s')")
    assert "range=6h" in tab.page.url
    assert "model=edit-check" in tab.page.url
    tab.page.click("#chart-table summary")
    tab.page.wait_for_selector("#chart-rows td")
    assert "Planned" in tab.page.inner_text("#chart-rows")
    tab.page.reload()
    assert tab.page.get_attribute("[data-range='6h']", "aria-current") == "true"
    assert tab.complaints == []


def test_of_many_choices_the_last_one_is_drawn_once(url: str, open_tab: Any) -> None:
    tab = open_tab(url).until_drawn()
    tab.page.evaluate(
        """() => {
          document.querySelectorAll("[data-range]").forEach((link) => link.click());
          const model = document.querySelector("select[name=model]");
          for (const name of ["", "articletopic", "edit-check"]) {
            model.value = name;
            model.dispatchEvent(new Event("change"));
          }
        }"""
    )
    tab.page.wait_for_selector("#chart[aria-label^='Serving demand, forecast and capacity in requests/s']")
    tab.page.wait_for_timeout(500)
    assert tab.page.locator("#chart > *").count() == 1
    assert tab.page.inner_text("#unit") == "requests/s"
    assert len([address for address in tab.asked if "/page/chart?" in address]) <= 3
    assert tab.complaints == []


def test_jobs_can_be_filtered_and_opened(url: str, open_tab: Any) -> None:
    page = open_tab(url).until_drawn().page
    page.fill("#filter", "wikitext")
    assert page.locator("#queue tbody tr:visible").count() == 1
    page.click("#host-ml-serve1013 a[data-h='401']")
    page.wait_for_url("**/jobs/401")
    assert "401 wikitext-lm" in page.inner_text("h1")


def test_the_theme_can_be_chosen_and_is_kept(url: str, open_tab: Any) -> None:
    tab = open_tab(url, color_scheme="light").until_drawn()
    background = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(background)
    tab.page.click("#theme")
    dark = tab.page.evaluate(background)
    tab.page.reload()
    assert (light, dark, tab.page.evaluate(background)) == ("rgb(247, 247, 245)", "rgb(20, 23, 26)", "rgb(20, 23, 26)")
    assert tab.complaints == []


def test_without_scripts_the_page_is_complete(url: str, open_tab: Any) -> None:
    page = open_tab(url, java_script_enabled=False).page
    for words in ("Serving is covered", "417 talkpage-tone", "edit-check", "ml-serve1015"):
        assert words in page.inner_text("body")
    page.click("#chart-table summary")
    assert page.locator("#chart-rows tbody tr").count() > 10
    page.click("[data-range='6h']")
    assert page.get_attribute("[data-range='6h']", "aria-current") == "true"


@pytest.mark.parametrize(
    ("path", "scheme"), [("/", "light"), ("/", "dark"), ("/jobs/399", "light"), ("/login", "light")]
)
def test_no_barrier_is_found_by_axe(url: str, open_tab: Any, path: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab = open_tab(url, path, color_scheme=scheme, bypass_csp=True)
    if path == "/":
        tab.until_drawn()
    found = axe.Axe().run(tab.page)
    said = [f"{v['id']}: {node['html'][:160]}" for v in found.response["violations"] for node in v["nodes"]]
    assert said == []


def test_at_twice_the_size_nothing_is_lost(url: str, open_tab: Any) -> None:
    page = open_tab(url, width=740, height=450, device_scale_factor=2).until_drawn().page
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0


def test_nothing_moves_for_those_who_want_no_motion(url: str, open_tab: Any) -> None:
    page = open_tab(url, reduced_motion="reduce").page
    assert page.evaluate("document.getAnimations().length") == 0


def test_a_page_before_the_first_cycle_fills_itself(world_to_be: Any, serve: Any, open_tab: Any, request: Any) -> None:
    tab = open_tab(serve(world_to_be.app()))
    assert "No plan yet" in tab.page.inner_text("#verdict")
    request.getfixturevalue("world")
    tab.page.wait_for_selector("#verdict :text('Serving is covered')")
    assert tab.page.locator(".host").count() == 7
    tab.until_drawn()
    assert tab.complaints == []
