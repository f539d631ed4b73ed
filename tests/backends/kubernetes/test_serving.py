"""Serving by scale: what is seen is what is there, an order is one patch, and no order undoes what others do."""

from typing import Any

import pytest

from scheduler.backends.kubernetes.hosts import Hosts
from scheduler.backends.kubernetes.nodes import Node, Taint
from scheduler.backends.kubernetes.serving_objects import RESOURCES, cut_deployment
from scheduler.backends.kubernetes.serving_part import ServingPart, ServingSeen
from scheduler.backends.kubernetes.serving_wishes import PATIENCE_S
from scheduler.model.errors import ActionFailed
from scheduler.model.plan import Cause, StartReplica, StopReplica
from scheduler.model.resources import Slot
from scheduler.model.workloads import ReplicaId, ReplicaState
from tests.backends.kubernetes.serving_worlds import (
    SHAPE,
    a_deployment,
    a_pod,
    a_revision,
    a_service,
    a_set,
    caches_of,
    seat,
    serving_of,
)

START = StartReplica("m", Slot("h2"))
SCALE, REVISION = "deployments/m/scale", "revisions/m-predictor-00001"
LEAST, COST = "autoscaling.knative.dev/min-scale", "controller.kubernetes.io/pod-deletion-cost"
FIRST = {COST: "-1000000"}


def plain(replicas: int, *pods: Any, **more: Any) -> list[Any]:
    """Return the objects of a Deployment "m" with pods of one template."""
    return [a_deployment("m", replicas, **more), a_set("m-1", "m", replicas), *pods]


def knative(wanted: int, least: int, *pods: Any, number: int = 1, **more: Any) -> list[Any]:
    """Return the objects of one revision."""
    name = f"m-predictor-{number:05}"
    deployment = a_deployment(f"{name}-deployment", wanted, revision=name)
    return [deployment, a_set(f"{name}-1", f"{name}-deployment", wanted), a_revision(name, least, **more), *pods]


def stop(name: str) -> StopReplica:
    return StopReplica(ReplicaId(name), "m", Slot("h1"))


def states(seen: ServingSeen) -> list[tuple[str, str, ReplicaState]]:
    return [(one.replica_id, one.slot.host, one.state) for one in seen.replicas]


def test_it_fits_the_seam() -> None:
    part: ServingPart = serving_of()[0]
    assert {one.name for one in part.resources} == {one.name for one in RESOURCES} | {"resourcequotas"}


