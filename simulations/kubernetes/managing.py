"""managedFields: who last set which field, by which operation; kept up at every write."""

from dataclasses import dataclass

from simulations.kubernetes.failures import Json
from simulations.kubernetes.ownership import Leaves, Paths, leaves_of, paths_of, tree_of
from simulations.kubernetes.pruning import shape_of
from simulations.kubernetes.requests import Write

APPLY, UPDATE = "Apply", "Update"
MISSING = object()


@dataclass
class Manager:
    """One manager's share of an object."""

    name: str
    operation: str
    part: str
    version: str
    time: str
    paths: Paths

    @property
    def key(self) -> tuple[str, str, str]:
        """Return what tells it from the others."""
        return self.name, self.operation, self.part

    def entry(self) -> Json:
        """Return the entry of managedFields."""
        part = {"subresource": self.part} if self.part else {}
        head = {"manager": self.name, "operation": self.operation, "apiVersion": self.version, "time": self.time}
        return head | {"fieldsType": "FieldsV1", "fieldsV1": tree_of(self.paths)} | part


def managers_of(body: Json) -> list[Manager]:
    """Return the managers of an object."""
    return [
        Manager(
            entry.get("manager", ""),
            entry.get("operation", UPDATE),
            entry.get("subresource", ""),
            entry.get("apiVersion", ""),
            entry.get("time", ""),
            paths_of(entry.get("fieldsV1") or {}),
        )
        for entry in body["metadata"].get("managedFields") or []
    ]


def track(write: Write, new: Json, old: Json | None, stamp: str) -> None:
    """Note who changed which field; what was applied belongs to who applied it, changed or not."""
    shape, kind = shape_of(write.kind), write.kind
    left_out = () if write.part == "status" or "status" not in kind.subresources else ("status",)
    after = leaves_of(shape, new, left_out)
    before: Leaves = leaves_of(shape, old, left_out) if old else {}
    changed = {path for path, value in after.items() if before.get(path, MISSING) != value}
    gone = before.keys() - after.keys()
    managers = managers_of(old) if old else []
    operation = UPDATE if write.applied is None else APPLY
    mine = Manager(write.request.manager, operation, write.part, kind.api_version, stamp, set())
    for each in managers:
        each.paths -= gone
        if each.key == mine.key:
            mine = each
        else:
            each.paths -= changed
    _claim(mine, write.applied, changed, after, stamp)
    kept = [each for each in managers if each.paths and each is not mine]
    listed = [*kept, mine] if mine.paths else kept
    new["metadata"]["managedFields"] = [each.entry() for each in listed]


def _claim(
    mine: Manager, applied: frozenset[tuple[str, ...]] | None, changed: Paths, after: Leaves, stamp: str
) -> None:
    paths = mine.paths | changed if applied is None else {path for path in applied if path in after}
    if paths != mine.paths or (changed and applied is None):
        mine.time = stamp
    mine.paths = paths
