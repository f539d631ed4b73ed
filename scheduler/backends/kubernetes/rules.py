"""Where pods may go, as labels that people can read: one per rule that somebody asks about.

The planner knows labels of hosts and nothing of taints and affinity. So what a template says becomes rules, a rule is a
(key, value) pair, and a host carries the pairs of those rules that it satisfies.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scheduler.backends.kubernetes.nodes import Node, Taint

TAINTS: Final = "taints"
NODES: Final = "nodes"


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on hosts.

    Attributes:
        key: of the label that tells of it.
        value: likewise.
        holds: whether a node satisfies it.
        source: what it was made from, where the label does not tell: with another one it is another rule.
    """

    key: str
    value: str
    holds: Callable[[Node], bool] = field(compare=False, repr=False)
    source: str = ""

    @property
    def label(self) -> tuple[str, str]:
        """The label of the hosts that satisfy it."""
        return self.key, self.value


def rules_of(spec: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Return the rules of a pod's specification, or of a template's."""
    rules = [_selected(key, str(value)) for key, value in sorted((spec.get("nodeSelector") or {}).items())]
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    if affinity.get("nodeSelectorTerms"):
        rules.append(_affinity(affinity["nodeSelectorTerms"]))
    if spec.get("nodeName"):
        name = str(spec["nodeName"])
        rules.append(Rule(NODES, name, lambda node: node.key == name))
    return (*rules, _tolerated(spec.get("tolerations") or ()))


def all_of(key: str, value: str, rules: Iterable[Rule]) -> Rule:
    """Return some rules as one, with a label of its own."""
    those = tuple(rules)
    source = ", ".join(f"{rule.key}={rule.value}" for rule in those)
    return Rule(key, value, lambda node: all(rule.holds(node) for rule in those), source)


def unplanned(spec: Mapping[str, Any]) -> str:
    """Return what of a specification binds its pods to others, which is not planned here; "" where nothing does."""
    affinity, required = spec.get("affinity") or {}, "requiredDuringSchedulingIgnoredDuringExecution"
    for kind in ("podAffinity", "podAntiAffinity"):
        if (affinity.get(kind) or {}).get(required):
            return f"required {kind}"
    for spread in spec.get("topologySpreadConstraints") or ():
        if spread.get("whenUnsatisfiable") == "DoNotSchedule":
            return "a topology spread that must hold"
    return ""


def labels_of(node: Node, rules: Iterable[Rule]) -> tuple[tuple[str, str], ...]:
    """Return the labels of those rules that a node satisfies, sorted."""
    return tuple(sorted({rule.label for rule in rules if rule.holds(node)}))


def _selected(key: str, value: str) -> Rule:
    return Rule(key, value, lambda node: node.labels.get(key) == value)


def _tolerated(tolerations: Iterable[Mapping[str, Any]]) -> Rule:
    """Return the rule that all taints of a node are tolerated; what a node is like at the moment is not asked here."""
    those = [each for each in tolerations if not str(each.get("key", "")).startswith("node.kubernetes.io/")]
    text = ", ".join(sorted({_toleration_text(each) for each in those}))
    return Rule(
        TAINTS,
        f"none but {text}" if text else "none",
        lambda node: all(any(_tolerates(each, taint) for each in those) for taint in node.taints),
    )


def _tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether a toleration covers a taint, as kube-scheduler sees it."""
    if toleration.get("effect") not in {None, "", taint.effect}:
        return False
    if toleration.get("key") in {None, ""}:
        return toleration.get("operator") == "Exists"
    if toleration["key"] != taint.key:
        return False
    return toleration.get("operator") == "Exists" or (toleration.get("value") or "") == taint.value


def _toleration_text(toleration: Mapping[str, Any]) -> str:
    key, value = toleration.get("key") or "any", toleration.get("value")
    effect = f":{toleration['effect']}" if toleration.get("effect") else ""
    return f"{key}={value}{effect}" if value else f"{key}{effect}"


def _affinity(terms: Iterable[Mapping[str, Any]]) -> Rule:
    """Return the rule that one of some terms holds; one without any expression never does."""
    those = [
        [
            *((True, each) for each in term.get("matchExpressions") or ()),
            *((False, each) for each in term.get("matchFields") or ()),
        ]
        for term in terms
    ]
    text = " or ".join(" and ".join(_expression_text(each) for _, each in term) or "nothing" for term in those)

    def holds(node: Node) -> bool:
        return any(term and all(_matches(node, each, by_label=by) for by, each in term) for term in those)

    return Rule(NODES, text, holds)


def _expression_text(expression: Mapping[str, Any]) -> str:
    words = {"In": "in", "NotIn": "not in", "Exists": "exists", "DoesNotExist": "is missing", "Gt": ">", "Lt": "<"}
    values = ", ".join(map(str, expression.get("values") or ()))
    return f"{expression['key']} {words[expression['operator']]}{f' ({values})' if values else ''}"


def _matches(node: Node, expression: Mapping[str, Any], *, by_label: bool) -> bool:
    labels = node.labels if by_label else {"metadata.name": node.key}
    has, values = labels.get(expression["key"]), [str(value) for value in expression.get("values") or ()]
    match expression["operator"]:
        case "In":
            return has in values
        case "NotIn":
            return has not in values
        case "Exists":
            return has is not None
        case "DoesNotExist":
            return has is None
        case "Gt":
            return _is_number(has) and int(str(has)) > int(values[0])
        case _:
            return _is_number(has) and int(str(has)) < int(values[0])


def _is_number(text: str | None) -> bool:
    try:
        int(text or "")
    except ValueError:
        return False
    return True
