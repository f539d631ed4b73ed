"""Replicas as changes of one configuration, against a Serve that only pretends."""

import time
from dataclasses import replace
from typing import Any

import pytest

from scheduler.backends.ray import serving as serving_module
from scheduler.backends.ray.applications import ROUTER_APP, Catalogue, Front, ServeApplication
from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.serving import Serving
from scheduler.model.errors import ActionFailed
from scheduler.model.plan import StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Replica, ReplicaState, ServingModel

MODEL = ServingModel("m", Shape(cpu_milli=1000), warm_up_s=100.0)
A, B = Slot("a"), Slot("b")


class Serve:
    """Runs at once whatever it is told."""

    def __init__(self, rest: Any) -> None:
        """Listen to the client."""
        self.rest = rest
        self.hidden: list[str] = []

    def details(self) -> dict[str, Any]:
        """Show the last configuration with all its replicas running, but for hidden ones."""
        config = self.rest.configs[-1] if self.rest.configs else {"applications": []}
        return {"applications": {app["name"]: self._app(app) for app in config["applications"]}}

    def _app(self, app: dict[str, Any]) -> dict[str, Any]:
        count = 0 if app["name"] in self.hidden else app["deployments"][0]["num_replicas"]
        replicas = [{"state": "RUNNING"}] * count
        deployments = {"Model": {"replicas": replicas}}
        return {"status": "RUNNING", "message": "", "deployments": deployments, "deployed_app_config": app}


@pytest.fixture
def serve(rest: Any) -> Serve:
    return Serve(rest)


