"""ValidatingAdmissionPolicy: which policies are bound to a request, and what their expressions say to it."""

from collections.abc import Iterator
from dataclasses import dataclass

from simulations.kubernetes.expressions import compiled
from simulations.kubernetes.failures import Json, Refused, forbidden
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.selectors import matches_selector
from simulations.kubernetes.store import Store

GROUP = "admissionregistration.k8s.io"
POLICIES, BINDINGS = (GROUP, "validatingadmissionpolicies"), (GROUP, "validatingadmissionpolicybindings")
NAMESPACES = ("", "namespaces")


@dataclass(frozen=True)
class Review:
    """What is asked of policies: an object about to be created, updated or deleted."""

    kind: Kind
    body: Json
    old: Json | None
    operation: str


def check_policies(store: Store, review: Review) -> list[str]:
    """Return what policies warn of; raise the refusal of one that denies."""
    warnings: list[str] = []
    for entry in store.entries(BINDINGS):
        binding = entry.object()
        found = store.get(POLICIES, ("", binding["spec"]["policyName"]))
        if found is None or not _concerns(store, found.object(), binding, review):
            continue
        for message in _broken(found.object(), review):
            warnings += _act(binding, message, review)
    return warnings


def _act(binding: Json, message: str, review: Review) -> list[str]:
    named = f"ValidatingAdmissionPolicy '{binding['spec']['policyName']}' with binding '{binding['metadata']['name']}'"
    actions = binding["spec"].get("validationActions") or ["Deny"]
    if "Deny" in actions:
        said = f"{named} denied request: {message}"
        refused: Refused = forbidden(review.kind, review.body["metadata"].get("name", ""), said)
        refused.details = (refused.details or {}) | {"causes": [{"message": said}]}
        raise refused
    return [f"Validation failed for {named}: {message}"] if "Warn" in actions else []


def _concerns(store: Store, policy: Json, binding: Json, review: Review) -> bool:
    constraints = policy["spec"].get("matchConstraints") or {}
    bound = binding["spec"].get("matchResources") or {}
    return any(_rule_fits(rule, review) for rule in constraints.get("resourceRules") or []) and all(
        _selected(store, part, review) for part in (constraints, bound)
    )


def _rule_fits(rule: Json, review: Review) -> bool:
    kind = review.kind
    wanted = ((rule["apiGroups"], kind.group), (rule["resources"], kind.plural), (rule["operations"], review.operation))
    return all("*" in allowed or word in allowed for allowed, word in wanted)


def _selected(store: Store, part: Json, review: Review) -> bool:
    labels = review.body["metadata"].get("labels") or {}
    if part.get("objectSelector") and not matches_selector(part["objectSelector"], labels):
        return False
    selector = part.get("namespaceSelector")
    if not selector:
        return True
    found = store.get(NAMESPACES, ("", review.body["metadata"].get("namespace", "")))
    return found is not None and matches_selector(selector, found.labels)


def _broken(policy: Json, review: Review) -> Iterator[str]:
    request = {"operation": review.operation, "namespace": review.body["metadata"].get("namespace", "")}
    variables = {"object": review.body, "oldObject": review.old, "request": request}
    for rule in policy["spec"].get("validations") or []:
        if not compiled(rule["expression"]).holds(variables):
            yield str(rule.get("message") or f"failed expression: {rule['expression']}")
