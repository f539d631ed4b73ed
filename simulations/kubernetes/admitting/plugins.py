"""What looks at objects before they are stored, in the order of the server's own plugins."""

from dataclasses import dataclass

from simulations.kubernetes.admitting.limits import check_limits, fill_limits
from simulations.kubernetes.admitting.policies import Review, check_policies
from simulations.kubernetes.admitting.quotas import QUOTAS, check_quotas, quotas_of, status_of, used_in
from simulations.kubernetes.admitting.security import OPEN, level_of, version_of, violations
from simulations.kubernetes.failures import Json, Refused, forbidden
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.store import Store
from simulations.kubernetes.topology import copy_topology

ALWAYS_THERE = {"default", "kube-system", "kube-public", "kube-node-lease"}
UNREADY = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
EVICTED_AFTER_S = 300
NAMESPACES = ("", "namespaces")


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
        if is_pod(kind):
            self._fill_pod(body)
            if body["spec"].get("nodeName"):
                copy_topology(self.store, body)
            fill_limits(self.store, body)

    def _in_a_namespace(self, kind: Kind, body: Json) -> None:
        namespace, name = body["metadata"]["namespace"], body["metadata"].get("name", "")
        found = self.store.get(NAMESPACES, ("", namespace))
        if found is None:
            if namespace in ALWAYS_THERE:
                return
            details = {"name": namespace, "kind": "namespaces"}
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found', details)
        if found.object().get("status", {}).get("phase") == "Terminating":
            raise _terminating(kind, name, namespace)

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
        warnings = check_policies(self.store, Review(kind, body, old, operation))
        if operation != "CREATE" or not kind.namespaced:
            return tuple(warnings)
        warnings += self._secure(kind, body)
        if is_pod(kind):
            check_limits(self.store, kind, body)
        check_quotas(self.store, kind, body)
        return tuple(warnings)

    def _secure(self, kind: Kind, body: Json) -> list[str]:
        """Refuse a pod that its namespace's level forbids; warn of a template that will make such pods."""
        found = self.store.get(NAMESPACES, ("", body["metadata"]["namespace"]))
        spec = body.get("spec") if is_pod(kind) else ((body.get("spec") or {}).get("template") or {}).get("spec")
        if found is None or kind.custom or not isinstance(spec, dict) or "containers" not in spec:
            return []
        mode = "enforce" if is_pod(kind) else "warn"
        level = level_of(found.object(), mode)
        broken = [] if level in OPEN else violations(spec)
        if not broken:
            return []
        said = f'violate PodSecurity "{level}:{version_of(found.object(), mode)}": {", ".join(broken)}'
        if is_pod(kind):
            raise forbidden(kind, body["metadata"].get("name", ""), said.replace("violate", "violates", 1))
        return [f"would {said}"]

    def stored(self, kind: Kind, body: Json) -> None:
        """Bring the quotas of a namespace up to date, as their controller does."""
        namespace = body["metadata"].get("namespace", "")
        quotas = quotas_of(self.store, namespace) if namespace else []
        if not quotas or kind.plural == "events":
            return
        used = used_in(self.store, [each for each in self.kinds.all() if not each.virtual], namespace)
        for quota in quotas:
            status = status_of(quota, used)
            if quota.get("status") != status:
                key = (namespace, quota["metadata"]["name"])
                fields = {"metadata.name": key[1], "metadata.namespace": namespace}
                self.store.write(QUOTAS, key, quota | {"status": status}, fields)


def _terminating(kind: Kind, name: str, namespace: str) -> Refused:
    """Return the refusal of what would go into a namespace that is going."""
    refused = forbidden(
        kind, name, f"unable to create new content in namespace {namespace} because it is being terminated"
    )
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated"}
    refused.details = (refused.details or {}) | {"causes": [cause | {"field": "metadata.namespace"}]}
    return refused


def is_pod(kind: Kind) -> bool:
    """Say whether a kind is that of pods."""
    return kind.plural == "pods" and not kind.group


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key") in {key, None} and toleration.get("effect") in {"NoExecute", None, ""}
