"""Before a rollout or a peak stalls it is said, with the numbers; where there is room, nothing is."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.backends.kubernetes.amounts import Amounts
from scheduler.backends.kubernetes.nodes import Node, Taint
from scheduler.backends.kubernetes.quota import Quota, cut_quota, room_left
from scheduler.backends.kubernetes.serving import LOOK_S
from tests.backends.kubernetes.serving_worlds import (
    a_deployment,
    a_pod,
    a_revision,
    a_service,
    a_set,
    caches_of,
    seat,
    serving_of,
)

POD = {"cpu": "1", "memory": "1Gi", "amd.com/gpu": "1", "ephemeral-storage": "10Gi"}
ROOMY = Node("h1", 1, Amounts(9000, 9000, 30 * 1024, (("amd.com/gpu", 4),)))


def a_quota(hard: dict[str, str], used: dict[str, str], name: str = "q", **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ns", "uid": name, "resourceVersion": "3"}
    return {"kind": "ResourceQuota", "metadata": metadata, "spec": spec, "status": {"hard": hard, "used": used}}


def world(replicas: int, *more: Any, node: Node = ROOMY, pod: Any = None) -> Any:
    """Return a Deployment "m" of pods that take what `POD` says, all of them ready."""
    deployment, spec = a_deployment("m", replicas), {"requests": POD, "limits": {"cpu": "2"}}
    deployment["spec"]["template"] = {"spec": {"containers": [{"name": "c", "resources": spec}], **(pod or {})}}
    pods = [a_pod(f"p{at}", "m-1", node="h1") for at in range(replicas)]
    return caches_of(deployment, a_set("m-1", "m", replicas), *pods, *more, hosts=[node])


def told(caches: Any, most: int = 1, **more: Any) -> list[str]:
    serving, _, _ = serving_of(**more)
    serving.declare([_with_most(serving, most)])
    return [said for said in serving.observe(caches, seat).faults if "stall" in said or "can be had" in said]


def _with_most(serving: Any, most: int) -> Any:
    (declared,) = serving._models.values()
    return replace(declared, model=replace(declared.model, max_replicas=most))


def test_where_there_is_room_nothing_is_said() -> None:
    assert told(world(1)) == []
    assert told(world(1, a_quota({"pods": "9", "requests.cpu": "4"}, {"pods": "1", "requests.cpu": "1"})), most=3) == []


@pytest.mark.parametrize(
    ("hard", "used", "why"),
    [
        ({"pods": "5"}, {"pods": "5"}, "quota q has 5 of 5 pods in use, and a pod takes 1"),
        (
            {"requests.cpu": "2"},
            {"requests.cpu": "1500m"},
            "quota q has 1500m of 2 requests.cpu in use, and a pod takes 1",
        ),
        ({"limits.cpu": "3"}, {"limits.cpu": "2"}, "quota q has 2 of 3 limits.cpu in use, and a pod takes 2"),
        ({"memory": "1Gi"}, {"memory": "64Mi"}, "quota q has 64Mi of 1Gi memory in use, and a pod takes 1Gi"),
        (
            {"requests.amd.com/gpu": "2"},
            {"requests.amd.com/gpu": "2"},
            "quota q has 2 of 2 requests.amd.com/gpu in use, and a pod takes 1",
        ),
        (
            {"requests.ephemeral-storage": "15Gi"},
            {"requests.ephemeral-storage": "10Gi"},
            "quota q has 10Gi of 15Gi requests.ephemeral-storage in use, and a pod takes 10Gi",
        ),
    ],
)
def test_a_rollout_that_a_quota_will_stop_is_told_before(hard: Any, used: Any, why: str) -> None:
    assert told(world(1, a_quota(hard, used))) == [
        f"m: its next rollout would stall: 1 new pod wanted, 0 let in: {why}"
    ]


def test_the_tightest_quota_counts_and_only_those_of_the_namespace_that_count_all_pods() -> None:
    some = a_quota({"pods": "1"}, {"pods": "1"}, "some", scopes=["BestEffort"])
    wide, tight = (
        a_quota({"pods": "9"}, {"pods": "1"}, "wide"),
        a_quota({"count/pods": "1"}, {"count/pods": "1"}, "tight"),
    )
    (said,) = told(world(1, some, wide, tight))
    assert "quota tight has 1 of 1 count/pods" in said
    elsewhere = Quota("other/q", 1, {"pods": "0"})
    assert room_left([elsewhere], "ns", Amounts(1000), Amounts()) is None
    assert cut_quota(some) is None


def test_a_quota_that_has_no_number_yet_has_nothing_in_use() -> None:
    assert room_left([Quota("ns/q", 1, {"pods": "2"})], "ns", Amounts(), Amounts()) == (
        2,
        "quota q has 0 of 2 pods in use, and a pod takes 1",
    )


def test_a_peak_that_a_quota_will_stop_is_told_with_what_can_be_had() -> None:
    assert told(world(2, a_quota({"pods": "4"}, {"pods": "2"})), most=6) == [
        "m: of its 6 replicas only 4 can be had: quota q has 2 of 4 pods in use, and a pod takes 1"
    ]


def test_a_rollout_under_knative_wants_as_many_as_serve_now() -> None:
    deployment = a_deployment("m-predictor-00001-deployment", 3, revision="m-predictor-00001")
    objects = [a_service("m"), deployment, a_revision("m-predictor-00001", 3), a_quota({"pods": "5"}, {"pods": "3"})]
    (said,) = told(caches_of(*objects, a_set("x", "m-predictor-00001-deployment", 3)), most=3, kind="InferenceService")
    assert said.startswith("m: its next rollout would stall: 3 new pods wanted, 2 let in: quota q has 3 of 5 pods")


def test_disk_is_counted_with_all_pods_that_are_there() -> None:
    big = a_pod("big", "other", node="h1")
    big["spec"]["containers"][0]["resources"]["requests"]["ephemeral-storage"] = "25Gi"
    big["metadata"]["labels"] = {"headroom/object": "x"}
    assert told(world(1, big)) == [
        "m: its next rollout would stall: a new pod takes 10240 MiB of disk, and no host has more than 5120 free"
    ]


@pytest.mark.parametrize(("labels", "is_short"), [({}, True), ({"headroom/object": "x"}, False)])
def test_devices_of_training_can_be_had_and_others_cannot(labels: Any, is_short: bool) -> None:  # noqa: FBT001  # drawn
    big = a_pod("big", "other", node="h1")
    big["spec"]["containers"][0]["resources"]["requests"]["amd.com/gpu"] = "4"
    big["metadata"]["labels"] = labels
    short = "a new pod takes 1 amd.com/gpu, and no host has more than 0 without training"
    assert told(world(1, big)) == [f"m: its next rollout would stall: {short}"] * is_short


@pytest.mark.parametrize(
    "pod",
    [
        {},
        {"nodeSelector": {"zone": "b"}},
        {"nodeSelector": {"zone": "a"}},
        {"tolerations": [{"key": "dedicated", "operator": "Exists"}]},
    ],
)
def test_hosts_that_a_pod_may_not_go_to_do_not_count(pod: Any) -> None:
    mine = Node("h1", 1, ROOMY.allocatable, labels={"zone": "a"}, taints=(Taint("dedicated", "x", "NoSchedule"),))
    found = told(world(1, node=mine, pod={**pod, "nodeSelector": {"zone": "a", **pod.get("nodeSelector", {})}}))
    assert len(found) == (0 if "tolerations" in pod else 2)


def test_hosts_that_take_nothing_do_not_count() -> None:
    assert len(told(world(1, node=Node("h1", 1, ROOMY.allocatable, is_unschedulable=True)))) == 2


def test_it_is_looked_at_now_and_then_and_gone_when_it_is_mended() -> None:
    serving, _, clock = serving_of()
    short, mended = world(1, a_quota({"pods": "1"}, {"pods": "1"})), world(1)
    assert any("would stall" in said for said in serving.observe(short, seat).faults)
    clock.at_s += LOOK_S - 1
    assert any("would stall" in said for said in serving.observe(mended, seat).faults)
    clock.at_s += 1
    assert not any("would stall" in said for said in serving.observe(mended, seat).faults)
