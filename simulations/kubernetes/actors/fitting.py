"""Whether a pod fits a node by kube-scheduler's rules: cordons, taints, selectors, affinity, requests."""

from collections.abc import Iterable, Iterator
from typing import Any

from simulations.kubernetes.quantities import milli, whole
from simulations.kubernetes.selectors import fits_expression

Json = dict[str, Any]
Amounts = dict[str, int]
BLOCKING = {"NoSchedule", "NoExecute"}
CORDON = "node.kubernetes.io/unschedulable"
TAINTED = "node(s) had untolerated taint(s)"
CORDONED = "node(s) were unschedulable"
ELSEWHERE = "node(s) didn't match Pod's node affinity/selector"
TOO_MANY = "Too many pods"


def amount(resource: str, quantity: object) -> int:
    """Return a quantity in the unit that is counted: thousandths of a CPU, whole bytes, whole devices."""
    return milli(quantity) if resource == "cpu" else whole(quantity)


def added(*parts: Amounts) -> Amounts:
    """Return amounts added up."""
    total: Amounts = {}
    for part in parts:
        for resource, count in part.items():
            total[resource] = total.get(resource, 0) + count
    return total


def most(one: Amounts, other: Amounts) -> Amounts:
    """Return the larger of two amounts, resource by resource."""
    return {resource: max(one.get(resource, 0), other.get(resource, 0)) for resource in {*one, *other}}


def _requests(container: Json) -> Amounts:
    resources = (container.get("resources") or {}).get("requests") or {}
    return {resource: amount(resource, quantity) for resource, quantity in resources.items()}


def requests_of(spec: Json) -> Amounts:
    """Return what a pod asks for: containers and sidecars together, or more while one starts, and the overhead."""
    running = added(*(_requests(container) for container in spec.get("containers") or []))
    sidecars: Amounts = {}
    starting: Amounts = {}
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            sidecars = added(sidecars, _requests(container))
            starting = most(starting, sidecars)
        else:
            starting = most(starting, added(sidecars, _requests(container)))
    overhead = {resource: amount(resource, quantity) for resource, quantity in (spec.get("overhead") or {}).items()}
    return added(most(added(running, sidecars), starting), overhead)


def is_over(pod: Json) -> bool:
    """Say whether a pod has ended and holds no room any more."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def free_on(node: Json, pods: Iterable[Json]) -> Amounts:
    """Return what is left of a node's allocatable under the pods bound to it."""
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    left = {resource: amount(resource, quantity) for resource, quantity in allocatable.items()}
    for pod in pods:
        for resource, count in {**requests_of(pod["spec"]), "pods": 1}.items():
            left[resource] = left.get(resource, 0) - count
    return left


def tolerates(tolerations: Iterable[Json], taint: Json) -> bool:
    """Say whether one of the tolerations takes a taint."""
    return any(_takes(each, taint) for each in tolerations)


def _takes(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in {None, "", taint["effect"]}:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("value", "") == taint.get("value", ""))


def untolerated(node: Json, pod: Json) -> bool:
    """Say whether a taint keeps the pod away."""
    tolerations = pod["spec"].get("tolerations") or []
    taints = (node.get("spec") or {}).get("taints") or []
    return any(t["effect"] in BLOCKING and t["key"] != CORDON and not tolerates(tolerations, t) for t in taints)


def matches(node: Json, spec: Json) -> bool:
    """Say whether a node has the labels that a pod's selector and required affinity ask for."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms")
    return terms is None or any(_matches_term(term, node, labels) for term in terms)


def _matches_term(term: Json, node: Json, labels: Json) -> bool:
    name = {"metadata.name": node["metadata"]["name"]}
    rules, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    return bool(rules or fields) and all(
        [*(fits_expression(rule, labels) for rule in rules), *(fits_expression(rule, name) for rule in fields)]
    )


def misfits(node: Json, pod: Json, free: Amounts) -> Iterator[str]:
    """Yield why a pod does not fit a node, in kube-scheduler's words; only resources give more than one cause."""
    if (node.get("spec") or {}).get("unschedulable"):
        yield CORDONED
    elif untolerated(node, pod):
        yield TAINTED
    elif not matches(node, pod["spec"]):
        yield ELSEWHERE
    else:
        yield from short_of(pod, free)


def short_of(pod: Json, free: Amounts) -> Iterator[str]:
    """Yield the resources of which a node has too little left."""
    if free.get("pods", 0) < 1:
        yield TOO_MANY
    for resource, count in sorted(requests_of(pod["spec"]).items()):
        if count > free.get(resource, 0):
            yield f"Insufficient {resource}"
