"""The shipped rights are enough for every request that the backend makes, and not one of them is for nothing."""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from scheduler.backends.kubernetes.caches import NODES, PODS
from scheduler.backends.kubernetes.kinds import KINDS
from scheduler.backends.kubernetes.objects import resources_of
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.quota import RESOURCE
from scheduler.backends.kubernetes.serving_objects import RESOURCES, Deployment, Revision
from scheduler.backends.kubernetes.serving_patches import going_first, scaled, with_least
from simulations.kubernetes.access import rule_allows
from simulations.kubernetes.requests import target_of
from tests.deploy.conftest import ROOT, Rendered

BACKEND = ROOT.parents[1] / "scheduler" / "backends" / "kubernetes"
SPACE = "ml"
POD = Pod(f"{SPACE}/p", 1, "u", SPACE, "p")
Need = tuple[str, str]
"""A verb and a path."""


def needs() -> Iterator[Need]:
    """Yield every kind of request that the backend sends, as its own functions make them."""
    lists = [
        f"/api/v1/{PODS}",
        f"/api/v1/{NODES}",
        *(one.path for one in (*resources_of((), ()), *RESOURCES, RESOURCE)),
    ]
    yield from ((verb, path) for path in lists for verb in ("list", "watch"))
    yield from (("patch", kind.path(SPACE, "j")) for kind in KINDS)
    yield "patch", going_first(POD).path
    yield "patch", scaled(Deployment(f"{SPACE}/d", 1, "u"), 2).path
    yield "patch", with_least(Revision(f"{SPACE}/r", 1, "u", "c"), 2).path
    yield "get", f"/api/v1/namespaces/{SPACE}/pods/p/log"
    yield "list", f"/api/v1/namespaces/{SPACE}/events"
    yield "create", f"/apis/events.k8s.io/v1/namespaces/{SPACE}/events"


def rules_of(objects: Iterable[Any], role: str) -> list[dict[str, Any]]:
    (found,) = [one for one in objects if one["kind"] == "ClusterRole" and one["metadata"]["name"] == role]
    rules: list[dict[str, Any]] = found["rules"]
    return rules


def refused(watch: list[dict[str, Any]], schedule: list[dict[str, Any]]) -> list[Need]:
    """Return the requests that no rule allows; what holds in one namespace is no right to see the whole cluster."""
    found = []
    for verb, path in needs():
        target = target_of(path)
        assert target is not None
        rules = [*watch, *(schedule if target.namespace else [])]
        if not any(rule_allows(rule, verb, target) for rule in rules):
            found.append((verb, path))
    return found


def test_every_request_of_the_backend_is_allowed(rendered: Rendered) -> None:
    objects = rendered("")
    assert refused(rules_of(objects, "headroom-watch"), rules_of(objects, "headroom-schedule")) == []


def single_rights(rules: list[dict[str, Any]]) -> Iterator[tuple[int, str, str]]:
    """Yield each right alone: of which rule, which resource, which verb."""
    for at, rule in enumerate(rules):
        yield from ((at, resource, verb) for resource in rule["resources"] for verb in rule["verbs"])


def without(rules: list[dict[str, Any]], right: tuple[int, str, str]) -> list[dict[str, Any]]:
    """Return rules without one right."""
    at, resource, verb = right
    left = deepcopy(rules)
    rule = left.pop(at)
    others = {**rule, "resources": [name for name in rule["resources"] if name != resource]}
    rest = {**rule, "resources": [resource], "verbs": [name for name in rule["verbs"] if name != verb]}
    return [*left, others, rest]


@pytest.mark.parametrize("role", ["headroom-watch", "headroom-schedule"])
def test_without_any_single_right_something_is_refused(role: str, rendered: Rendered) -> None:
    objects = rendered("")
    rules = {name: rules_of(objects, name) for name in ("headroom-watch", "headroom-schedule")}
    for right in single_rights(rules[role]):
        less = {**rules, role: without(rules[role], right)}
        assert refused(less["headroom-watch"], less["headroom-schedule"]), right


def test_nothing_is_granted_that_was_promised_not_to_be(rendered: Rendered) -> None:
    objects = rendered("")
    rules = [rule for name in ("headroom-watch", "headroom-schedule") for rule in rules_of(objects, name)]
    granted = {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]}
    assert {verb for _, verb in granted} == {"list", "watch", "patch", "get", "create"}, "no update, no delete"
    assert [resource for resource, verb in granted if verb == "create"] == ["events"]
    resources = {resource for resource, _ in granted}
    assert not {"secrets", "configmaps", "pods/binding", "bindings", "pods/eviction", "pods/exec", "*"} & resources
    assert ("nodes", "patch") not in granted
    bound = [one for one in objects if one["kind"].endswith("Binding")]
    assert [one["roleRef"]["name"] for one in bound] == ["headroom-watch"], "changes are allowed a namespace at a time"


def test_the_list_of_requests_is_complete() -> None:
    """Who adds a request to the backend finds this, and adds it above and to the rights."""
    text = "\n".join(path.read_text() for path in sorted(BACKEND.glob("*.py")))
    sent = re.findall(r"connection\.(get|post|patch|delete|text)\(", text)
    assert sorted(sent) == ["get", "get", *["patch"] * 6, "post", "text"]
