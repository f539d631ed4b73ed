"""The kinds that the double serves: the built-in ones, and those of custom resource definitions."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

STATUS = ("status",)


@dataclass(frozen=True)
class Kind:
    """A kind of object and where it is served."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    subresources: tuple[str, ...] = ()
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    singular: str = ""
    fields: tuple[str, ...] = ()
    counts_generation: bool = False
    creates_on_update: bool = False
    unconditional: bool = True
    virtual: bool = False
    schema: dict[str, Any] | None = field(default=None, hash=False, compare=False)
    columns: tuple[dict[str, Any], ...] = field(default=(), hash=False, compare=False)

    @property
    def resource(self) -> str:
        """Return the plural with its group, as messages show it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """Return the kind with its group, as messages show it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def api_version(self) -> str:
        """Return group and version as an object carries them."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def single(self) -> str:
        """Return the singular name."""
        return self.singular or self.kind.lower()

    @property
    def custom(self) -> bool:
        """Say whether a definition made this kind."""
        return self.schema is not None

    @property
    def opening(self) -> bytes:
        """Return how the stored JSON of every object of the kind begins."""
        return f'{{"kind":"{self.kind}","apiVersion":"{self.api_version}",'.encode()

    def shorn(self, body: bytes) -> bytes:
        """Return an object's JSON as an item of a list: a built-in one does not say again what it is."""
        return body if self.custom else b"{" + body[len(self.opening) :]

    @property
    def table(self) -> tuple[str, str]:
        """Return where the store keeps these objects: events are one table under two groups."""
        return ("", "events") if self.plural == "events" else (self.group, self.plural)


POD_FIELDS = (
    "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
    "status.phase", "status.podIP", "status.nominatedNodeName",
)  # fmt: skip
EVENT_FIELDS = (
    "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
    "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
    "reason", "reportingComponent", "source", "type",
)  # fmt: skip
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
FLOW = "flowcontrol.apiserver.k8s.io"


def _core(plural: str, kind: str, **more: Any) -> Kind:
    return Kind("", "v1", plural, kind, **more)


def _named(group: str, version: str, plural: str, kind: str, **more: Any) -> Kind:
    return Kind(group, version, plural, kind, **more)


BUILT_IN = (
    _core("pods", "Pod", subresources=("status", "binding", "eviction", "resize", "log"), short_names=("po",),
          categories=("all",), fields=POD_FIELDS, counts_generation=True),
    _core("nodes", "Node", namespaced=False, subresources=STATUS, short_names=("no",), fields=("spec.unschedulable",)),
    _core("namespaces", "Namespace", namespaced=False, subresources=("status", "finalize"), short_names=("ns",),
          fields=("status.phase",)),
    _core("configmaps", "ConfigMap", short_names=("cm",)),
    _core("secrets", "Secret", fields=("type",)),
    _core("services", "Service", subresources=STATUS, short_names=("svc",), categories=("all",)),
    _core("serviceaccounts", "ServiceAccount", short_names=("sa",)),
    _core("persistentvolumeclaims", "PersistentVolumeClaim", subresources=STATUS, short_names=("pvc",)),
    _core("resourcequotas", "ResourceQuota", subresources=STATUS, short_names=("quota",)),
    _core("limitranges", "LimitRange", short_names=("limits",)),
    _core("events", "Event", short_names=("ev",), fields=EVENT_FIELDS),
    _named("events.k8s.io", "v1", "events", "Event", short_names=("ev",), fields=EVENT_FIELDS),
    _named("batch", "v1", "jobs", "Job", subresources=STATUS, categories=("all",), fields=("status.successful",),
           counts_generation=True),
    _named("apps", "v1", "deployments", "Deployment", subresources=("status", "scale"), short_names=("deploy",),
           categories=("all",), counts_generation=True),
    _named("apps", "v1", "replicasets", "ReplicaSet", subresources=("status", "scale"), short_names=("rs",),
           categories=("all",), counts_generation=True, fields=("status.replicas",)),
    _named("apps", "v1", "statefulsets", "StatefulSet", subresources=("status", "scale"), short_names=("sts",),
           categories=("all",), counts_generation=True),
    _named("apps", "v1", "daemonsets", "DaemonSet", subresources=STATUS, short_names=("ds",), categories=("all",),
           counts_generation=True),
    _named("coordination.k8s.io", "v1", "leases", "Lease", creates_on_update=True, unconditional=False),
    _named("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", subresources=STATUS, short_names=("pdb",),
           counts_generation=True, unconditional=False),
    _named("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False, short_names=("pc",),
           counts_generation=True),
    _named("resource.k8s.io", "v1", "resourceslices", "ResourceSlice", namespaced=False, counts_generation=True,
           fields=("spec.nodeName", "spec.driver")),
    _named("storage.k8s.io", "v1", "storageclasses", "StorageClass", namespaced=False, short_names=("sc",)),
    _named(RBAC, "v1", "roles", "Role"),
    _named(RBAC, "v1", "rolebindings", "RoleBinding"),
    _named(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    _named(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    _named(ADMISSION, "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy", namespaced=False,
           subresources=STATUS, counts_generation=True),
    _named(ADMISSION, "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", namespaced=False,
           counts_generation=True),
    _named(ADMISSION, "v1", "mutatingadmissionpolicies", "MutatingAdmissionPolicy", namespaced=False,
           counts_generation=True),
    _named(FLOW, "v1", "flowschemas", "FlowSchema", namespaced=False, subresources=STATUS, counts_generation=True),
    _named(FLOW, "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", namespaced=False,
           subresources=STATUS, counts_generation=True),
    _named("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False,
           subresources=STATUS, short_names=("crd", "crds"), counts_generation=True),
    _named("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False,
           virtual=True),
    _named("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced=False,
           virtual=True),
    _named("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False,
           virtual=True),
    _named("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview", namespaced=False, virtual=True),
)  # fmt: skip


class Kinds:
    """The kinds that are served now, by group, version and plural."""

    def __init__(self, kinds: Iterable[Kind] = BUILT_IN) -> None:
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in kinds}

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """Return the kind under a path, if there is one."""
        return self._kinds.get((group, version, plural))

    def by_kind(self, group: str, kind: str) -> Kind | None:
        """Return the kind of an object, whatever its version."""
        found = (each for each in self._kinds.values() if each.group == group and each.kind == kind)
        return next(found, None)

    def add(self, kind: Kind) -> None:
        """Serve a kind from now on."""
        self._kinds[(kind.group, kind.version, kind.plural)] = kind

    def remove(self, group: str, plural: str) -> None:
        """Stop serving a kind, in all its versions."""
        for key in [key for key in self._kinds if (key[0], key[2]) == (group, plural)]:
            del self._kinds[key]

    def all(self) -> tuple[Kind, ...]:
        """Return all of them, in the order of their making."""
        return tuple(self._kinds.values())

    def is_built_in(self, group: str) -> bool:
        """Say whether a group is one of the server's own; of others an unknown resource is answered in plain text."""
        return any(kind.group == group and not kind.custom for kind in self._kinds.values())

    def has_group(self, group: str, version: str = "") -> bool:
        """Say whether anything of a group (and version) is served."""
        return any(key[0] == group and version in ("", key[1]) for key in self._kinds)
