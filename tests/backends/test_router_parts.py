"""Choosing a route, and counts that survive the router."""

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scheduler.backends.ray.request_counts import Tallies
from scheduler.backends.ray.routes import ModelRoutes, Route, set_ready, updated

CONFIG = {"m": {"objective_s": 0.5, "deployment": "Model", "apps": ["m@a", "m@b"]}}


def routes(**each: tuple[int, int]) -> ModelRoutes:
    return ModelRoutes(1.0, {app: Route(app, "Model", object(), ready, busy) for app, (ready, busy) in each.items()})


def test_the_fewest_requests_in_flight_per_replica_wins() -> None:
    assert routes(a=(1, 2), b=(4, 6)).best().app == "b"
    assert routes(a=(1, 0), b=(4, 1)).best().app == "a"


def test_equals_take_turns() -> None:
    idle = routes(a=(1, 0), b=(3, 0), c=(1, 0))
    assert [idle.best().app for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]


def test_what_is_not_ready_or_was_tried_is_passed_over() -> None:
    assert routes(a=(0, 0), b=(1, 9)).best().app == "b"
    assert routes(a=(1, 0), b=(1, 9)).best(tried={"a"}).app == "b"
    assert routes(a=(0, 0)).best() is None
    assert routes(a=(1, 0)).best(tried={"a"}) is None


@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 60))
def test_requests_that_stay_spread_in_proportion_to_replicas(ready: list[int], requests: int) -> None:
    model = ModelRoutes(1.0, {str(n): Route(str(n), "Model", object(), r) for n, r in enumerate(ready)})
    for _ in range(requests):
        model.best().in_flight += 1
    loads = [route.in_flight / route.ready for route in model.routes.values()]
    assert max(loads) - min(loads) <= 1


def test_a_new_configuration_keeps_what_is_known_of_routes_that_stay() -> None:
    before = updated({}, CONFIG)
    before["m"].routes["m@a"].in_flight = 3
    after = updated(before, {"m": CONFIG["m"] | {"apps": ["m@a", "m@c"], "objective_s": 0.7}})
    assert after["m"].routes["m@a"] is before["m"].routes["m@a"]
    assert after["m"].routes.keys() == {"m@a", "m@c"}
    assert after["m"].objective_s == 0.7


def test_a_handle_is_made_once_and_only_for_what_is_ready() -> None:
    model, made = updated({}, CONFIG)["m"], []

    def handle_of(deployment: str, app: str) -> str:
        made.append((deployment, app))
        return app

    set_ready([model], {"m@a": 2}, handle_of)
    set_ready([model], {"m@a": 1}, handle_of)
    assert made == [("Model", "m@a")]
    assert [(r.app, r.ready) for r in model.routes.values()] == [("m@a", 1), ("m@b", 0)]
    assert model.best().app == "m@a"


def test_counts_go_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "request_counts.json"
    first = Tallies(file)
    first.count("m", late=True, failed=False)
    first.count("m", late=False, failed=True)
    first.save()
    second = Tallies(file)
    second.count("m", late=False, failed=False)
    assert second.as_json() == {"m": {"total": 3, "late": 1, "failed": 1}}


def test_nothing_is_written_when_nothing_was_counted(tmp_path: Path) -> None:
    file = tmp_path / "request_counts.json"
    Tallies(file).save()
    assert not file.exists()


def test_a_torn_file_counts_from_zero(tmp_path: Path) -> None:
    file = tmp_path / "request_counts.json"
    file.write_text('{"m": {"tot', encoding="utf-8")
    assert Tallies(file).as_json() == {}


def tried(shares: dict[int, float], **ready: tuple[int, int]) -> ModelRoutes:
    """Return routes by (revision, ready replicas)."""
    every = {app: Route(app, "Model", object(), count, revision=number) for app, (number, count) in ready.items()}
    return ModelRoutes(1.0, every, shares=shares)


def spread(model: ModelRoutes, requests: int = 1000) -> Counter[int]:
    return Counter(model.best().revision for _ in range(requests))


def test_a_revision_on_trial_gets_its_share() -> None:
    assert spread(tried({2: 0.1}, a=(1, 4), b=(2, 1)))[2] == 100


def test_it_gets_no_more_than_its_replicas_can_take() -> None:
    assert spread(tried({2: 0.5}, a=(1, 4), b=(2, 1)))[2] == 200


def test_it_gets_nothing_while_its_share_is_none_or_it_is_not_ready() -> None:
    assert spread(tried({2: 0.0}, a=(1, 1), b=(2, 3)))[2] == 0
    waits = tried({2: 0.5}, a=(1, 1), b=(2, 0))
    assert spread(waits)[2] == 0
    waits.routes["b"].ready = 1
    assert [waits.best().revision for _ in range(4)].count(2) == 2, "nothing is made up for"


def test_rather_than_nobody_a_revision_without_a_share_answers() -> None:
    assert spread(tried({2: 0.0}, a=(1, 0), b=(2, 1)))[2] == 1000


def test_what_a_revision_failed_goes_to_another_one() -> None:
    model = tried({2: 0.5}, a=(1, 1), b=(2, 1))
    assert model.rivals(model.routes["b"])
    assert model.best(model.of_revision(2)).app == "a"
    assert not tried({}, a=(1, 1), b=(1, 1)).rivals(Route("a", "Model"))


def test_revisions_and_shares_come_with_the_configuration() -> None:
    config = CONFIG["m"] | {"revisions": {"m@b": 2}, "shares": {"2": 0.1}}
    model = updated({}, {"m": config})["m"]
    assert {route.app: route.revision for route in model.routes.values()} == {"m@a": 1, "m@b": 2}
    assert (model.shares, model.has_several) == ({2: 0.1}, True)
