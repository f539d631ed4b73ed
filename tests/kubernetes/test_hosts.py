"""Nodes as hosts: devices by the vendors' names, rules as labels that people can read, states with patience."""

from typing import Any

import pytest

from scheduler.backends.kubernetes.devices import accelerators_of
from scheduler.backends.kubernetes.hosts import PATIENCE_S, Hosts
from scheduler.backends.kubernetes.nodes import Node, cut_node
from scheduler.backends.kubernetes.pods import cut_pod
from scheduler.backends.kubernetes.rules import Rule, labels_of, rules_of, unplanned
from scheduler.backends.kubernetes.seats import Seats
from scheduler.model.hosts import Device, HostState
from scheduler.model.resources import Slot

DEVICES = ("amd.com/gpu", "nvidia.com/gpu", "amd.com/cpx_nps4", "nvidia.com/mig-1g.10gb")


def node(name: str = "n1", version: int = 1, **parts: Any) -> Node:
    allocatable = {"cpu": "126", "memory": "1488Gi", "pods": "110", **parts.pop("allocatable", {})}
    conditions = parts.pop("conditions", [{"type": "Ready", "status": "True"}])
    metadata = {"name": name, "resourceVersion": str(version), "labels": {"kubernetes.io/hostname": name}}
    metadata["labels"] |= parts.pop("labels", {})
    metadata["annotations"] = parts.pop("annotations", {})
    return cut_node(
        {"metadata": metadata, "spec": parts, "status": {"allocatable": allocatable, "conditions": conditions}}
    )


def hosts_of(*nodes: Node, rules: tuple[Rule, ...] = (), now_s: float = 1000.0) -> Any:
    return Hosts(DEVICES).of({each.key: each for each in nodes}, rules, now_s)


