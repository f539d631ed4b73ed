"""What the control plane says of itself is true at that moment, and is said whatever is silent."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scheduler.api.freshness import patience_s
from scheduler.control.upkeep import remembered as remembering
from scheduler.model.errors import Unreachable


def state(world: Any) -> tuple[str, str]:
    item = world.http().get("/api/v1/status").json()["item"]
    return item["state"], item["message"]


def test_live_lasts_for_three_periods_without_a_plan(world: Any) -> None:
    made_s = world.board.report.cycle.at_s
    for age_s, live in ((0.0, True), (89.0, True), (91.0, False), (86_400.0, False)):
        world.clock.at_s = made_s + age_s
        answer = world.http().get("/readyz")
        assert (state(world)[0] == "live") is live
        assert (answer.status_code == 200) is live
        assert world.http().get("/api/v1/status").json()["item"]["last_plan_age_s"] == age_s
    assert "the last plan is 1d" in answer.text
    assert answer.status_code == 503
    assert "due every 30s" in state(world)[1]


@pytest.mark.parametrize(
    ("period_s", "speed", "expected"), [(2.0, 1.0, 6.0), (600.0, 1.0, 1800.0), (60.0, 540.0, 10.0)]
)
def test_patience_is_of_the_wall(world: Any, period_s: float, speed: float, expected: float) -> None:
    clock = type("Fast", (type(world.clock),), {"speed": speed})()
    assert patience_s(replace(world.site, period_s=period_s, clock=clock)) == expected


def test_a_loop_that_is_held_up_says_why_at_once(world: Any) -> None:
    world.board.degrade("store postgresql://db does not answer; try 3")
    answer = world.http().get("/readyz")
    assert (answer.status_code, answer.text) == (503, "degraded: store postgresql://db does not answer; try 3\n")
    assert state(world) == ("degraded", "store postgresql://db does not answer; try 3")
    world.publish()
    assert world.http().get("/readyz").text == "ready\n"


def test_before_the_first_plan_the_process_is_alive_and_the_loop_not_ready(empty_world: Any) -> None:
    http = empty_world.http()
    assert http.get("/healthz").text == "ok\n"
    assert (http.get("/readyz").status_code, http.get("/readyz").text) == (503, "starting: no plan yet\n")
    empty_world.board.degrade("no host answers")
    assert http.get("/readyz").text == "starting: no host answers\n"


@pytest.fixture
def hush(world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], threading.Event]:
    """Silence the store of the evening: every question to it hangs until the event is set, then it is refused."""

    def silence() -> threading.Event:
        answers = threading.Event()

        def hang(*_: object, **__: object) -> Any:
            answers.wait(60)
            raise Unreachable("the store is silent")

        for name in ("jobs", "events", "host_marks", "job"):
            monkeypatch.setattr(world.store, name, hang)
        return answers

    monkeypatch.setattr(remembering, "PATIENCE_S", 0.2)
    return silence


def test_the_page_shows_what_it_knows_while_the_store_is_silent(
    world: Any, hush: Callable[[], threading.Event]
) -> None:
    app = world.http()
    before = app.get("/").text
    app.get("/events")
    hosts = app.get("/api/v1/hosts").json()["items"]
    silent = hush()
    world.board.degrade("the store is silent; try 1")
    page = app.get("/").text
    assert "the store is silent" in page
    for known in ("417", "talkpage-tone", "ml-serve1008 unreachable", "embed-wiki-large preempting"):
        assert known in before
        assert known in page
    assert "ml-serve1008 unreachable" in app.get("/events").text
    assert app.get("/api/v1/hosts").json()["items"] == hosts
    assert app.get("/api/v1/capacity").status_code == 200
    assert state(world)[0] == "degraded"
    assert app.get("/readyz").status_code == 503
    silent.set()


def test_a_silent_store_takes_no_life_sign_with_it(
    world: Any, hush: Callable[[], threading.Event], serve: Callable[[Any], str]
) -> None:
    import httpx  # noqa: PLC0415  # the only test here that crosses a network

    url, silent = serve(world.app()), hush()
    stuck = [
        threading.Thread(target=lambda: httpx.get(f"{url}/api/v1/jobs/417", timeout=120.0), daemon=True)
        for _ in range(60)
    ]
    for thread in stuck:
        thread.start()
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/api/v1/status", 200)):
        assert httpx.get(f"{url}{path}", timeout=30.0).status_code == status
    silent.set()
    for thread in stuck:
        thread.join()


@pytest.mark.parametrize("page", ["/events", "/"])
def test_what_cannot_be_read_is_not_said_to_have_never_happened(
    world: Any, hush: Callable[[], threading.Event], page: str
) -> None:
    hush().set()
    said = world.http().get(page).text
    assert "what has happened cannot be read" in said
    assert "Nothing has happened yet" not in said


def test_a_job_whose_events_cannot_be_read_says_so(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Any:
        raise Unreachable("the store is silent")

    monkeypatch.setattr(world.store, "events", refused)
    said = world.http().get("/jobs/417").text
    assert "talkpage-tone" in said
    assert "what has happened cannot be read" in said
