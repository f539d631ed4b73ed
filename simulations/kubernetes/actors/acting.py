"""What actors have in common: times, conditions, events, and writes that somebody else may have made pointless."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from simulations.kubernetes.rest import Rest

Json = dict[str, Any]
GONE, CONFLICT, INVALID, FORBIDDEN = 404, 409, 422, 403


def stamp(now: datetime) -> str:
    """Return a time as objects carry it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def when(text: str) -> datetime:
    """Return the time that an object carries."""
    return datetime.fromisoformat(text)


def condition(kind: str, *, true: bool, now: datetime, reason: str = "", message: str = "") -> Json:
    """Return a condition."""
    made: Json = {"type": kind, "status": "True" if true else "False", "lastTransitionTime": stamp(now)}
    made |= {"reason": reason} if reason else {}
    return made | ({"message": message} if message else {})


def has_condition(body: Json, kind: str, *, true: bool = True) -> bool:
    """Say whether an object has a condition with this status."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(each["type"] == kind and each["status"] == ("True" if true else "False") for each in conditions)


def with_condition(conditions: list[Json], made: Json) -> list[Json]:
    """Return conditions with one in its place; one that says the same keeps its time."""
    told = ("status", "reason", "message")
    for each in conditions:
        if each["type"] == made["type"] and all(each.get(word) == made.get(word) for word in told):
            return conditions
    kept = [each for each in conditions if each["type"] != made["type"]]
    return [*kept, made]


def attempt(action: Any, *arguments: Any, **more: Any) -> Json | None:
    """Return what a write answered; nothing if the object is gone or somebody else was quicker."""
    try:
        answered: Json = action(*arguments, **more)
    except httpx.HTTPStatusError as error:
        if error.response.status_code in {GONE, CONFLICT, INVALID}:
            return None
        raise
    return answered


@dataclass(frozen=True)
class Said:
    """What an event says, and who says it."""

    reason: str
    message: str
    by: str
    warning: bool = False


def tell(rest: Rest, about: Json, said: Said, now: datetime) -> None:
    """Write an event about an object, or count it once more."""
    metadata = about["metadata"]
    namespace = metadata.get("namespace", "default")
    name = f"{metadata['name']}.{hash_of(about['kind'] + said.reason + said.message):016x}"
    where = f"/api/v1/namespaces/{namespace}/events"
    known = rest.client.get(f"{where}/{name}")
    if known.is_success:
        count = {"count": known.json().get("count", 1) + 1, "lastTimestamp": stamp(now)}
        attempt(rest.patch, f"{where}/{name}", count)
        return
    event = _event(about, said, now) | {"metadata": {"name": name, "namespace": namespace}}
    attempt(rest.create, event)


def _event(about: Json, said: Said, now: datetime) -> Json:
    metadata = about["metadata"]
    involved = {"kind": about["kind"], "apiVersion": about["apiVersion"], "name": metadata["name"]}
    involved |= {word: metadata[word] for word in ("namespace", "uid") if word in metadata}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "involvedObject": involved,
        "reason": said.reason,
        "message": said.message,
        "type": "Warning" if said.warning else "Normal",
        "source": {"component": said.by},
        "reportingComponent": said.by,
        "count": 1,
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
    }


def hash_of(text: str) -> int:
    """Return a hash that is the same in every process."""
    total = 0
    for letter in text.encode():
        total = (total * 131 + letter) % (1 << 61)
    return total


def letters(text: str, count: int = 5) -> str:
    """Return letters for a name, the same for the same text."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    number, made = hash_of(text), ""
    for _ in range(count):
        number, place = divmod(number, len(alphabet))
        made += alphabet[place]
    return made
