"""Label and field selectors: read from a query as the server reads them, with its messages, and matched."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulations.kubernetes.failures import bad_request
from simulations.kubernetes.names import label_value_fault

TOKEN = re.compile(r"\s*(==|!=|=|!|,|\(|\)|<|>|[^\s=!,()<>]+)")
Match = Callable[[Mapping[str, str]], bool]


@dataclass
class _Tokens:
    """What is left to read of a selector."""

    left: list[str]

    def peek(self) -> str:
        return self.left[0] if self.left else ""

    def take(self) -> str:
        return self.left.pop(0) if self.left else ""


def label_selector(text: str) -> Match:
    """Return what decides whether labels match; raise the server's 400 where it cannot be read."""
    tokens = _Tokens(TOKEN.findall(text))
    wanted: list[Match] = []
    while tokens.peek():
        wanted.append(_requirement(tokens))
        following = tokens.take()
        if following and following != ",":
            raise bad_request(f"found '{following}', expected: ',' or 'end of string'")
    return lambda labels: all(match(labels) for match in wanted)


def _requirement(tokens: _Tokens) -> Match:
    key = tokens.take()
    if key == "!":
        absent = tokens.take()
        return lambda labels: absent not in labels
    if tokens.peek() in {"", ","}:
        return lambda labels: key in labels
    operator = tokens.take()
    if operator in {"in", "notin"}:
        return _set(key, operator, tokens)
    value = "" if tokens.peek() in {"", ","} else tokens.take()
    return _comparison(key, operator, value)


def _set(key: str, operator: str, tokens: _Tokens) -> Match:
    opening = tokens.take()
    if opening != "(":
        raise bad_request(f"unable to parse requirement: found '{opening}' expected: '('")
    values: set[str] = set()
    while (word := tokens.take()) not in {")", ""}:
        if word != ",":
            values.add(word)
    if operator == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _comparison(key: str, operator: str, value: str) -> Match:
    if fault := label_value_fault(value):
        raise bad_request(f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": {fault}')
    if operator in {"=", "=="}:
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    bound = int(value)
    sign = 1 if operator == ">" else -1
    return lambda labels: labels.get(key, "").lstrip("-").isdigit() and sign * (int(labels[key]) - bound) > 0


def field_terms(text: str) -> list[tuple[str, str, str]]:
    """Return path, operator and value of each term of a field selector."""
    terms = []
    for term in filter(None, text.split(",")):
        matched = re.match(r"^([^=!]*?)(!=|==|=)(.*)$", term)
        if matched is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
        terms.append((matched[1], matched[2], matched[3]))
    return terms


def field_selector(terms: list[tuple[str, str, str]]) -> Match:
    """Return what decides whether an object's selectable fields match."""

    def match(fields: Mapping[str, str]) -> bool:
        return all((fields.get(path, "") == value) == (operator != "!=") for path, operator, value in terms)

    return match


def matches_selector(selector: Mapping[str, object] | None, labels: Mapping[str, str]) -> bool:
    """Say whether labels fit a LabelSelector object (matchLabels and matchExpressions)."""
    if selector is None:
        return False
    exact = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    if not isinstance(exact, dict) or not isinstance(rules, list):
        return False
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        fits_expression(rule, labels) for rule in rules
    )


def fits_expression(rule: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    """Say whether labels fit one expression of a selector or of a node selector term."""
    key, values = str(rule.get("key")), rule.get("values") or []
    have = labels.get(key)
    match rule.get("operator"):
        case "In":
            return have in values if isinstance(values, list) else False
        case "NotIn":
            return have not in values if isinstance(values, list) else False
        case "Exists":
            return have is not None
        case "DoesNotExist":
            return have is None
        case "Gt" | "Lt" as operator if isinstance(values, list) and have is not None:
            sign = 1 if operator == "Gt" else -1
            return sign * (int(have) - int(values[0])) > 0
    return False
