"""The few bodies that kubectl sends in protobuf only, access reviews, read off the wire; answers go out in JSON."""

from collections.abc import Iterator
from typing import Any

from simulations.kubernetes.failures import Json, bad_request

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\x00"
EIGHT_BYTES, FOUR_BYTES = 1, 5
# Field numbers of the messages, from the generated.proto of authorization/v1 and runtime.
Fields = dict[int, tuple[str, Any]]
RESOURCE: Fields = {
    1: ("namespace", None), 2: ("verb", None), 3: ("group", None), 4: ("version", None), 5: ("resource", None),
    6: ("subresource", None), 7: ("name", None),
}  # fmt: skip
PATH: Fields = {1: ("path", None), 2: ("verb", None)}
ACCESS: Fields = {2: ("spec", {1: ("resourceAttributes", RESOURCE), 2: ("nonResourceAttributes", PATH)})}
OTHER_ACCESS: Fields = {
    2: ("spec", {1: ("resourceAttributes", RESOURCE), 2: ("nonResourceAttributes", PATH), 3: ("user", None)})
}
MESSAGES: dict[str, Fields] = {
    "SelfSubjectAccessReview": ACCESS,
    "SubjectAccessReview": OTHER_ACCESS,
    "SelfSubjectRulesReview": {2: ("spec", {1: ("namespace", None)})},
    "SelfSubjectReview": {},
}
ENVELOPE: Fields = {1: ("typeMeta", {1: ("apiVersion", None), 2: ("kind", None)})}
RAW = 2


def review_in(body: bytes) -> Json:
    """Return the review in a body of protobuf."""
    if not body.startswith(MAGIC):
        raise bad_request("the object provided is unrecognized: it does not begin as protobuf of Kubernetes does")
    envelope = body[len(MAGIC) :]
    head: Json = _message(envelope, ENVELOPE).get("typeMeta", {})
    raw = next((value for number, value in _fields(envelope) if number == RAW and isinstance(value, bytes)), b"")
    return head | _message(raw, MESSAGES.get(head.get("kind", ""), {}))


def _message(data: bytes, fields: Fields) -> Json:
    """Return the known fields of a message; others are passed over."""
    found: Json = {}
    for number, value in _fields(data):
        if number in fields and isinstance(value, bytes):
            name, below = fields[number]
            found[name] = value.decode() if below is None else _message(value, below)
    return found


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field on the wire."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        match tag & 7:
            case 0:
                value, place = _varint(data, place)
                yield tag >> 3, value
            case 2:
                length, place = _varint(data, place)
                yield tag >> 3, data[place : place + length]
                place += length
            case wire:
                place += {EIGHT_BYTES: 8, FOUR_BYTES: 4}[wire]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:  # noqa: PLR2004  # the highest bit says that more follows
            return value, place
