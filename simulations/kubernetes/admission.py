"""What looks at objects before they are stored, in the order of the server's own plugins."""

from dataclasses import dataclass

from simulations.kubernetes.failures import Json, Refused, forbidden
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.store import Store

ALWAYS_THERE = {"default", "kube-system", "kube-public", "kube-node-lease"}
UNREADY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
EVICTED_AFTER_S = 300


@dataclass
class Admissions:
    """The plugins, in order."""

    store: Store
    kinds: Kinds
    around: Surroundings

    def mutate(self, kind: Kind, body: Json, operation: str) -> None:
        """Refuse what has no namespace; fill in what pods get from elsewhere."""
        if operation != "CREATE":
            return
        if kind.namespaced:
            self._in_a_namespace(kind, body)
        if kind.plural == "pods" and not kind.group:
            self._fill_pod(body)

    def _in_a_namespace(self, kind: Kind, body: Json) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"].get("name", "")
        found = self.store.get(("", "namespaces"), ("", namespace))
        if found is None:
            if namespace in ALWAYS_THERE:
                return
            details = {"name": namespace, "kind": "namespaces"}
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found', details)
        if found.object().get("status", {}).get("phase") == "Terminating":
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(kind, name, why)

    def _fill_pod(self, body: Json) -> None:
        spec = body["spec"]
        spec.setdefault("serviceAccountName", "default")
        spec["serviceAccount"] = spec["serviceAccountName"]
        tolerations = spec.setdefault("tolerations", [])
        for taint in UNREADY:
            if not any(_tolerates(each, taint) for each in tolerations):
                made = {"key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": EVICTED_AFTER_S}
                tolerations.append(made)
        self._prioritise(body)

    def _prioritise(self, body: Json) -> None:
        spec = body["spec"]
        name = spec.get("priorityClassName", "")
        spec["priority"], spec["preemptionPolicy"] = 0, spec.get("preemptionPolicy", "PreemptLowerPriority")
        if not name:
            return
        found = self.store.get(("scheduling.k8s.io", "priorityclasses"), ("", name))
        if found is None:
            kind = self.kinds.find("", "v1", "pods")
            if kind is not None:
                raise forbidden(kind, body["metadata"].get("name", ""), f"no PriorityClass with name {name} was found")
            return
        chosen = found.object()
        spec["priority"], spec["preemptionPolicy"] = chosen.get("value", 0), chosen["preemptionPolicy"]

    def validate(self, kind: Kind, body: Json, old: Json | None, operation: str) -> tuple[str, ...]:
        """Return what to warn of; raise what is refused."""
        del kind, body, old, operation
        return ()

    def stored(self, kind: Kind, body: Json) -> None:
        """Count what was stored or deleted."""
        del kind, body


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key") in {key, None} and toleration.get("effect") in {"NoExecute", None, ""}
