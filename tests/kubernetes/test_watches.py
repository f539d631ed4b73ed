"""Watches on the double: where they begin, what they tell, bookmarks, and versions that are too old."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from simulations.kubernetes import app
from simulations.kubernetes.api import Api
from simulations.kubernetes.manifests import namespace, pod, ray_job
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.rest import Rest, path, path_of
from simulations.kubernetes.transport import client
from simulations.kubernetes.watching import Watch
from tests.kubernetes.conftest import Double, fresh_api, in_namespace

PODS = path("v1", "pods", "ml")


@pytest.fixture
def api() -> Api:
    """Give a double with one namespace."""
    made = fresh_api()
    Rest(client(made)).create(namespace("ml"))
    return made


def opened(api: Api, query: str, where: str = PODS) -> Watch:
    """Return a watch that the API opened."""
    made = api.handle(Request.of("GET", f"http://double{where}?watch=1&{query}"))
    assert isinstance(made, Watch)
    return made


def read(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        yield json.loads(line)


def kinds_of(lines: list[bytes]) -> list[str]:
    return [event["type"] for event in read(lines)]


def test_a_watch_goes_on_after_the_version_it_names(api: Api) -> None:
    rest = Rest(client(api))
    first = rest.create(in_namespace(pod("a"), "ml"))
    watch = opened(api, f"resourceVersion={first['metadata']['resourceVersion']}")
    made = rest.create(in_namespace(pod("b"), "ml"))
    rest.patch(path_of(made), {"metadata": {"labels": {"x": "y"}}})
    rest.delete(path_of(made))
    assert watch.start() == []
    assert kinds_of(watch.take()) == ["ADDED", "MODIFIED", "DELETED"]
    assert watch.take() == []


def test_an_object_that_leaves_the_selection_is_deleted_for_who_watches_it(api: Api) -> None:
    rest = Rest(client(api))
    watch = opened(api, f"resourceVersion={api.store.revision}&labelSelector=app%3Da")
    made = rest.create(in_namespace(pod("a", labels={"app": "a"}), "ml"))
    rest.patch(path_of(made), {"metadata": {"labels": {"app": "b"}}})
    rest.patch(path_of(made), {"metadata": {"labels": {"app": "a"}}})
    assert kinds_of(watch.take()) == ["ADDED", "DELETED", "ADDED"]


def test_initial_events_end_with_a_bookmark_that_says_so(api: Api) -> None:
    Rest(client(api)).create(in_namespace(pod("a"), "ml"))
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    added, bookmark = read(opened(api, query).start())
    assert (added["type"], bookmark["type"]) == ("ADDED", "BOOKMARK")
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@pytest.mark.parametrize("how", ["restart", "compact", "window"])
def test_too_old_a_version_is_an_event_in_a_stream_that_ends(
    api: Api, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest = Rest(client(api))
    old = rest.create(in_namespace(pod("a"), "ml"))["metadata"]["resourceVersion"]
    if how == "window":
        monkeypatch.setattr("simulations.kubernetes.store.WINDOW", 1)
    for name in ("b", "c"):
        rest.create(in_namespace(pod(name), "ml"))
    if how != "window":
        getattr(api.store, how)()
    watch = opened(api, f"resourceVersion={old}")
    event = next(read(watch.start()))
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert watch.ended


def test_an_open_watch_is_silent_after_a_restart(api: Api) -> None:
    watch = opened(api, f"resourceVersion={api.store.revision}")
    api.store.restart()
    Rest(client(api)).create(in_namespace(pod("a"), "ml"))
    assert (watch.take(), watch.ended) == ([], False)


def test_a_future_version_is_silence_and_with_initial_events_an_error(api: Api) -> None:
    assert opened(api, "resourceVersion=99999999").start() == []
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=99999999"
    assert next(read(opened(api, query).start()))["object"]["code"] == 504


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("resourceVersion=abc", 500),
        ("sendInitialEvents=true", 422),
        ("resourceVersion=1&resourceVersionMatch=NotOlderThan", 422),
        ("fieldSelector=spec.nope%3D1", 400),
    ],
)
def test_what_contradicts_itself_is_a_status(api: Api, query: str, status: int) -> None:
    answered = api.handle(Request.of("GET", f"http://double{PODS}?watch=1&{query}"))
    assert isinstance(answered, Answer)
    assert answered.code == status


def test_watch_on_the_path_of_one_object_is_just_a_get(api: Api) -> None:
    rest = Rest(client(api))
    made = rest.create(in_namespace(pod("a"), "ml"))
    assert rest.get(path_of(made), watch="1")["metadata"]["uid"] == made["metadata"]["uid"]


def test_a_deleted_definition_ends_the_watch_after_its_objects(api: Api) -> None:
    rest = Rest(client(api))
    rest.create(in_namespace(ray_job("r"), "ml"))
    watch = opened(api, f"resourceVersion={api.store.revision}", path("ray.io/v1", "rayjobs", "ml"))
    rest.delete("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rayjobs.ray.io")
    assert (kinds_of(watch.take()), watch.ended) == (["DELETED"], True)
    assert rest.client.get(path("ray.io/v1", "rayjobs", "ml")).text == "404 page not found\n"


def test_a_quiet_watch_gets_bookmarks_that_follow_the_store(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "FIRST_BOOKMARK_S", 0.05)
    monkeypatch.setattr(app, "BOOKMARKS_S", 0.05)
    monkeypatch.setattr(app, "LAST_BOOKMARK_S", 0.0)
    query = {"watch": "1", "resourceVersion": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "1"}
    double.rest.create(namespace("ml"))
    with double.rest.client.stream("GET", path("v1", "pods"), params=query) as stream:
        event = json.loads(next(stream.iter_lines()))
    assert (event["type"], event["object"]["metadata"]["resourceVersion"]) == (
        "BOOKMARK",
        str(double.api.store.revision),
    )


def test_a_server_that_is_away_refuses_and_comes_back(double: Double) -> None:
    assert double.server is not None
    double.server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{double.url}/version")
    double.server.start()
    assert httpx.get(f"{double.url}/version").json()["gitVersion"] == "v1.36.2+double"


def test_faults_are_told_in_the_servers_forms(double: Double) -> None:
    faults = double.api.faults
    faults.throttled = lambda request: request.path.endswith("/nodes")
    throttled = double.rest.client.get("/api/v1/nodes")
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "1")
    assert throttled.text == "Too many requests, please try again later.\n"
    faults.forbidden = lambda request: "/namespaces/ml/" in request.path
    assert double.rest.client.get(PODS).json()["reason"] == "Forbidden"
    faults.broken = lambda request: request.path == "/api/v1/pods"
    assert double.rest.client.get("/api/v1/pods").status_code == 500