@pytest.mark.parametrize(
    ("allocatable", "labels", "model", "devices"),
    [
        ({"amd.com/gpu": "2"}, {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "amd.com/gpu.vram": "192G"},
         "MI300X", (Device(0, 196608), Device(1, 196608))),
        ({"amd.com/gpu": "1"}, {"amd.com/gpu.family": "mi300x"}, "MI300X", (Device(0),)),
        ({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559"},
         "H100", (Device(0, 81559),)),
        ({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu.product": "Tesla-T4"}, "T4", (Device(0),)),
        ({"nvidia.com/gpu": "1"}, {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-3090"}, "RTX-3090", (Device(0),)),
        ({"amd.com/gpu": "2"}, {"amd.com/gpu.compute-memory-partition": "cpx_nps4", "amd.com/gpu.vram": "192G"},
         "", (Device(0, 24576, 8), Device(1, 24576, 8))),
        ({"amd.com/cpx_nps4": "1"}, {}, "", (Device(0, 1, 8),)),
        ({"nvidia.com/mig-1g.10gb": "1"}, {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "A100",
         (Device(0, 10240, 7),)),
        ({"example.com/fpga": "4"}, {}, "", ()),
    ],
)  # fmt: skip
def test_devices_are_read_by_the_names_of_the_plugins_and_the_labels_of_the_labellers(
    allocatable: dict[str, str], labels: dict[str, str], model: str, devices: tuple[Device, ...]
) -> None:
    has = accelerators_of(node(allocatable=allocatable, labels=labels), DEVICES)
    assert (has.model, has.devices) == (model, devices)


def test_of_devices_of_several_kinds_the_most_are_planned_and_the_others_are_told() -> None:
    hosts = Hosts(DEVICES)
    (host,) = hosts.of({"n1": node(allocatable={"amd.com/gpu": "2", "amd.com/cpx_nps4": "16"})}, (), 0.0)
    assert len(host.devices) == 16
    assert ("device", "amd.com/cpx_nps4") in host.labels
    assert hosts.faults() == ("n1 has devices of several kinds; amd.com/cpx_nps4 are planned, amd.com/gpu are not",)


def test_a_host_shows_its_owners_labels_and_none_of_the_machines() -> None:
    labels = {"rack": "7", "amd.com/gpu.cu-count": "304", "topology.kubernetes.io/zone": "row-a"}
    (host,) = hosts_of(node(labels=labels))
    assert host.labels == (("rack", "7"), ("topology.kubernetes.io/zone", "row-a"))


TAINTED = node("n2", taints=[{"key": "dedicated", "value": "mi300x", "effect": "NoSchedule"}])


@pytest.mark.parametrize(
    ("toleration", "holds"),
    [
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "value": "mi300x"}, True),
        ({"key": "dedicated", "value": "mi300x", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "value": "mi300x", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "value": "other"}, False),
        ({"key": "dedicated"}, False),
        ({"operator": "Exists"}, True),
        ({"key": "else", "operator": "Exists"}, False),
    ],
)
def test_a_taint_keeps_off_whoever_does_not_tolerate_it(toleration: dict[str, str], *, holds: bool) -> None:
    (rule,) = rules_of({"tolerations": [toleration]})
    assert (rule.holds(TAINTED), rule.holds(node())) == (holds, True)


def test_a_rule_is_a_label_that_people_can_read() -> None:
    exists = {"key": "x", "operator": "Exists"}
    terms = [
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a", "b"]}, exists]},
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n9"]}]},
    ]  # fmt: skip
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    spec = {
        "nodeSelector": {"rack": "7"},
        "affinity": affinity,
        "tolerations": [{"key": "dedicated", "value": "mi300x", "effect": "NoSchedule"}],
    }
    rules = rules_of(spec)
    assert [rule.label for rule in rules] == [
        ("rack", "7"),
        ("nodes", "zone in (a, b) and x exists or metadata.name in (n9)"),
        ("taints", "none but dedicated=mi300x:NoSchedule"),
    ]
    inside, named = node("n1", labels={"zone": "a", "x": "", "rack": "7"}), node("n9")
    assert labels_of(inside, rules) == tuple(sorted(rule.label for rule in rules))
    assert [rule.holds(named) for rule in rules] == [False, True, True]
    (shown,) = hosts_of(inside, rules=rules)
    assert set(labels_of(inside, rules)) <= set(shown.labels)


@pytest.mark.parametrize(
    ("operator", "values", "holds"),
    [("In", ["5"], True), ("NotIn", ["5"], False), ("NotIn", ["6"], True), ("DoesNotExist", [], False),
     ("Gt", ["4"], True), ("Gt", ["5"], False), ("Lt", ["6"], True), ("Lt", ["x"], None)],
)  # fmt: skip
def test_expressions_mean_what_they_mean_to_kubernetes(operator: str, values: list[str], *, holds: bool | None) -> None:
    required = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    rule, _ = rules_of({"affinity": affinity})
    if holds is None:
        assert not rule.holds(node(labels={"k": "no number"}))
    else:
        assert rule.holds(node(labels={"k": "5"})) is holds


def test_what_binds_pods_to_each_other_is_said() -> None:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname"}]}
    assert unplanned({"affinity": {"podAntiAffinity": required}}) == "required podAntiAffinity"
    assert unplanned({"topologySpreadConstraints": [{"whenUnsatisfiable": "DoNotSchedule"}]})
    assert unplanned({"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway"}]}) == ""


def silent(since: str) -> Node:
    condition = {"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}
    return node(conditions=[{**condition, "lastTransitionTime": since}])


def test_a_silent_node_is_cordoned_at_first_and_lost_after_five_minutes() -> None:
    hosts, nodes = Hosts(DEVICES), {"n1": silent("1970-01-01T00:10:00Z")}
    (first,) = hosts.of(nodes, (), 600.0 + PATIENCE_S - 1)
    (later,) = hosts.of(nodes, (), 600.0 + PATIENCE_S)
    assert (first.state, later.state) == (HostState.CORDONED, HostState.LOST)
    assert (first.since_s, first.reason) == (600.0, "not ready: Kubelet stopped posting node status.")


def test_what_has_not_changed_is_the_same_object() -> None:
    hosts = Hosts(DEVICES)
    nodes = {"n1": node("n1"), "n2": node("n2", unschedulable=True, annotations={"headroom/reason": "by hand"})}
    first = hosts.of(nodes, (), 100.0)
    assert (first[1].state, first[1].reason, first[1].since_s) == (HostState.CORDONED, "by hand", 100.0)
    assert hosts.of(dict(nodes), (), 200.0) is first
    beat = {**nodes, "n1": node("n1", version=2)}
    assert hosts.of(beat, (), 300.0)[1] is first[1], "a heartbeat changes nothing"
    assert hosts.of({**nodes, "n2": node("n2", version=3)}, (), 300.0)[1].state is HostState.READY


def pod(uid: str, created: str) -> Any:
    metadata = {"name": uid, "namespace": "a", "uid": uid, "resourceVersion": "1", "creationTimestamp": created}
    return cut_pod({"metadata": metadata, "spec": {"nodeName": "h"}})


def test_booked_devices_stay_while_the_pod_is_there_and_never_meet_those_of_gangs_while_there_are_others() -> None:
    seats = Seats()
    first, second = pod("first", "2026-01-01T00:00:00Z"), pod("second", "2026-01-02T00:00:00Z")
    assert seats.book("h", 4, [3], [(first, 2)]) == {"first": Slot("h", (1, 2))}
    both = seats.book("h", 4, [3], [(second, 1), (first, 2)])
    assert both == {"first": Slot("h", (1, 2)), "second": Slot("h", (0,))}
    assert seats.book("h", 4, [1, 2, 3], [(second, 1)]) == {"second": Slot("h", (0,))}, "the first is gone"
    crowded = seats.book("h", 4, [1, 2, 3], [(second, 1), (first, 1)])
    assert crowded["first"] == Slot("h", (0,)), "there is one too many: the ledger goes below zero there"