def test_hosts_carry_a_label_where_a_models_pods_may_go_as_its_template_is_now() -> None:
    serving, _, _ = serving_of()
    plain_deployment, bound = a_deployment("m", 1), a_deployment("m", 1)
    bound["spec"]["template"] = {"spec": {"nodeSelector": {"zone": "a"}, "containers": []}}
    (anywhere,) = serving.rules(caches_of(plain_deployment))
    (selected,) = serving.rules(caches_of(bound))
    assert anywhere.label == selected.label == ("may-run", "m")
    assert anywhere != selected, "a changed template is noticed though the label is the same"
    tainted = Node("t", 1, taints=(Taint("dedicated", "x", "NoSchedule"),))
    nodes = [Node("b", 1, labels={"zone": "b"}), Node("a", 1, labels={"zone": "a"}), tainted]
    assert [rule.holds(node) for rule in (anywhere, selected) for node in nodes] == [
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    hosts = Hosts(()).of({node.key: node for node in nodes}, [selected], 1000.0)
    assert [host.name for host in hosts if ("may-run", "m") in host.labels] == ["a"]
    assert list(serving.rules(caches_of())) == []


def test_bound_pods_are_replicas_and_others_are_not() -> None:
    serving, _, _ = serving_of()
    pods = [
        a_pod("a", "m-1", node="h1"),
        a_pod("b", "m-1", node="h2", ready=False),
        a_pod("c", "m-1", node="h1", going=True),
        a_pod("d", "m-1"),
        a_pod("e", "m-1", node="gone"),
        a_pod("f", "other-1", node="h1"),
    ]
    seen = serving.observe(caches_of(*plain(3, *pods)), seat)
    assert states(seen) == [
        ("Pod-a", "h1", ReplicaState.READY),
        ("Pod-b", "h2", ReplicaState.STARTING),
        ("Pod-c", "h1", ReplicaState.STOPPING),
    ]
    assert seen.pods == {"Pod-a", "Pod-b", "Pod-c"}
    assert {one.shape for one in seen.replicas} == {None}


def test_a_pod_that_holds_more_than_its_model_says_is_seen_with_what_it_holds() -> None:
    serving, _, _ = serving_of()
    (seen,) = serving.observe(caches_of(*plain(1, a_pod("a", "m-1", node="h1", cpu="1025m"))), seat).replicas
    assert seen.shape is not None
    assert (seen.shape.cpu_milli, seen.shape.memory_mib) == (1025, SHAPE.memory_mib)


def test_ready_counts_from_when_it_was_seen_first() -> None:
    serving, _, clock = serving_of()
    world = caches_of(*plain(1, a_pod("a", "m-1", node="h1")))
    serving.observe(world, seat)
    clock.at_s += 60
    assert serving.observe(world, seat).replicas[0].since_s == 1000.0


def test_starts_of_one_turn_add_up_before_the_caches_have_seen_any() -> None:
    serving, sent, _ = serving_of()
    world = caches_of(*plain(1, a_pod("a", "m-1", node="h1")))
    for _ in range(3):
        serving.apply(START, world)
    assert sent.said() == [(SCALE, 2), (SCALE, 3), (SCALE, 4)]
    seen = serving.observe(world, seat)
    assert [one.state for one in seen.replicas] == [ReplicaState.READY, *[ReplicaState.STARTING] * 3]
    assert {one.slot.host for one in seen.replicas[1:]} == {"h2"}, "until they have a host, where they were wished"
    assert seen.asked == ()


def test_a_scale_is_patched_from_the_number_that_was_seen() -> None:
    serving, sent, _ = serving_of()
    serving.apply(START, caches_of(*plain(2, a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", node="h1"))))
    serving_of_none, of_none, _ = serving_of()
    serving_of_none.apply(START, caches_of(*plain(0)))
    tests = [[step for step in patches[0][1] if step["op"] == "test"] for patches in (sent.patches, of_none.patches)]
    uid = {"op": "test", "path": "/metadata/uid", "value": "Deployment-m"}
    assert tests == [
        [uid, {"op": "test", "path": "/spec", "value": {"replicas": 2}}],
        [uid, {"op": "test", "path": "/spec", "value": {}}],
    ]


def test_a_pod_that_waits_is_what_a_start_asks_for() -> None:
    """After a restart, or in a rollout: room is made for the pod that is there, and no second one is made."""
    serving, sent, _ = serving_of()
    world = caches_of(*plain(2, a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", why="0/2 nodes are available")))
    seen = serving.observe(world, seat)
    assert (len(seen.replicas), seen.asked) == (1, (("m", 2),))
    assert seen.faults == ("m: b finds no host: 0/2 nodes are available",)
    serving.apply(START, world)
    assert sent.said() == []
    assert states(serving.observe(world, seat))[1][1:] == ("h2", ReplicaState.STARTING)
    serving.apply(START, world)
    assert sent.said() == [(SCALE, 3)]


def test_where_it_is_bound_counts_and_the_wish_is_over() -> None:
    serving, _, _ = serving_of()
    serving.apply(START, caches_of(*plain(1, a_pod("a", "m-1", node="h1"))))
    world = caches_of(*plain(2, a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", node="h1", ready=False)))
    assert states(serving.observe(world, seat))[1] == ("Pod-b", "h1", ReplicaState.STARTING)
    assert len(serving.observe(world, seat).replicas) == 2


def test_one_that_finds_no_host_is_planned_anew_after_a_while() -> None:
    serving, sent, clock = serving_of()
    serving.apply(START, caches_of(*plain(1, a_pod("a", "m-1", node="h1"))))
    sent.said()
    world = caches_of(*plain(2, a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", why="no room")))
    clock.at_s += PATIENCE_S
    assert len(serving.observe(world, seat).replicas) == 2
    clock.at_s += 1
    seen = serving.observe(world, seat)
    assert (len(seen.replicas), seen.asked) == (1, (("m", 2),))
    serving.apply(START, world)
    assert sent.said() == []


def test_a_stop_marks_the_pod_and_takes_one_off() -> None:
    serving, sent, _ = serving_of()
    pods = [a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", node="h2")]
    serving.apply(stop("Pod-a"), caches_of(*plain(2, *pods)))
    assert sent.said() == [("pods/a", FIRST), (SCALE, 1)]
    marked = [a_pod("a", "m-1", node="h1", first=True), pods[1]]
    world = caches_of(*plain(1, *marked))
    assert states(serving.observe(world, seat))[0][2] is ReplicaState.STOPPING
    serving.apply(stop("Pod-a"), world)
    serving.apply(stop("Pod-gone"), world)
    serving.apply(stop("Pod-a"), caches_of(*plain(1, a_pod("a", "m-1", node="h1", going=True), pods[1])))
    assert sent.said() == [], "what goes, or is gone, is left alone"


def test_a_mark_without_a_number_is_an_order_that_was_cut_short() -> None:
    serving, sent, _ = serving_of()
    pods = [a_pod("a", "m-1", node="h1", first=True), a_pod("b", "m-1", node="h2")]
    world = caches_of(*plain(2, *pods))
    assert states(serving.observe(world, seat))[0][2] is ReplicaState.READY
    serving.apply(stop("Pod-a"), world)
    assert sent.said() == [("pods/a", FIRST), (SCALE, 1)]
    again, unmarked, _ = serving_of()
    again.apply(START, world)
    assert unmarked.said() == [("pods/a", {COST: None}), (SCALE, 3)]


@pytest.mark.parametrize(
    ("cause", "is_cordoned"), [(Cause.DRAIN, True), (Cause.DRAIN, False), (Cause.SPREAD, True), (Cause.LATE, True)]
)
def test_a_replica_is_not_moved_where_it_could_come_back(cause: Cause, *, is_cordoned: bool) -> None:
    """Nothing is gained by it, and the next turn would do it again."""
    serving, sent, _ = serving_of()
    pods = [a_pod("a", "m-1", node="h1"), a_pod("b", "m-1", node="h2")]
    world = caches_of(*plain(2, *pods), hosts=[Node("h1", 1, is_unschedulable=is_cordoned), "h2"])
    moved = StopReplica(ReplicaId("Pod-a"), "m", Slot("h1"), cause)
    if cause is Cause.DRAIN and is_cordoned:
        serving.apply(moved, world)
        assert sent.said() == [("pods/a", FIRST), (SCALE, 1)]
        return
    with pytest.raises(ActionFailed, match="kube-scheduler"):
        serving.apply(moved, world)
    assert sent.said() == []


def test_a_wish_can_be_taken_back() -> None:
    serving, sent, _ = serving_of()
    world = caches_of(*plain(1, a_pod("a", "m-1", node="h1")))
    serving.apply(START, world)
    (wish,) = [one for one in serving.observe(world, seat).replicas if one.replica_id != "Pod-a"]
    sent.said()
    serving.apply(StopReplica(wish.replica_id, "m", wish.slot), world)
    assert sent.said() == [(SCALE, 1)]
    serving.apply(StopReplica(wish.replica_id, "m", wish.slot), world)
    assert sent.said() == []
    assert len(serving.observe(world, seat).replicas) == 1


def test_both_sides_of_a_rollout_are_asked_for() -> None:
    """The old replica is ready, the new one finds no host, and one is all that the model may have."""
    serving, sent, _ = serving_of()
    pods = [a_pod("old", "m-1", node="h1"), a_pod("new", "m-2", why="Insufficient amd.com/gpu")]
    world = caches_of(a_deployment("m", 1), a_set("m-1", "m", 1), a_set("m-2", "m", 1), *pods)
    assert serving.observe(world, seat).asked == (("m", 2),)
    serving.apply(START, world)
    assert sent.said() == [], "room is planned for the pod that is there"
    pods[1] = a_pod("new", "m-2", node="h2", ready=False)
    world = caches_of(a_deployment("m", 1), a_set("m-1", "m", 1), a_set("m-2", "m", 1), *pods)
    seen = serving.observe(world, seat)
    assert (len(seen.replicas), seen.asked) == (2, (("m", 2),))
    done = caches_of(a_deployment("m", 1), a_set("m-2", "m", 1), a_pod("new", "m-2", node="h2"))
    assert serving.observe(done, seat).asked == ()


def test_more_load_during_a_rollout_is_one_more_of_the_deployment() -> None:
    serving, sent, _ = serving_of()
    pods = [a_pod("old", "m-1", node="h1"), a_pod("new", "m-2", node="h2", ready=False)]
    world = caches_of(a_deployment("m", 1), a_set("m-1", "m", 1), a_set("m-2", "m", 1), *pods)
    serving.apply(START, world)
    assert sent.said() == [(SCALE, 2)]
    assert len(serving.observe(world, seat).replicas) == 3


def test_knative_is_scaled_by_the_least_scale_of_its_revision() -> None:
    serving, sent, _ = serving_of("InferenceService")
    pod = a_pod("a", "m-predictor-00001-1", node="h1")
    world = caches_of(a_service("m"), *knative(1, 1, pod))
    assert states(serving.observe(world, seat)) == [("Pod-a", "h1", ReplicaState.READY)]
    serving.apply(START, world)
    serving.apply(START, world)
    assert sent.said() == [(REVISION, {LEAST: "2"}), (REVISION, {LEAST: "3"})]
    more = [pod, a_pod("b", "m-predictor-00001-1", node="h2")]
    serving.apply(stop("Pod-b"), caches_of(a_service("m"), *knative(2, 2, *more)))
    assert sent.said()[0] == ("pods/b", FIRST)


def test_what_knative_wants_of_its_own_is_asked_for() -> None:
    serving, sent, _ = serving_of("InferenceService")
    pods = [a_pod(name, "m-predictor-00001-1", node="h1") for name in "abc"]
    world = caches_of(a_service("m"), *knative(3, 1, *pods))
    assert serving.observe(world, seat).asked == (("m", 3),)
    serving.apply(START, world)
    assert sent.said() == [(REVISION, {LEAST: "4"})]


def test_a_stop_under_knative_is_said_once() -> None:
    serving, sent, _ = serving_of("InferenceService")
    pods = [a_pod("a", "m-predictor-00001-1", node="h1", first=True), a_pod("b", "m-predictor-00001-1", node="h1")]
    serving.apply(stop("Pod-a"), caches_of(a_service("m"), *knative(2, 1, *pods)))
    assert sent.said() == []


def test_a_new_revision_is_to_have_as_many_as_the_old_one_before_it_gets_all_requests() -> None:
    serving, sent, _ = serving_of("InferenceService")
    old = knative(3, 3, *[a_pod(name, "m-predictor-00001-1", node="h1") for name in "abc"])
    new = knative(1, 1, a_pod("new", "m-predictor-00002-1", node="h2", ready=False), number=2, ready=False)
    world = caches_of(a_service("m"), *old, *new)
    assert serving.observe(world, seat).asked == (("m", 6),)
    serving.apply(START, world)
    serving.apply(START, world)
    assert sent.said() == [("revisions/m-predictor-00002", {LEAST: "2"}), ("revisions/m-predictor-00002", {LEAST: "3"})]
    assert serving.observe(world, seat).asked == (("m", 6),)


def test_a_revision_without_requests_has_no_least_scale() -> None:
    serving, _, _ = serving_of("InferenceService")
    old = knative(0, 3, routing="reserve")
    new = knative(1, 1, a_pod("new", "m-predictor-00002-1", node="h2"), number=2)
    assert serving.observe(caches_of(a_service("m"), *old, *new), seat).asked == ()


@pytest.mark.parametrize(
    ("service", "fault"),
    [
        (a_service("m", mode="Standard"), "autoscalerClass is hpa, not external: KServe would undo what Headroom does"),
        (a_service("m", mode="RawDeployment", scaler="keda"), "autoscalerClass is keda, not external"),
        (a_service("m", mode="ModelMesh"), "runs in the mode ModelMesh"),
        (a_service("other"), "there is no InferenceService ns/m"),
    ],
)
def test_what_another_scales_is_seen_and_not_touched(service: Any, fault: str) -> None:
    serving, sent, _ = serving_of("InferenceService")
    pods = [a_pod("a", "m-predictor-1", node="h1")]
    world = caches_of(service, a_deployment("m-predictor", 1), a_set("m-predictor-1", "m-predictor", 1), *pods)
    seen = serving.observe(world, seat)
    assert any(fault in said for said in seen.faults)
    assert len(seen.replicas) == ("Standard" in str(service) or "Raw" in str(service))
    with pytest.raises(ActionFailed, match="m: "):
        serving.apply(START, world)
    assert sent.said() == []


def test_the_standard_mode_with_an_external_autoscaler_is_scaled() -> None:
    serving, sent, _ = serving_of("InferenceService")
    service = a_service("m", mode="Standard", scaler="external")
    pods = [a_pod("a", "m-predictor-1", node="h1")]
    serving.apply(
        START, caches_of(service, a_deployment("m-predictor", 1), a_set("m-predictor-1", "m-predictor", 1), *pods)
    )
    assert sent.said() == [("deployments/m-predictor/scale", 2)]


def test_a_model_that_is_served_elsewhere_is_only_seen() -> None:
    serving, sent, _ = serving_of(elsewhere=True)
    world = caches_of(*plain(2, a_pod("a", "m-1", node="h1"), a_pod("b", "m-1")))
    seen = serving.observe(world, seat)
    assert (len(seen.replicas), seen.asked, seen.faults) == (1, (), ())
    for action in (START, stop("Pod-a")):
        with pytest.raises(ActionFailed, match="no model that Headroom scales"):
            serving.apply(action, world)
    assert sent.said() == []


def test_pods_that_cannot_be_created_are_told_with_the_reason() -> None:
    serving, _, _ = serving_of()
    said = 'pods "m-1-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5'
    (fault,) = serving.observe(caches_of(*plain(2, a_pod("a", "m-1", node="h1"), failure=said)), seat).faults
    assert fault == f"m: pods of ns/m cannot be created: {said}"


@pytest.mark.parametrize(
    ("surge", "replicas", "more"), [("25%", 1, 1), ("25%", 5, 2), (0, 3, 0), (2, 1, 2), ("50%", 4, 2)]
)
def test_the_surge_of_a_deployment_is_rounded_up(surge: Any, replicas: int, more: int) -> None:
    assert cut_deployment(a_deployment("m", replicas, surge=surge)).surge == more
