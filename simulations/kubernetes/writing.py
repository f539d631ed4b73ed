"""Create and update: defaults, rules, admission, preconditions, and the version that is stored."""

from dataclasses import dataclass
from typing import Any, Protocol

from simulations.kubernetes import failures
from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.managing import track
from simulations.kubernetes.objects import (
    Surroundings,
    begin,
    creation_causes,
    keep,
    place,
    update_causes,
)
from simulations.kubernetes.requests import Request, Write
from simulations.kubernetes.rules.base import no_check_update
from simulations.kubernetes.rules.custom import unchecked
from simulations.kubernetes.rules.registry import rules_of
from simulations.kubernetes.store import Entry, Store
from simulations.kubernetes.visible import selectable

EMPTY: tuple[object, ...] = ({}, [], None)


class Admission(Protocol):
    """What looks at objects before they are stored: may change them, warn, or refuse them."""

    def mutate(self, kind: Kind, body: Json, operation: str) -> None:
        """Change an object, or refuse it, before its rules are asked."""

    def validate(self, kind: Kind, body: Json, old: Json | None, operation: str) -> tuple[str, ...]:
        """Return what to warn of; refuse what may not be."""

    def stored(self, kind: Kind, body: Json) -> None:
        """Take note of what was stored or deleted."""


@dataclass
class Writer:
    """Writes objects of any kind into the store."""

    store: Store
    around: Surroundings
    admission: Admission

    def create(self, write: Write, namespace: str, body: Json) -> tuple[Json, tuple[str, ...]]:
        """Create an object; return it as stored, and what to warn of."""
        kind, request = write.kind, write.request
        place(kind, body, namespace)
        rules = rules_of(kind)
        if not rules.keeps_status_at_creation and "status" in kind.subresources:
            body.pop("status", None)
        rules.fill(body)
        self.admission.mutate(kind, body, "CREATE")
        given_version = body["metadata"].pop("resourceVersion", None)
        begin(kind, body, self.around)
        rules.create(body, self.around)
        name = body["metadata"].get("name", "")
        self._refuse(kind, name, creation_causes(body), rules.check(body))
        warnings = self.admission.validate(kind, body, None, "CREATE")
        dry = bool(request.query.get("dryRun"))
        self._refuse_taken(kind, (body["metadata"].get("namespace", ""), name), None if dry else given_version)
        track(write, body, None, self.around.stamp())
        return self._store(kind, body, request), warnings

    def _refuse(self, kind: Kind, name: str, general: list[failures.Cause], special: list[failures.Cause]) -> None:
        """Raise the 422 of an object; general rules go first, and a custom kind then says what it left unchecked."""
        if general and kind.custom and not special and any(c.reason == "FieldValueRequired" for c in general):
            special = [unchecked()]
        if general + special:
            shown = kind if not _wrong_kind(special) else None
            word = kind.kind if shown else special[0].message.split('"')[1]
            group = "" if kind.plural == "events" else kind.group
            raise failures.invalid(group, word, name, general + special)

    def _refuse_taken(self, kind: Kind, key: tuple[str, str], given_version: str | None) -> None:
        if given_version:
            raise failures.Refused(500, None, "resourceVersion should not be set on objects to be created")
        if before := self.store.get(kind.table, key):
            deleting = "deletionTimestamp" in before.object()["metadata"]
            raise failures.already_exists(kind, key[1], deleting=deleting)

    def _store(self, kind: Kind, body: Json, request: Request) -> Json:
        metadata = body["metadata"] = {word: value for word, value in body["metadata"].items() if value not in EMPTY}
        if request.query.get("dryRun"):
            return body
        self.store.write(kind.table, (metadata.get("namespace", ""), metadata["name"]), body, selectable(kind, body))
        self.admission.stored(kind, body)
        return body

    def update(self, write: Write, entry: Entry, new: Json) -> Json:
        """Write a changed object, or its status; a change that changes nothing keeps the version."""
        kind, part, old = write.kind, write.part, entry.object()
        check_versions(kind, new, old, by_patch=write.by_patch)
        rules = rules_of(kind)
        if part == "status":
            _only_status(new, old, kind)
        elif part == "resize":
            _only_resources(new, old)
        finalizers = (new.get("spec") or {}).get("finalizers") if part == "finalize" else None
        keep(new, old)
        rules.fill(new)
        if part != "status":
            rules.update(new, old)
            if part == "finalize":
                new["spec"] = {"finalizers": finalizers} if finalizers else {}
            self.admission.mutate(kind, new, "UPDATE")
        check = {"status": rules.check_status, "resize": no_check_update}.get(part, rules.check_update)
        self._refuse(kind, old["metadata"]["name"], update_causes(new, old, rules.metadata_checks), check(new, old))
        self.admission.validate(kind, new, old, "UPDATE")
        return self.replace(write, entry, new, old)

    def replace(self, write: Write, entry: Entry, new: Json, old: Json) -> Json:
        """Store a checked version: count the generation, note the manager, and let go what nothing holds any more."""
        kind, request = write.kind, write.request
        if write.part != "status" and counts(kind, new, old) and "generation" in old["metadata"]:
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        track(write, new, old, self.around.stamp())
        if _same(new, old) and (write.applied is None or _shares(new) == _shares(old)):
            return old
        if request.query.get("dryRun"):
            return new
        if finished(kind, new):
            new["metadata"] = {word: value for word, value in new["metadata"].items() if value not in EMPTY}
            self.store.delete(kind.table, entry.key, new)
            self.admission.stored(kind, new)
            return new
        return self._store(kind, new, request)


