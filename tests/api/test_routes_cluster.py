"""Hosts, models, capacity, forecasts and the control plane's own state over HTTP."""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.models import forecast_view
from scheduler.control.records import HostMark
from scheduler.control.reports.board import ModelOutlook
from scheduler.model.demand import Basis
from scheduler.model.hosts import HostState
from scheduler.wire.forecasts import Forecast


def test_hosts_show_who_holds_every_device(http: httpx.Client) -> None:
    hosts = {host["name"]: host for host in http.get("/api/v1/hosts").json()["items"]}
    assert list(hosts) == sorted(hosts)
    assert len(hosts) == 15
    kinds = [[use["kind"] for use in device["uses"]] for device in hosts["ml-serve1013"]["devices"]]
    assert kinds == [["serving"], ["serving"] * 2, ["starting"], *[["training"]] * 4, []]
    assert [device["uses"][0]["kind"] for device in hosts["ml-serve1010"]["devices"]] == ["serving", "held"]
    assert {use["kind"] for device in hosts["ml-serve1015"]["devices"] for use in device["uses"]} == {
        "serving",
        "preempting",
    }
    assert hosts["ml-serve1008"]["state"] == "lost"


def test_cordon_shows_at_once_and_uncordon_takes_it_back(world: Any) -> None:
    http = world.http()
    cordoned = http.post("/api/v1/hosts/ml-serve1012/cordon", json={"reason": "fan"}).json()["item"]
    assert (cordoned["state"], cordoned["reason"]) == ("cordoned", "fan")
    assert http.get("/api/v1/hosts/ml-serve1012").json()["item"]["state"] == "cordoned"
    assert http.post("/api/v1/hosts/ml-serve1012/uncordon").json()["item"]["state"] == "ready"
    assert world.store.host_marks() == ()


def test_a_host_that_the_cluster_itself_cordons_is_shown_so_whatever_operators_said(world: Any) -> None:
    shown, name = world.board.report, "ml-serve1013"
    seen = tuple(
        replace(host, state=HostState.CORDONED, reason="by hand") if host.name == name else host
        for host in shown.cycle.snapshot.hosts
    )
    report = replace(shown, observation=replace(shown.observation, hosts=seen))
    views = {host.name: host for host in host_views(report, ())}
    assert (views[name].state, views[name].reason) == ("cordoned", "by hand")
    marks = (HostMark(name, HostState.DRAINING, "swap", 1.0),)
    assert {host.name: host.state for host in host_views(report, marks)}[name] == "draining"


def test_a_dry_drain_says_what_moves_and_changes_nothing(world: Any) -> None:
    answer = world.http().post("/api/v1/hosts/ml-serve1011/drain", json={"dry_run": True, "reason": "fan"})
    drain = answer.json()["item"]
    assert drain["host"] == "ml-serve1011"
    assert any("412" in step for step in drain["steps"])
    assert drain["applied"] is False
    assert world.store.host_marks() == ()


@pytest.mark.parametrize("action", ["cordon", "uncordon", "drain"])
def test_an_unknown_host_is_404(http: httpx.Client, action: str) -> None:
    assert http.post(f"/api/v1/hosts/nowhere/{action}", json={}).status_code == 404
    assert http.get("/api/v1/hosts/nowhere").status_code == 404


def test_models_show_headroom_and_the_day_s_late_requests(http: httpx.Client) -> None:
    models = {model["name"]: model for model in http.get("/api/v1/models").json()["items"]}
    check = models["edit-check"]
    assert (check["ready"], check["owner"], check["headroom_ratio"]) == (
        3,
        "editing",
        pytest.approx(45 / 35.1, abs=1e-3),
    )
    assert models["llm-qwen3-14b"]["late_24h"] == 2
    assert 0 < check["requests_24h"] < 152_310
    assert (models["cope-a-9b"]["ready"], models["cope-a-9b"]["starting"]) == (0, 1)
    assert models["cope-a-9b"]["headroom_ratio"] is None


def test_capacity_adds_up_to_all_devices(http: httpx.Client) -> None:
    view = http.get("/api/v1/capacity").json()["item"]
    parts = ("serving", "training", "held", "reserved", "free", "drained")
    assert sum(view[f"gpus_{part}"] for part in (*parts, "lost")) == view["gpus"] == 38
    assert view["covered"] is True
    assert view["verdict"].startswith("Serving is covered")
    for point in view["points"]:
        assert point["training"] is None or sum(point[part] for part in parts) == pytest.approx(38, abs=0.01)


def test_capacity_can_be_asked_of_one_gpu_model_one_model_and_another_horizon(http: httpx.Client) -> None:
    assert http.get("/api/v1/capacity", params={"gpu": "MI210"}).json()["item"]["gpus"] == 6
    near = http.get("/api/v1/capacity", params={"until": 6}).json()["item"]["points"]
    assert near[-1]["at"] <= "2026-11-23T23:24:00Z"
    one = http.get("/api/v1/capacity", params={"model": "edit-check"}).json()["item"]
    assert one["unit"] == "requests/s"
    assert any(point["planned"] == 45.0 for point in one["points"])
    assert http.get("/api/v1/capacity", params={"model": "nothing"}).status_code == 404
    assert http.get("/api/v1/capacity", params={"until": -1}).json()["error"]["field"] == "until"


