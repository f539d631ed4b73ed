"""PATCH: which forms a kind takes, and the object that comes out of each."""

import json
from typing import Any

from simulations.kubernetes.decoding import check_size, parse
from simulations.kubernetes.failures import Json, Refused, bad_request, invalid, invalid_value
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.merging import json_patch, merge_patch, strategic_patch
from simulations.kubernetes.pruning import WrongType, prune, shape_of
from simulations.kubernetes.requests import Request
from simulations.kubernetes.rules.cluster import micro_time_fault

JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
FORMS = (JSON_PATCH, MERGE, APPLY)
MICRO_TIMES = {"Lease": ("acquireTime", "renewTime")}


def check_form(kind: Kind, request: Request) -> None:
    """Refuse a content type that is no patch, or none of this kind's."""
    check_size(request)
    form = request.content_type
    if form in FORMS or (form == STRATEGIC and not kind.custom):
        return
    if not kind.custom:
        raise Refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
    words = f"the body of the request was in an unknown format - accepted media types include: {', '.join(FORMS)}"
    raise Refused(415, "UnsupportedMediaType", words)


def patched(kind: Kind, old: Json, request: Request) -> tuple[Json, tuple[str, ...]]:
    """Return the object after a patch that is no apply, with what to warn of."""
    new, told = _merged(kind, old, parse(request), request)
    check_name(new, old["metadata"]["name"])
    return new, told


def check_name(new: Json, shown: str) -> None:
    """Refuse a patch that changes the name."""
    name = (new.get("metadata") or {}).get("name")
    if name != shown:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({shown})")


def _merged(kind: Kind, old: Json, body: Any, request: Request) -> tuple[Json, tuple[str, ...]]:
    match request.content_type:
        case "application/json-patch+json":
            new = json_patch(old, body)
        case "application/strategic-merge-patch+json":
            new = strategic_patch(old, body, shape_of(kind))
        case _:
            new = merge_patch(old, body)
    if not isinstance(new, dict):
        raise unreadable(new, "json: cannot unmarshal into Go value: it is no object")
    return reread(kind, new, request)


def reread(kind: Kind, new: Json, request: Request) -> tuple[Json, tuple[str, ...]]:
    """Read the result as an object of its kind: unknown fields go, wrong types are a 422 that quotes everything."""
    try:
        kept, told = prune(kind, new)
    except WrongType as error:
        raise unreadable(new, str(error).format(kind=kind.kind)) from error
    if told and request.query.get("fieldValidation") == "Strict":
        raise unreadable(new, f"strict decoding error: {', '.join(told)}")
    for word in MICRO_TIMES.get(kind.kind, ()):
        if fault := micro_time_fault((new.get("spec") or {}).get(word)):
            raise unreadable(new, fault)
    return kept, tuple(told)


def unreadable(body: Json, why: str) -> Refused:
    """Return the 422 of a patch whose result cannot be read."""
    quoted = json.dumps(json.dumps(body, separators=(",", ":")))
    return invalid("", "", "", [invalid_value("patch", quoted, why)])
