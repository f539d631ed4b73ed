"""Objects that train, cut down to what is read of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from scheduler.backends.kubernetes.asking import Asking, asking_of
from scheduler.backends.kubernetes.connection import MANAGER, Object
from scheduler.backends.kubernetes.kinds import BY_PLURAL, KINDS, OPEN, Ending, Kind
from scheduler.backends.kubernetes.marks import OBJECT, QUEUE
from scheduler.backends.kubernetes.pods import kept_annotations
from scheduler.backends.kubernetes.reflector import Resource, key_of, version_of
from scheduler.backends.kubernetes.times import seconds
from scheduler.model.errors import InvariantBroken

KUEUE: Final = "kueue.x-k8s.io/queue-name"
"""Label of what Kueue admits; never touched."""


@dataclass(frozen=True, slots=True)
class TrainingObject:
    """An object that trains and is given to Headroom.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        kind: see `Kind`.
        uid: never used twice.
        namespace: where it is.
        name: its name.
        generation: of its specification; deleting it counts as a change, its status and annotations do not.
        is_suspended: what its specification says.
        is_going: whether it was deleted and is there still.
        labels: those that begin as ours.
        annotations: likewise.
        has_annotations: whether it has any at all.
        created_s: epoch seconds.
        asking: what it asks for; None when it cannot be planned.
        fault: why it cannot; "" when it can.
        entrypoint: what it runs, for people.
        deadline_s: longest it may run; None when it does not say.
        ending: how far it is.
        suspended_by: who said that it is to be, where that was not Headroom.
        is_quiet: whether no pod of its comes any more while it is suspended.
        is_up: whether what it runs has begun, as far as its controller tells.
        replaces_early: whether its controller starts a second pod while the first still ends.
    """

    key: str
    version: int
    kind: Kind
    uid: str
    namespace: str
    name: str
    generation: int
    is_suspended: bool
    is_going: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    has_annotations: bool = False
    created_s: float = 0.0
    asking: Asking | None = None
    fault: str = ""
    entrypoint: str = ""
    deadline_s: float | None = None
    ending: Ending = OPEN
    suspended_by: str = ""
    is_quiet: bool = False
    is_up: bool = True
    replaces_early: bool = False

    @property
    def origin(self) -> str:
        """What the cluster calls it, never used twice."""
        return f"{self.kind.plural}/{self.namespace}/{self.name}/{self.uid}"

    @property
    def path(self) -> str:
        """Where the API has it."""
        return self.kind.path(self.namespace, self.name)


def place_of(origin: str) -> tuple[Kind, str, str] | None:
    """Return the kind, the key and the uid in an origin; None where it is none of this cluster's."""
    parts = origin.split("/")
    if len(parts) != 4 or parts[0] not in BY_PLURAL:  # noqa: PLR2004  # plural, namespace, name, uid
        return None
    return BY_PLURAL[parts[0]], f"{parts[1]}/{parts[2]}", parts[3]


def resources_of(namespaces: Sequence[str], devices: Sequence[str]) -> list[Resource[TrainingObject]]:
    """Return what is to be watched: all kinds, in these namespaces or in all, where people gave them to us."""
    query = (("labelSelector", QUEUE),)
    cuts: list[tuple[Kind, Callable[[Object], TrainingObject | None]]] = [
        (kind, partial(cut_object, kind, tuple(devices))) for kind in KINDS
    ]
    return [Resource(kind.plural, kind.path(where), cut, query) for kind, cut in cuts for where in namespaces or ("",)]


def cut_object(kind: Kind, devices: Sequence[str], content: Object) -> TrainingObject | None:
    """Keep what is read of an object; None of one that is another controller's to start."""
    metadata, spec, status = content["metadata"], content.get("spec") or {}, content.get("status") or {}
    labels = metadata.get("labels") or {}
    is_ours = QUEUE in labels and KUEUE not in labels and spec.get("managedBy") in {None, "", kind.manager}
    if not is_ours or any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return None
    asking, fault = _asked(kind, content, devices)
    return TrainingObject(
        key=key_of(content),
        version=version_of(content),
        kind=kind,
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        generation=int(metadata.get("generation", 0)),
        is_suspended=bool(spec.get("suspend")),
        is_going="deletionTimestamp" in metadata,
        labels={key: value for key, value in labels.items() if key.startswith("headroom/")},
        annotations=kept_annotations(metadata),
        has_annotations=bool(metadata.get("annotations")),
        created_s=seconds(metadata.get("creationTimestamp")),
        asking=asking,
        fault=fault,
        entrypoint=_entrypoint(spec),
        deadline_s=spec.get("activeDeadlineSeconds"),
        ending=kind.ending(status),
        suspended_by=_suspended_by(metadata),
        is_quiet=kind.is_quiet(status),
        is_up=kind.is_up(status),
        replaces_early=kind.name == "Job" and spec.get("podReplacementPolicy") != "Failed",
    )


def asked_of(seen: TrainingObject) -> Asking:
    """Return what an object asks for that can be planned.

    Raises:
        InvariantBroken: it cannot be.
    """
    if seen.asking is None:
        raise InvariantBroken(f"{seen.key} cannot be planned: {seen.fault}")
    return seen.asking


def uid_label(seen: TrainingObject) -> dict[str, str]:
    """Return the label that its pods carry."""
    return {OBJECT: seen.uid}


def _asked(kind: Kind, content: Object, devices: Sequence[str]) -> tuple[Asking | None, str]:
    try:
        return asking_of(kind, content, devices), ""
    except ValueError as error:
        return None, str(error)
    except (KeyError, TypeError, AttributeError) as error:
        return None, f"it is not complete: {error!r}"


def _suspended_by(metadata: Mapping[str, Any]) -> str:
    """Return who owns the field that suspends an object, as the server remembers; "" for us, and for nobody."""
    owners = {
        str(entry.get("manager")): entry.get("operation")
        for entry in metadata.get("managedFields") or ()
        if "f:suspend" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    if MANAGER in owners or not owners:
        return ""
    name, operation = max(owners.items(), key=lambda owner: owner[1] == "Apply")
    if operation == "Apply":
        return f"{name}, which applies it: it should leave suspend out"
    return name


def _entrypoint(spec: Mapping[str, Any]) -> str:
    if spec.get("entrypoint"):
        return str(spec["entrypoint"])
    pod = ((spec.get("template") or {}).get("spec")) or {}
    for container in (pod.get("containers") or [spec.get("trainer") or {}])[:1]:
        return " ".join(map(str, [*(container.get("command") or ()), *(container.get("args") or ())]))
    return ""
