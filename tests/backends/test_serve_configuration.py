"""The configuration of Serve that stands for a set of replicas."""

import json
from typing import Any

from scheduler.backends.ray.applications import (
    ROUTER_APP,
    TOLD_S,
    Catalogue,
    Front,
    ServeApplication,
    former_in,
    front_in,
    is_waiting,
    serve_config,
    wanted_in,
)
from scheduler.backends.ray.replicas import Wanted
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel

SHAPE = Shape(cpu_milli=1500, memory_mib=2048, gpu_count=1, gpu_milli=250)
CATALOGUE = Catalogue(
    {"m": ServingModel("m", SHAPE), "n": ServingModel("n", Shape(cpu_milli=1000))},
    {
        "m": ServeApplication("models:build", {"size": 3}, {"env_vars": {"A": "b"}}, latency_objective_s=0.5),
        "n": ServeApplication("models:app", deployment="Answerer"),
    },
)
FRONT = Front("127.0.0.1", 8000, "/state/request_counts.json")
SELECTORS = {"h1": {"host": "h1"}, "h2": {"ray.io/node-id": "ab"}}
NOW_S = 1000.0


def wanted(number: int, model: str = "m", host: str = "h1", stopped_wall_s: float | None = None) -> Wanted:
    return Wanted(f"r{number}", model, host, (), 0.0, stopped_wall_s)


def config_of(*replicas: Wanted, wall_s: float = NOW_S) -> dict[str, Any]:
    return serve_config(replicas, CATALOGUE, FRONT, SELECTORS, wall_s)


def apps(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {app["name"]: app for app in config["applications"]}


def counts(config: dict[str, Any]) -> dict[str, int]:
    return {n: a["deployments"][0]["num_replicas"] for n, a in apps(config).items() if n != ROUTER_APP}


def routes(config: dict[str, Any]) -> dict[str, Any]:
    return apps(config)[ROUTER_APP]["deployments"][0]["user_config"]["routes"]


def as_shown(config: dict[str, Any]) -> dict[str, Any]:
    """Return what Serve shows of a configuration."""
    return {
        "applications": {
            name: {"deployed_app_config": json.loads(json.dumps(app))} for name, app in apps(config).items()
        }
    }


def test_there_is_one_application_for_each_model_and_host_with_its_count() -> None:
    config = config_of(wanted(1), wanted(2), wanted(3, host="h2"), wanted(4, "n"))
    assert counts(config) == {"m@h1": 2, "m@h2": 1, "n@h1": 1}


def test_an_application_asks_for_its_shape_on_its_host() -> None:
    app = apps(config_of(wanted(1, host="h2")))["m@h2"]
    assert app["deployments"] == [
        {
            "name": "Model",
            "num_replicas": 1,
            "ray_actor_options": {
                "num_cpus": 1.5,
                "num_gpus": 0.25,
                "memory": 2048 * 2**20,
                "label_selector": {"ray.io/node-id": "ab"},
            },
        }
    ]
    assert (app["import_path"], app["args"], app["route_prefix"]) == ("models:build", {"size": 3}, None)
    assert app["runtime_env"] == {"env_vars": {"A": "b"}}


def test_the_deployment_that_answers_is_named_by_its_owner() -> None:
    config = config_of(wanted(1, "n"))
    assert apps(config)["n@h1"]["deployments"][0]["name"] == "Answerer"
    assert routes(config)["n"]["deployment"] == "Answerer"


def test_the_router_knows_every_model_and_where_it_runs() -> None:
    assert routes(config_of(wanted(1), wanted(2), wanted(3, host="h2"))) == {
        "m": {"objective_s": 0.5, "deployment": "Model", "apps": ["m@h1", "m@h2"]},
        "n": {"objective_s": 1.0, "deployment": "Answerer", "apps": []},
    }


def test_adding_a_replica_changes_nothing_for_the_others() -> None:
    before, after = config_of(wanted(1), wanted(2, "n")), config_of(wanted(1), wanted(2, "n"), wanted(3))
    assert apps(before)["n@h1"] == apps(after)["n@h1"]
    assert apps(before)["m@h1"]["args"] == apps(after)["m@h1"]["args"]


def test_where_some_stay_the_count_drops_at_once() -> None:
    assert counts(config_of(wanted(1), wanted(2, stopped_wall_s=NOW_S))) == {"m@h1": 1}


def test_the_last_of_a_host_goes_only_after_the_router_was_told() -> None:
    last = wanted(1, stopped_wall_s=NOW_S)
    at_once = config_of(last, wall_s=NOW_S)
    assert (counts(at_once), routes(at_once)["m"]["apps"]) == ({"m@h1": 1}, [])
    assert is_waiting([last], NOW_S)
    later_s = NOW_S + TOLD_S + 0.1
    assert counts(config_of(last, wall_s=later_s)) == {}
    assert not is_waiting([last], later_s)


def test_nothing_is_asked_for_on_hosts_that_are_gone() -> None:
    assert counts(config_of(wanted(1, host="gone"), wanted(2))) == {"m@h1": 1}


def test_what_is_wanted_and_where_the_router_answers_can_be_read_back() -> None:
    replicas = (wanted(1), wanted(2, host="h2", stopped_wall_s=NOW_S))
    shown = as_shown(config_of(*replicas))
    assert wanted_in(shown) == replicas
    assert front_in(shown) == FRONT


def test_without_a_router_nothing_is_known() -> None:
    assert wanted_in({"applications": {}}) is None
    assert front_in({"applications": {ROUTER_APP: {"deployed_app_config": None}}}) is None


def test_the_router_says_no_word_of_requests_and_listens_itself() -> None:
    config = config_of()
    assert config["proxy_location"] == "Disabled"
    assert config["logging_config"] == {"enable_access_log": False}
    assert apps(config)[ROUTER_APP]["args"] == {
        "host": "127.0.0.1",
        "port": 8000,
        "tally_file": "/state/request_counts.json",
    }


def test_applications_of_models_that_are_declared_no_longer_stay_as_serve_has_them() -> None:
    before = as_shown(config_of(wanted(1), wanted(2), wanted(3, "n", "h2")))
    renamed = Catalogue({"m2": CATALOGUE.models["m"]}, {"m2": CATALOGUE.applications["m"]})
    old = (wanted(1), wanted(2), wanted(3, "n", "h2"))
    former = former_in(before, old, renamed)
    again = serve_config((*old, wanted(4, "m2")), renamed, FRONT, SELECTORS, NOW_S, former)
    assert counts(again) == {"m2@h1": 1, "m@h1": 2, "n@h2": 1}
    assert apps(again)["m@h1"] == before["applications"]["m@h1"]["deployed_app_config"]
    assert routes(again)["m"] == {"objective_s": 0.5, "deployment": "Model", "apps": ["m@h1"]}
    fewer = serve_config((wanted(1), wanted(2, stopped_wall_s=NOW_S)), renamed, FRONT, SELECTORS, NOW_S, former)
    assert counts(fewer) == {"m@h1": 1}
