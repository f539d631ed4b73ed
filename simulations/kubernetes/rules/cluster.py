"""Nodes, namespaces, leases, priority classes, quotas, budgets, policies: small rules of small kinds."""

import re
from typing import Any

from simulations.kubernetes.expressions import compile_fault
from simulations.kubernetes.failures import Cause, Json, forbidden_change, invalid_value, unsupported
from simulations.kubernetes.objects import NEVER_CHANGES, Surroundings
from simulations.kubernetes.rules.base import Rules, setdefaults
from simulations.kubernetes.rules.templates import canonical_all

NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
HIGHEST_PRIORITY = 1_000_000_000


def keep_status(new: Json, old: Json) -> None:
    """Keep the status at an update of the object."""
    if "status" in old:
        new["status"] = old["status"]
    else:
        new.pop("status", None)


def fill_node(body: Json) -> None:
    """Fill in what a Node always shows."""
    body.setdefault("spec", {})
    status = body.setdefault("status", {})
    setdefaults(status, daemonEndpoints={}, nodeInfo={})
    setdefaults(status["daemonEndpoints"], kubeletEndpoint={"Port": 0})
    setdefaults(status["nodeInfo"], **dict.fromkeys(NODE_INFO, ""))
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = status["capacity"]
    for word in ("capacity", "allocatable"):
        if status.get(word):
            status[word] = canonical_all(status[word])
    for word in ("taints", "unschedulable"):
        if not body["spec"].get(word):
            body["spec"].pop(word, None)


def create_node(body: Json, around: Surroundings) -> None:
    """Taint a new Node until its kubelet is ready, as the server's admission does."""
    del around
    taints = body["spec"].setdefault("taints", [])
    if not any(taint["key"] == "node.kubernetes.io/not-ready" for taint in taints):
        taints.append({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})


def check_node(body: Json) -> list[Cause]:
    """Return the taints that have no valid effect; the server names each twice."""
    taints = enumerate(body["spec"].get("taints") or [])
    wrong = [(place, taint.get("effect", "")) for place, taint in taints if taint.get("effect") not in EFFECTS]
    return [unsupported(f"metadata.taints[{place}].effect", effect, EFFECTS) for place, effect in wrong for _ in "12"]


def check_node_update(new: Json, old: Json) -> list[Cause]:
    """Return what is wrong with a Node after a change."""
    del old
    return check_node(new)


def create_namespace(body: Json, around: Surroundings) -> None:
    """Give a new namespace its label, finalizer and phase."""
    del around
    body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = body["metadata"].get("name", "")
    body["spec"] = {"finalizers": ["kubernetes"]}
    body["status"] = {"phase": "Active"}


def update_namespace(new: Json, old: Json) -> None:
    """Keep finalizers and status: they have subresources of their own."""
    new["spec"], new["status"] = old.get("spec", {}), old.get("status", {})


def check_lease(body: Json) -> list[Cause]:
    """Return what is wrong with a Lease."""
    seconds = (body.get("spec") or {}).get("leaseDurationSeconds")
    if seconds is None or seconds > 0:
        return []
    return [invalid_value("spec.leaseDurationSeconds", str(seconds), "must be greater than 0")]


def check_lease_update(new: Json, old: Json) -> list[Cause]:
    """Return what is wrong with a Lease after a change."""
    del old
    return check_lease(new)


def fill_priority_class(body: Json) -> None:
    """Fill in a PriorityClass's defaults."""
    setdefaults(body, preemptionPolicy="PreemptLowerPriority")


def check_priority_class(body: Json) -> list[Cause]:
    """Refuse a value that only the system's own classes may have."""
    if body.get("value", 0) <= HIGHEST_PRIORITY or body["metadata"].get("name", "").startswith("system-"):
        return []
    words = f"maximum allowed value of a user defined priority is {HIGHEST_PRIORITY}"
    return [forbidden_change("value", words)]


def check_priority_class_update(new: Json, old: Json) -> list[Cause]:
    """A class's value and policy never change."""
    causes = []
    if new.get("value", 0) != old.get("value", 0):
        causes.append(forbidden_change("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        causes.append(invalid_value("preemptionPolicy", f'"{new.get("preemptionPolicy")}"', NEVER_CHANGES))
    return causes


def fill_quota(body: Json) -> None:
    """Write a quota's amounts in their canonical forms."""
    spec = body.setdefault("spec", {})
    if spec.get("hard"):
        spec["hard"] = canonical_all(spec["hard"])


def fill_limit_range(body: Json) -> None:
    """Fill in what a LimitRange derives: defaults follow the maximum, requests the defaults."""
    for item in (body.get("spec") or {}).get("limits") or []:
        for word in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            if item.get(word):
                item[word] = canonical_all(item[word])
        if item.get("type") == "Container":
            item["default"] = {**(item.get("max") or {}), **(item.get("default") or {})}
            derived = {**(item.get("min") or {}), **item["default"]}
            item["defaultRequest"] = {**derived, **(item.get("min") or {}), **(item.get("defaultRequest") or {})}


def create_status(body: Json, around: Surroundings) -> None:
    """Start with an empty status."""
    del around
    body["status"] = {}


def create_budget(body: Json, around: Surroundings) -> None:
    """Start a budget with no disruption allowed; its controller counts."""
    del around
    counts = ("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods")
    body["status"] = dict.fromkeys(counts, 0)


def micro_time_fault(text: Any) -> str:
    """Return why a time is not one with six digits of a second, in Go's words; nothing if it is."""
    if text is None or re.search(r"\.\d{6}(Z|[+-]\d\d:\d\d)$", str(text)):
        return ""
    rest = str(text)[19:]
    return f'parsing time "{text}" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "{rest}" as ".000000"'


def fill_policy(body: Json) -> None:
    """Fill in what a policy's constraints leave open."""
    spec = body.setdefault("spec", {})
    setdefaults(spec, failurePolicy="Fail")
    constraints = spec.setdefault("matchConstraints", {})
    setdefaults(constraints, namespaceSelector={}, objectSelector={}, matchPolicy="Equivalent")
    for rule in constraints.get("resourceRules") or []:
        setdefaults(rule, scope="*")


def check_policy(body: Json) -> list[Cause]:
    """Return the expressions of a policy that do not compile."""
    rules = enumerate(body["spec"].get("validations") or [])
    faults = [(place, rule["expression"], compile_fault(rule["expression"])) for place, rule in rules]
    return [invalid_value(f"spec.validations[{n}].expression", f'"{text}"', why) for n, text, why in faults if why]


def fill_binding(body: Json) -> None:
    """Fill in what a binding leaves open."""
    if matched := body["spec"].get("matchResources"):
        setdefaults(matched, namespaceSelector={}, objectSelector={}, matchPolicy="Equivalent")


NODES = Rules(fill_node, create_node, keep_status, check_node, check_node_update, keeps_status_at_creation=True)
NAMESPACES = Rules(create=create_namespace, update=update_namespace)
LEASES = Rules(check=check_lease, check_update=check_lease_update)
PRIORITY_CLASSES = Rules(fill_priority_class, check=check_priority_class, check_update=check_priority_class_update)
QUOTAS = Rules(fill_quota, create_status, keep_status)
LIMIT_RANGES = Rules(fill_limit_range)
BUDGETS = Rules(create=create_budget, update=keep_status)
POLICIES = Rules(fill_policy, create_status, keep_status, check_policy)
POLICY_BINDINGS = Rules(fill_binding)
