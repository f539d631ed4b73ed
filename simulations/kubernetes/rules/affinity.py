"""Node affinity of gated pods: terms stay as many as they are, and each may only become stricter."""

import json
from typing import Any

from simulations.kubernetes.failures import Cause, Json, invalid_value

WHERE = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"
NO_TERMS = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
ONLY_MORE = "only additions are allowed (no mutations or deletions)"


def terms_of(spec: Json) -> list[Json]:
    """Return the terms of the required node affinity."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    found: list[Json] = required.get("nodeSelectorTerms") or []
    return found


def affinity_causes(new: Json, old: Json) -> list[Cause]:
    """Return what a change of the required node affinity breaks."""
    mine, theirs = terms_of(new), terms_of(old)
    if not theirs:
        return []
    if len(mine) != len(theirs):
        return [invalid_value(WHERE, _shown([_go(term) for term in mine]), NO_TERMS)]
    pairs = enumerate(zip(mine, theirs, strict=True))
    return [
        invalid_value(f"{WHERE}[{n}]", _shown(_go(term)), ONLY_MORE) for n, (term, was) in pairs if not _adds(term, was)
    ]


def _adds(term: Json, before: Json) -> bool:
    words = ("matchExpressions", "matchFields")
    return all((term.get(word) or [])[: len(before.get(word) or [])] == (before.get(word) or []) for word in words)


def _go(term: Json) -> Json:
    """Return a term as the server's own type prints it."""
    return {
        "MatchExpressions": _rules(term.get("matchExpressions")),
        "MatchFields": _rules(term.get("matchFields")),
    }


def _rules(rules: Any) -> list[Json] | None:
    if rules is None:
        return None
    return [{"Key": r.get("key"), "Operator": r.get("operator"), "Values": r.get("values")} for r in rules]


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
