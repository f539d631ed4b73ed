"""The namespace controller: what is in a namespace that is being deleted goes, and then the namespace itself."""

from dataclasses import dataclass
from datetime import datetime

from simulations.kubernetes.actors import mirror
from simulations.kubernetes.actors.acting import Json, attempt
from simulations.kubernetes.actors.garbage import OWNED
from simulations.kubernetes.actors.mirror import NAMESPACES, Sight
from simulations.kubernetes.rest import path

CONTENT = (*OWNED, mirror.QUOTAS, mirror.LEASES, mirror.BUDGETS, mirror.EVENTS, ("v1", "configmaps"))


@dataclass
class NamespaceController:
    """Empties namespaces and lets them go."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every namespace that is going one step further."""
        del now
        for each in sight.all(NAMESPACES):
            if "deletionTimestamp" in each["metadata"]:
                self._empty(sight, each)

    def _empty(self, sight: Sight, each: Json) -> None:
        name, left = each["metadata"]["name"], 0
        for resource in CONTENT:
            inside = [body for body in sight.all(resource) if body["metadata"].get("namespace") == name]
            left += len(inside)
            for body in inside:
                if "deletionTimestamp" not in body["metadata"]:
                    where = path(*resource, name, body["metadata"]["name"])
                    attempt(sight.rest.delete, where, propagationPolicy="Background")
        if not left:
            attempt(sight.rest.replace, each | {"spec": {"finalizers": []}}, "finalize")
