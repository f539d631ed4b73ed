"""Access reviews: what may I do, who am I."""

from simulations.kubernetes.access import Access
from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.requests import Target


def review(kind: Kind, body: Json, user: str, access: Access) -> Json:
    """Return the review with its answer."""
    answer = {
        "SelfSubjectReview": _who,
        "SelfSubjectRulesReview": _rules,
        "SelfSubjectAccessReview": _may,
        "SubjectAccessReview": _other_may,
    }[kind.kind]
    made = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": {}, "spec": body.get("spec", {})}
    if kind.kind == "SelfSubjectReview":
        del made["spec"]
    return made | {"status": answer(body.get("spec") or {}, user, access)}


def _who(spec: Json, user: str, access: Access) -> Json:
    del spec
    return {"userInfo": {"username": user, "groups": list(access.groups_of(user))}}


def _rules(spec: Json, user: str, access: Access) -> Json:
    rules = list(access.rules(user, spec.get("namespace", "")))
    return {"resourceRules": rules, "nonResourceRules": [], "incomplete": False}


def _may(spec: Json, user: str, access: Access) -> Json:
    asked = spec.get("resourceAttributes") or {}
    target = Target(
        asked.get("group", ""), asked.get("version", ""), asked.get("resource", ""), asked.get("namespace", ""),
        asked.get("name", ""), asked.get("subresource", ""),
    )  # fmt: skip
    return {"allowed": access.allows(user, asked.get("verb", ""), target)}


def _other_may(spec: Json, user: str, access: Access) -> Json:
    return _may(spec, spec.get("user", user), access)