@pytest.fixture
def make(rest: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a maker of control planes' views; nothing is sent by itself, tests flush."""
    monkeypatch.setattr(serving_module, "GATHER_S", 3600.0)
    made: list[Serving] = []

    def make(name: str = "m", owner: str = "") -> Serving:
        catalogue = Catalogue({name: replace(MODEL, name=name)}, {name: ServeApplication("models:build")})
        made.append(Serving(rest, catalogue, clock, Front("127.0.0.1", 8000, "t.json"), owner))
        return made[-1]

    yield make
    for each in made:
        each.close()


def look(view: Serving, serve: Serve, fleet: Fleet) -> tuple[Replica, ...]:
    return view.observe(serve.details(), time.monotonic(), fleet)[0]


def states(replicas: tuple[Replica, ...]) -> list[tuple[str, str]]:
    return sorted((replica.slot.host, replica.state.value) for replica in replicas)


def test_changes_of_a_moment_are_sent_together(make: Any, fleet: Fleet, rest: Any) -> None:
    view = make()
    for slot in (A, A, B):
        view.start(StartReplica("m", slot), fleet)
    assert rest.configs == []
    view.flush()
    view.flush()
    (config,) = rest.configs
    assert [app["name"] for app in config["applications"]] == [ROUTER_APP, "m@a", "m@b"]


def test_what_was_asked_for_holds_room_at_once(make: Any, fleet: Fleet, serve: Serve) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    assert states(look(view, serve, fleet)) == [("a", "starting")]
    view.flush()
    assert states(look(view, serve, fleet)) == [("a", "ready")]


def test_an_answer_from_before_the_change_does_not_undo_it(make: Any, fleet: Fleet, serve: Serve) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.flush()
    asked_at_s, old = time.monotonic(), serve.details()
    view.start(StartReplica("m", B), fleet)
    view.flush()
    assert states(view.observe(old, asked_at_s, fleet)[0]) == [("a", "ready"), ("b", "starting")]


def test_a_new_control_plane_finds_the_same_replicas(make: Any, fleet: Fleet, serve: Serve) -> None:
    first = make()
    first.start(StartReplica("m", A), fleet)
    first.start(StartReplica("m", A), fleet)
    first.flush()
    before = look(first, serve, fleet)
    after = look(make(), serve, fleet)
    assert [r.replica_id for r in after] == [r.replica_id for r in before]


def test_a_new_control_plane_that_acts_before_it_looks_adds_to_what_runs(
    make: Any, fleet: Fleet, serve: Serve, rest: Any
) -> None:
    first = make()
    first.start(StartReplica("m", A), fleet)
    first.flush()
    rest.applications = serve.details()["applications"]
    second = make()
    second.start(StartReplica("m", B), fleet)
    second.flush()
    assert states(look(second, serve, fleet)) == [("a", "ready"), ("b", "ready")]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_is_adopted_again_and_again_comes_once(
    make: Any, fleet: Fleet, serve: Serve, rest: Any, *, restarted: bool
) -> None:
    """An order stands for as long as what it is about is seen, turn after turn, and both applications have one."""
    first, second = make(owner="a" * 36), make(owner="b" * 36)
    first.start(StartReplica("m", A), fleet)
    first.flush()
    rest.applications = serve.details()["applications"]
    router, replica = sorted(rest.applications, key=lambda name: not name.startswith(ROUTER_APP))
    for app in (replica, router, replica):
        second.adopt(app, fleet)
    second.flush()
    if restarted:
        rest.applications |= serve.details()["applications"]
        second = make(owner="b" * 36)
        second.adopt(router, fleet)
        second.flush()
    assert states(look(second, serve, fleet)) == [("a", "ready")]


def test_what_comes_back_after_it_was_adopted_can_be_adopted_again(
    make: Any, fleet: Fleet, serve: Serve, rest: Any
) -> None:
    first, second = make(owner="a" * 36), make(owner="b" * 36)
    first.start(StartReplica("m", A), fleet)
    first.flush()
    rest.applications = serve.details()["applications"]
    router = next(name for name in rest.applications if name.startswith(ROUTER_APP))
    second.adopt(router, fleet)
    second.flush()
    assert router not in second.others({"applications": {}})
    first.start(StartReplica("m", B), fleet)
    first.flush()
    rest.applications = serve.details()["applications"]
    second.adopt(router, fleet)
    second.flush()
    assert states(look(second, serve, fleet)) == [("a", "ready"), ("b", "ready")]


def test_stopping_one_of_two_keeps_the_other(make: Any, fleet: Fleet, serve: Serve) -> None:
    view = make()
    for _ in range(2):
        view.start(StartReplica("m", A), fleet)
    view.flush()
    victim = look(view, serve, fleet)[0]
    view.stop(StopReplica(victim.replica_id, "m", A), fleet)
    assert sorted(r.state for r in look(view, serve, fleet)) == [ReplicaState.READY, ReplicaState.STOPPING]
    view.flush()
    (left,) = look(view, serve, fleet)
    assert left.replica_id != victim.replica_id


def test_stopping_again_sends_nothing(make: Any, fleet: Fleet, serve: Serve, rest: Any) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.start(StartReplica("m", A), fleet)
    view.flush()
    victim = look(view, serve, fleet)[0]
    for _ in range(2):
        view.stop(StopReplica(victim.replica_id, "m", A), fleet)
        view.flush()
    deployment = rest.configs[-1]["applications"][1]["deployments"][0]
    assert deployment["num_replicas"] == 1


def test_replicas_on_a_lost_host_are_given_up(make: Any, fleet: Fleet, serve: Serve, rest: Any) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.start(StartReplica("m", B), fleet)
    view.flush()
    half = Fleet(fleet.hosts, {"a": fleet.selectors["a"]}, fleet.doors)
    assert states(look(view, serve, half)) == [("a", "ready")]
    view.flush()
    assert [app["name"] for app in rest.configs[-1]["applications"]] == [ROUTER_APP, "m@a"]


@pytest.mark.parametrize(("model", "slot"), [("other", A), ("m", Slot("nowhere"))])
def test_what_cannot_start_is_refused(make: Any, fleet: Fleet, model: str, slot: Slot) -> None:
    with pytest.raises(ActionFailed, match=f"{model}|nowhere"):
        make().start(StartReplica(model, slot), fleet)


def test_a_refused_configuration_is_a_fault_until_the_next_one_is_taken(
    make: Any, fleet: Fleet, serve: Serve, rest: Any
) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    rest.refusal = ActionFailed("unknown import path")
    with pytest.raises(ActionFailed):
        view.flush()
    _, faults = view.observe(serve.details(), 0.0, fleet)
    assert faults == ("Serve refuses its configuration: unknown import path",)
    rest.refusal = None
    view.start(StartReplica("m", A), fleet)
    view.flush()
    assert view.observe(serve.details(), time.monotonic(), fleet)[1] == ()


def test_a_replica_that_starts_for_ever_is_a_fault(make: Any, fleet: Fleet, serve: Serve, clock: Any) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.flush()
    serve.hidden = ["m@a"]
    assert view.observe(serve.details(), time.monotonic(), fleet)[1] == ()
    clock.now_s = lambda: 5000.0 + 601.0
    (fault,) = view.observe(serve.details(), time.monotonic(), fleet)[1]
    assert fault == "m on a has been starting for 601 s and says nothing"


def test_changes_wait_while_an_application_is_built_but_not_for_ever(
    make: Any, fleet: Fleet, rest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest.applications = {"m@b": {"status": "DEPLOYING", "deployments": {}}}
    view = make()
    view.start(StartReplica("m", A), fleet)
    view._send_later()
    assert rest.configs == []
    rest.applications = {"m@b": {"status": "DEPLOYING", "deployments": {"Model": {}}}}
    view._send_later()
    assert len(rest.configs) == 1

    rest.applications = {"m@b": {"status": "DEPLOYING", "deployments": {}}}
    view.start(StartReplica("m", A), fleet)
    monkeypatch.setattr(serving_module, "BUILD_S", -1.0)
    view._send_later()
    assert len(rest.configs) == 2


def test_nothing_is_sent_once_it_is_closed(make: Any, fleet: Fleet, rest: Any) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.close()
    view._send_later()
    assert rest.configs == []
    assert view._timer is None


def test_ready_counts_from_when_it_was_first_seen(make: Any, fleet: Fleet, serve: Serve, clock: Any) -> None:
    view = make()
    view.start(StartReplica("m", A), fleet)
    view.flush()
    clock.now_s = lambda: 5100.0
    assert look(view, serve, fleet)[0].since_s == 5100.0
    clock.now_s = lambda: 5200.0
    assert look(view, serve, fleet)[0].since_s == 5100.0


def test_a_router_that_runs_keeps_its_address(make: Any, fleet: Fleet, serve: Serve) -> None:
    first = make()
    first.front = Front("127.0.0.1", 9999, "t.json")
    first.start(StartReplica("m", A), fleet)
    first.flush()
    second = make()
    look(second, serve, fleet)
    assert second.front.port == 9999


def test_another_control_plane_keeps_replicas_of_a_model_it_does_not_declare(
    make: Any, fleet: Fleet, rest: Any, serve: Serve
) -> None:
    first = make("m")
    first.start(StartReplica("m", A), fleet)
    first.flush()
    (known,) = look(first, serve, fleet)
    assert known.shape is None, "what it holds is what its model says"
    second = make("m2")
    (old,) = look(second, serve, fleet)
    second.start(StartReplica("m2", B), fleet)
    second.flush()
    assert old.shape == MODEL.shape
    assert [app["name"] for app in rest.configs[-1]["applications"]] == [ROUTER_APP, "m2@b", "m@a"]
    look(second, serve, fleet)
    second.stop(StopReplica(old.replica_id, "m", A), fleet)
    second.flush()
    assert [(r.model, r.state.value) for r in look(second, serve, fleet)] == [("m2", "ready"), ("m", "stopping")]