def test_the_forecast_of_a_model_has_points_and_peaks(http: httpx.Client) -> None:
    view = http.get("/api/v1/forecast/edit-check").json()["item"]
    assert (view["basis"], view["source"], len(view["peaks"])) == ("forecast", "wikipedia-en", 4)
    assert all(p["p10"] <= p["p50"] <= p["p90"] <= p["p99"] for p in view["points"])
    assert http.get("/api/v1/forecast/nothing").status_code == 404


def test_the_forecast_of_a_source_that_was_never_heard_can_be_read() -> None:
    never = ModelOutlook("edit-check", "web", Basis.SILENT, 0.0, 6.0, 60.0, source_age_s=float("inf"))
    view = forecast_view(never, 0.0, 3600.0)
    assert view.source_age_s is None
    assert Forecast.model_validate_json(view.model_dump_json()) == view


def test_status_says_what_the_loop_does_and_who_asks(world: Any) -> None:
    status = world.http().get("/api/v1/status").json()["item"]
    assert (status["state"], status["cluster"], status["role"]) == ("live", "ml-serve-eqiad", "operator")
    world.board.degrade("Ray does not answer, try 3")
    status = world.http().get("/api/v1/status").json()["item"]
    assert (status["state"], status["message"]) == ("degraded", "Ray does not answer, try 3")


def test_events_are_paged_by_id(http: httpx.Client) -> None:
    events = http.get("/api/v1/events").json()["items"]
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    later = http.get("/api/v1/events", params={"after": events[4]["id"]}).json()["items"]
    assert later == events[5:]
    assert {e["subject"] for e in http.get("/api/v1/events", params={"subject": "409"}).json()["items"]} == {"409"}
    assert len(http.get("/api/v1/events", params={"limit": 2}).json()["items"]) == 2


def test_before_the_first_cycle_the_answer_is_to_try_again(empty_world: Any) -> None:
    http = empty_world.http()
    assert http.get("/api/v1/status").json()["item"]["state"] == "starting"
    assert http.get("/api/v1/jobs").json()["items"] == []
    for path in ("hosts", "models", "capacity", "forecast/edit-check"):
        answer = http.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "Unreachable")


def test_metrics_are_what_was_handed_in(world: Any) -> None:
    answer = world.http(metrics=lambda: b"headroom_up 1\n").get("/metrics")
    assert answer.text == "headroom_up 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert world.http().get("/metrics").status_code == 404


def test_the_api_describes_itself_and_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    schema = http.get("/openapi.json").json()
    assert {"/api/v1/jobs", "/api/v1/jobs/{job_id}/logs", "/api/v1/stream", "/metrics"} <= set(schema["paths"])
    assert not any(path.startswith("/page") for path in schema["paths"])
    assert http.get("/docs").status_code == 404


def test_a_restarted_router_counts_from_its_start(world: Any) -> None:
    fewer = tuple((name, replace(tally, total=10, late=1)) for name, tally in world.board.report.request_counts)
    world.publish(replace(world.board.report, request_counts=fewer))
    models = {model["name"]: model for model in world.http().get("/api/v1/models").json()["items"]}
    assert (models["edit-check"]["requests_24h"], models["edit-check"]["late_24h"]) == (10, 1)


def test_queues_are_listed_in_the_order_of_declaration(http: httpx.Client) -> None:
    answer = http.get("/api/v1/queues").json()
    assert answer["kind"] == "QueueList"
    assert [queue["name"] for queue in answer["items"]] == ["default", "product", "research"]
    product = answer["items"][1]
    assert (product["used"]["gpus"], product["guaranteed_gpus"], product["borrowed_gpus"]) == (9.0, 8.0, 1.0)
    assert (product["running"], product["waiting"], product["waiting_gpus"]) == (3, 2, 10.0)


def test_a_forecast_reaches_as_far_as_asked_and_refuses_what_it_cannot_show(world: Any) -> None:
    http = world.http()
    (near,) = http.get("/api/v1/forecast/edit-check", params={"until": 0.3}).json()["item"]["points"]
    assert near["at"] == "2026-11-23T17:39:00Z"
    refused = http.get("/api/v1/forecast/edit-check", params={"quantiles": "0.5,1.5"})
    assert refused.status_code == 422
    assert 'quantiles: "0.5,1.5" is not a list of levels' in refused.json()["error"]["message"]
    unknown = http.get("/api/v1/forecast/nothing").json()["error"]
    assert unknown["message"] == "no model nothing"
    assert "edit-check" in unknown["help"]
    world.publish(replace(world.board.report, outlooks=()))
    assert http.get("/api/v1/forecast/edit-check").json()["error"]["message"] == "no forecast of edit-check yet"


def test_orders_for_hosts_need_no_body(world: Any) -> None:
    http = world.http()
    assert http.post("/api/v1/hosts/ml-serve1001/cordon").json()["item"]["reason"] == ""
    assert http.post("/api/v1/hosts/ml-serve1011/drain").json()["item"]["applied"] is True
    assert [(mark.host, mark.state) for mark in world.store.host_marks()] == [
        ("ml-serve1001", "cordoned"),
        ("ml-serve1011", "draining"),
    ]
