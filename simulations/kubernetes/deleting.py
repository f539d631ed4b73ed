"""DELETE: preconditions, grace of pods, finalizers of the propagation policy, and what is answered."""

from dataclasses import dataclass
from datetime import timedelta

from simulations.kubernetes import failures
from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.store import Entry, Store
from simulations.kubernetes.visible import selectable
from simulations.kubernetes.writing import Admission

POLICIES = ("Foreground", "Background", "Orphan", "nil")
FINALIZERS = {"Foreground": "foregroundDeletion", "Orphan": "orphan"}
RETURNED = {"pods", "namespaces", "customresourcedefinitions"}
ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or "
    "set propagationPolicy=Orphan to suppress this warning"
)


@dataclass
class Deleter:
    """Deletes objects, at once or by marking them."""

    store: Store
    around: Surroundings
    admission: Admission

    def delete(self, kind: Kind, entry: Entry, options: Json, request: Request) -> Answer:
        """Delete one object; answer with it while it is still there, with a Status once it is gone."""
        body = entry.object()
        check_preconditions(kind, body, options.get("preconditions") or {})
        warnings = _warnings(kind, options)
        grace = grace_of(kind, body, options)
        marked = "deletionTimestamp" in body["metadata"]
        finalizers = _finalizers(kind, body, options, marked=marked)
        changed = self._mark(body, grace, finalizers, marked=marked)
        if kind.plural == "namespaces":
            body["metadata"].pop("deletionGracePeriodSeconds", None)
            body["status"] = {"phase": "Terminating"}
        if not finalizers and not grace and not self._held(kind, body):
            if marked and changed and not request.query.get("dryRun"):
                self.store.write(kind.table, entry.key, body, selectable(kind, body))  # grace 0 is seen before it goes
            return self._remove(kind, entry, body, request, warnings)
        if changed and not request.query.get("dryRun"):
            self.store.write(kind.table, entry.key, body, selectable(kind, body))
            self.admission.stored(kind, body)
        return Answer(200, body, warnings=warnings)

    def _held(self, kind: Kind, body: Json) -> bool:
        if kind.plural == "namespaces":
            return bool(body.get("spec", {}).get("finalizers"))
        return bool(body["metadata"].get("deletionGracePeriodSeconds"))

    def _mark(self, body: Json, grace: int, finalizers: list[str], *, marked: bool) -> bool:
        """Mark an object as being deleted; a second mark may only shorten the grace."""
        metadata = body["metadata"]
        before = dict(metadata)
        if not marked or grace < metadata.get("deletionGracePeriodSeconds", 0):
            when = self.around.now() + timedelta(seconds=grace)
            metadata["deletionTimestamp"] = when.strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata["deletionGracePeriodSeconds"] = grace
        if not marked and "generation" in metadata:
            metadata["generation"] += 1
        if finalizers:
            metadata["finalizers"] = finalizers
        else:
            metadata.pop("finalizers", None)
        return bool(metadata != before)

    def _remove(self, kind: Kind, entry: Entry, body: Json, request: Request, warnings: tuple[str, ...]) -> Answer:
        if not request.query.get("dryRun"):
            self.store.delete(kind.table, entry.key, body)
            self.admission.stored(kind, body)
        if kind.plural in RETURNED:
            return Answer(200, body, warnings=warnings)
        details = {"name": entry.key[1], "kind": kind.plural, "uid": body["metadata"]["uid"]}
        details |= {"group": kind.group} if kind.group else {}
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return Answer(200, status, warnings=warnings)


def check_options(options: Json) -> None:
    """Refuse delete options that contradict themselves or name no policy."""
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in POLICIES:
        cause = failures.unsupported("propagationPolicy", policy, POLICIES)
        raise failures.invalid("meta.k8s.io", "DeleteOptions", "", [cause])


def check_preconditions(kind: Kind, body: Json, wanted: Json) -> None:
    """Refuse to delete another object than the one that is meant."""
    metadata = body["metadata"]
    again = "The object might have been deleted and then recreated"
    if wanted.get("uid") not in {None, metadata["uid"]}:
        why = f"the UID in the precondition ({wanted['uid']}) does not match the UID in record ({metadata['uid']})"
        raise failures.conflict(kind, metadata["name"], f"{why}. {again}", by_kind=True)
    version = metadata["resourceVersion"]
    if wanted.get("resourceVersion") not in {None, version}:
        theirs = f"does not match the ResourceVersion in record ({version}). The object might have been modified"
        why = f"the ResourceVersion in the precondition ({wanted['resourceVersion']}) {theirs}"
        raise failures.conflict(kind, metadata["name"], why, by_kind=True)


def grace_of(kind: Kind, body: Json, options: Json) -> int:
    """Return the seconds that a deletion leaves; only pods that run on a node are given any."""
    if kind.plural != "pods" or kind.group:
        return 0
    spec, metadata = body.get("spec", {}), body["metadata"]
    asked = options.get("gracePeriodSeconds")
    grace = int(spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked)
    if not spec.get("nodeName") or body.get("status", {}).get("phase") in {"Failed", "Succeeded"}:
        grace = 0
    if "deletionTimestamp" in metadata:
        current = int(metadata.get("deletionGracePeriodSeconds", 0))
        return min(grace, current) if asked is not None else current
    return grace


def _finalizers(kind: Kind, body: Json, options: Json, *, marked: bool) -> list[str]:
    found = list(body["metadata"].get("finalizers") or [])
    policy = options.get("propagationPolicy")
    if policy is None and options.get("orphanDependents") is not None:
        policy = "Orphan" if options["orphanDependents"] else "Background"
    if policy is None and _orphans_by_default(kind) and not marked:
        policy = "Orphan"
    if policy is None:
        return found
    found = [each for each in found if each not in FINALIZERS.values()]
    return [*found, FINALIZERS[policy]] if policy in FINALIZERS else found


def _orphans_by_default(kind: Kind) -> bool:
    return (kind.group, kind.plural) == ("batch", "jobs")


def _warnings(kind: Kind, options: Json) -> tuple[str, ...]:
    silent = options.get("propagationPolicy") is not None or options.get("orphanDependents") is not None
    return () if silent or not _orphans_by_default(kind) else (ORPHANS,)