def _wrong_kind(causes: list[failures.Cause]) -> bool:
    return bool(causes) and causes[0].field == "kind"


def counts(kind: Kind, new: Json, old: Json) -> bool:
    """Say whether a change counts as a new generation."""
    left_out = {"metadata", "status"} if "status" in kind.subresources or not kind.custom else {"metadata"}
    return _without(new, left_out) != _without(old, left_out)


def _without(body: Json, words: set[str]) -> Json:
    return {key: value for key, value in body.items() if key not in words}


def _same(new: Json, old: Json) -> bool:
    return _plain(new) == _plain(old)


def _shares(body: Json) -> list[Json]:
    entries = body["metadata"].get("managedFields") or []
    return [{word: value for word, value in entry.items() if word != "time"} for entry in entries]


def _plain(body: Json) -> Json:
    return body | {
        "metadata": {key: value for key, value in body["metadata"].items() if key != "managedFields" and value}
    }


def finished(kind: Kind, body: Json) -> bool:
    """Say whether an object that is being deleted has nothing left that holds it."""
    metadata = body["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if kind.plural == "namespaces":
        return not body.get("spec", {}).get("finalizers")
    return bool(metadata.get("deletionGracePeriodSeconds", 0) == 0)


def check_versions(kind: Kind, new: Json, old: Json, *, by_patch: bool) -> None:
    """Refuse a write against another version of the object or against another object of its name."""
    metadata, theirs = new.get("metadata") or {}, old["metadata"]
    name, version = theirs["name"], metadata.get("resourceVersion")
    if not by_patch and metadata.get("uid") not in {None, "", theirs["uid"]}:
        raise failures.conflict(kind, name, _storage_error(kind, metadata, theirs))
    if not version and not by_patch and (kind.custom or not kind.unconditional):
        cause = failures.invalid_value("metadata.resourceVersion", "0", "must be specified for an update")
        raise failures.invalid(kind.group, kind.plural, name, [cause])
    if version and version != theirs["resourceVersion"]:
        raise failures.conflict(kind, name)


def _storage_error(kind: Kind, mine: Json, theirs: Json) -> str:
    place = f"{theirs['namespace']}/" if theirs.get("namespace") else ""
    key = f"/registry/{registry_place(kind)}/{place}{theirs['name']}"
    why = f"Precondition failed: UID in precondition: {mine['uid']}, UID in object meta: {theirs['uid']}"
    return f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: {why}"


def registry_place(kind: Kind) -> str:
    """Return where etcd keeps a kind."""
    if kind.custom:
        return f"{kind.group}/{kind.plural}"
    return "minions" if kind.plural == "nodes" else kind.plural


def _only_status(new: Json, old: Json, kind: Kind) -> None:
    """Keep all but the status; of the metadata labels, annotations and finalizers of built-in kinds may change."""
    for word in set(new) | set(old):
        if word in {"status", "metadata", "apiVersion", "kind"}:
            continue
        _restore(new, old, word)
    if kind.custom:
        new["metadata"] = dict(old["metadata"]) | _versions(new)


def _only_resources(new: Json, old: Json) -> None:
    """Keep all of a pod but the resources of its containers."""
    asked = {each["name"]: each.get("resources") or {} for each in new["spec"].get("containers") or []}
    new["spec"] = old["spec"] | {
        "containers": [
            each | {"resources": asked.get(each["name"], each["resources"])} for each in old["spec"]["containers"]
        ]
    }


def _versions(new: Json) -> dict[str, Any]:
    return {word: value for word, value in (new.get("metadata") or {}).items() if word in {"resourceVersion", "uid"}}


def _restore(new: Json, old: Json, word: str) -> None:
    if word in old:
        new[word] = old[word]
    else:
        new.pop(word, None)
