"""Lists: selectors, pages that all show the state of the first one, and versions that are too old or not there yet."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from simulations.kubernetes import failures
from simulations.kubernetes.failures import Json, Refused, bad_request, invalid
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.requests import Request
from simulations.kubernetes.selectors import Match, field_selector, field_terms, label_selector
from simulations.kubernetes.store import Entry, ObjectKey, Store, slice_of
from simulations.kubernetes.visible import check_fields

TOO_OLD_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)


@dataclass(frozen=True)
class Selection:
    """Which objects are asked for."""

    labels: Match
    fields: Match
    by_label: bool

    def takes(self, entry: Entry | None) -> bool:
        """Say whether an object is among them."""
        return entry is not None and self.labels(entry.labels) and self.fields(entry.fields)


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    entries: list[Entry]
    revision: int
    token: str = ""
    remaining: int | None = None


def selection_of(kind: Kind, request: Request) -> Selection:
    """Return what a request's selectors select."""
    labels, terms = request.query.get("labelSelector", ""), field_terms(request.query.get("fieldSelector", ""))
    check_fields(kind, terms)
    return Selection(label_selector(labels), field_selector(terms), bool(labels) or bool(terms))


def page(store: Store, kind: Kind, namespace: str, request: Request) -> Page:
    """Return the page that a request asks for."""
    selection = selection_of(kind, request)
    limit, token = _limit(request), request.query.get("continue", "")
    version = _version(store, request)
    if token:
        if version:
            raise bad_request("specifying resource version is not allowed when using continue")
        revision, start = _resume(store, kind, token, namespace)
    else:
        revision, start = _first(store, kind, request, version), ("", "")
    if request.query.get("resourceVersion") == "0":
        limit = 0
    order, entries = store.table(kind.table).at(revision)
    return _cut(slice_of(order, namespace), entries, (start, revision, limit), selection, namespace)


def _cut(
    order: list[ObjectKey],
    entries: dict[ObjectKey, Entry],
    where: tuple[ObjectKey, int, int],
    selection: Selection,
    namespace: str,
) -> Page:
    start, revision, limit = where
    found: list[Entry] = []
    first = bisect_left(order, start)
    for place in range(first, len(order)):
        entry = entries[order[place]]
        if not selection.takes(entry):
            continue
        if limit and len(found) == limit:
            token = _token(revision, found[-1].key, namespace)
            return Page(found, revision, token, None if selection.by_label else len(order) - place)
        found.append(entry)
    return Page(found, revision)


def _limit(request: Request) -> int:
    text = request.query.get("limit", "") or "0"
    try:
        return int(text)
    except ValueError as error:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error


def _version(store: Store, request: Request) -> int:
    """Return the version asked for, 0 for none; refuse what is no number, not there yet, or contradicts itself."""
    text, match = request.query.get("resourceVersion", ""), request.query.get("resourceVersionMatch", "")
    if match and not text:
        raise option_refused(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if match == "Exact" and text == "0":
        raise option_refused(
            "resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        )
    version = number(text)
    if version > store.revision:
        raise too_large(version, store.revision)
    return version


def number(text: str) -> int:
    """Return a version as a number."""
    if text and not text.isdigit():
        words = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise bad_request(f"invalid resource version: resourceVersion: {words}")
    return int(text or 0)


def too_large(version: int, current: int) -> Refused:
    """Return the 504 for a version that is not there yet."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {version}, current: {current}"
    return Refused(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1}, {"Retry-After": "1"})


def option_refused(where: str, why: str) -> Refused:
    """Return the 422 for list options that contradict themselves."""
    return invalid("meta.k8s.io", "ListOptions", "", [failures.forbidden_change(where, why)])


def _first(store: Store, kind: Kind, request: Request, version: int) -> int:
    if request.query.get("resourceVersionMatch") != "Exact":
        return store.revision
    if store.unlistable(kind.table, version):
        raise Refused(410, "Expired", "The resourceVersion for the provided list is too old.")
    return version


def _token(revision: int, last: ObjectKey, namespace: str) -> str:
    name = f"/{last[1]}" if namespace or not last[0] else f"/{last[0]}/{last[1]}"
    return _packed({"v": "meta.k8s.io/v1", "rv": revision, "start": f"{name}\0"})


def _packed(token: Json) -> str:
    return urlsafe_b64encode(json.dumps(token, separators=(",", ":")).encode()).decode().rstrip("=")


def _resume(store: Store, kind: Kind, token: str, namespace: str) -> tuple[int, ObjectKey]:
    """Return version and first key of the page that a token asks for."""
    said = _unpacked(token)
    start = said["start"].removeprefix("/")
    head, _, tail = start.rpartition("/")
    key = (namespace or head, tail)
    if said["rv"] < 0:
        return store.revision, key
    if store.unlistable(kind.table, said["rv"]):
        going_on = _packed({"v": "meta.k8s.io/v1", "rv": -1, "start": start})
        raise Refused(410, "Expired", TOO_OLD_PAGE, metadata={"continue": going_on})
    return said["rv"], key


def _unpacked(token: str) -> dict[str, Any]:
    padded = token + "=" * (-len(token) % 4)
    try:
        found: dict[str, Any] = json.loads(urlsafe_b64decode(padded))
    except ValueError as error:
        words = (
            "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value"
        )
        raise bad_request(words) from error
    return found
