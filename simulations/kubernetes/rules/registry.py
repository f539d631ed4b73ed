"""Which rules belong to which kind."""

from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.rules import cluster, workloads
from simulations.kubernetes.rules.base import Rules
from simulations.kubernetes.rules.custom import custom_rules
from simulations.kubernetes.rules.events import EVENTS
from simulations.kubernetes.rules.jobs import JOBS
from simulations.kubernetes.rules.pods import PODS

BY_RESOURCE: dict[tuple[str, str], Rules] = {
    ("", "pods"): PODS,
    ("", "nodes"): cluster.NODES,
    ("", "namespaces"): cluster.NAMESPACES,
    ("", "resourcequotas"): cluster.QUOTAS,
    ("", "limitranges"): cluster.LIMIT_RANGES,
    ("", "events"): EVENTS,
    ("events.k8s.io", "events"): EVENTS,
    ("batch", "jobs"): JOBS,
    ("apps", "deployments"): workloads.DEPLOYMENTS,
    ("apps", "replicasets"): workloads.REPLICA_SETS,
    ("apps", "statefulsets"): workloads.STATEFUL_SETS,
    ("apps", "daemonsets"): workloads.DAEMON_SETS,
    ("coordination.k8s.io", "leases"): cluster.LEASES,
    ("policy", "poddisruptionbudgets"): cluster.BUDGETS,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): cluster.POLICIES,
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): cluster.POLICY_BINDINGS,
    ("scheduling.k8s.io", "priorityclasses"): cluster.PRIORITY_CLASSES,
}
PLAIN = Rules()
PLAIN_WITH_STATUS = Rules(update=cluster.keep_status)


def rules_of(kind: Kind) -> Rules:
    """Return the rules of a kind; a custom one's come out of its schema."""
    if kind.custom:
        return custom_rules(kind)
    without = PLAIN_WITH_STATUS if "status" in kind.subresources else PLAIN
    return BY_RESOURCE.get((kind.group, kind.plural), without)
