"""Metadata of every object: what the server fills in at creation, keeps at an update, and refuses in both."""

import json
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from simulations.kubernetes.failures import Cause, Json, bad_request, forbidden_change, invalid_value, required
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.names import annotation_causes, label_causes, subdomain_faults

SUFFIX_LETTERS = "".join(letter for letter in string.ascii_lowercase + string.digits if letter not in "aeiou01310y")
SYSTEM_FIELDS = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
MANY = 2
NEVER_CHANGES = "field is immutable"


@dataclass
class Surroundings:
    """What the server takes from outside: the time, and chance for uids and generated names."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    chance: Random = field(default_factory=Random)

    def stamp(self) -> str:
        """Return the time as metadata shows it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def uid(self) -> str:
        """Return a new uid."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    def suffix(self) -> str:
        """Return the five letters behind a generated name."""
        return "".join(self.chance.choice(SUFFIX_LETTERS) for _ in range(5))


def place(kind: Kind, body: Json, namespace: str) -> None:
    """Put a new object into the namespace of the path; refuse it if it names another."""
    metadata = body.setdefault("metadata", {})
    if not kind.namespaced:
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    metadata["namespace"] = namespace


def begin(kind: Kind, body: Json, around: Surroundings) -> None:
    """Give a new object its system fields."""
    metadata = body["metadata"]
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + around.suffix()
    for word in SYSTEM_FIELDS:
        metadata.pop(word, None)
    metadata["uid"] = around.uid()
    metadata["creationTimestamp"] = around.stamp()
    metadata.pop("generation", None)
    if kind.counts_generation or kind.custom:
        metadata["generation"] = 1


def creation_causes(body: Json) -> list[Cause]:
    """Return the broken rules of a new object's metadata."""
    return name_causes(body["metadata"]) + metadata_causes(body)


def name_causes(metadata: Json) -> list[Cause]:
    """Return the broken rules of a name."""
    name = metadata.get("name", "")
    if not name:
        return [required("metadata.name", "name or generateName is required")]
    return [invalid_value("metadata.name", f'"{name}"', fault) for fault in subdomain_faults(name)]


def metadata_causes(body: Json) -> list[Cause]:
    """Return the broken rules of labels and annotations."""
    metadata = body["metadata"]
    causes = label_causes(metadata.get("labels") or {}) + annotation_causes(metadata.get("annotations") or {})
    return causes + _owner_causes(metadata.get("ownerReferences") or [])


def _owner_causes(references: list[Json]) -> list[Cause]:
    """Refuse a second controller."""
    named = [f"{each['kind']}/{each['name']}" for each in references if each.get("controller")]
    if len(named) < MANY:
        return []
    found = f'Found "true" in references for {named[0]} and {named[1]}'
    why = f"Only one reference can have Controller set to true. {found}"
    return [invalid_value("metadata.ownerReferences", json.dumps(references, separators=(",", ":")), why)]


def keep(new: Json, old: Json) -> None:
    """Carry into an update what a client cannot change: identity given or not, times, generation, deletion."""
    mine, theirs = new.setdefault("metadata", {}), old["metadata"]
    for word in (*SYSTEM_FIELDS, "generation"):
        if word in theirs:
            mine[word] = theirs[word]
        else:
            mine.pop(word, None)
    for word in ("uid", "namespace", "name"):
        if word in theirs:
            mine.setdefault(word, theirs[word])
    mine["resourceVersion"] = theirs["resourceVersion"]


def update_causes(new: Json, old: Json, checks: int) -> list[Cause]:
    """Return the broken rules of an update's metadata, each as often as the server checks it and says so."""
    mine, theirs = new["metadata"], old["metadata"]
    causes = [
        invalid_value(f"metadata.{word}", f'"{mine.get(word)}"', NEVER_CHANGES)
        for word in ("uid",)
        if mine.get(word) != theirs.get(word)
    ]
    added = [each for each in mine.get("finalizers") or [] if each not in (theirs.get("finalizers") or [])]
    if added and theirs.get("deletionTimestamp"):
        listed = ", ".join(f'"{each}"' for each in added)
        why = (
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{listed}}}"
        )
        causes.append(forbidden_change("metadata.finalizers", why))
    return metadata_causes(new) * checks + causes * 2
