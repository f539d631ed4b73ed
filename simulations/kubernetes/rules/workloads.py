"""Deployments, ReplicaSets, StatefulSets, DaemonSets: their defaults and what of them never changes."""

import json

from simulations.kubernetes.failures import Cause, Json, invalid_value
from simulations.kubernetes.objects import NEVER_CHANGES, Surroundings
from simulations.kubernetes.rules.base import Rules, setdefaults
from simulations.kubernetes.rules.templates import fill_template
from simulations.kubernetes.selectors import matches_selector

MISMATCH = "`selector` does not match template `labels`"


def _fill_common(body: Json) -> Json:
    spec: Json = body.setdefault("spec", {})
    fill_template(spec.setdefault("template", {}))
    return spec


def fill_deployment(body: Json) -> None:
    """Fill in a Deployment's defaults."""
    spec = _fill_common(body)
    setdefaults(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    setdefaults(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        setdefaults(strategy, rollingUpdate={})
        setdefaults(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")


def fill_replica_set(body: Json) -> None:
    """Fill in a ReplicaSet's defaults."""
    setdefaults(_fill_common(body), replicas=1)


def fill_stateful_set(body: Json) -> None:
    """Fill in a StatefulSet's defaults."""
    spec = _fill_common(body)
    setdefaults(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10, updateStrategy={})


def fill_daemon_set(body: Json) -> None:
    """Fill in a DaemonSet's defaults."""
    setdefaults(_fill_common(body), revisionHistoryLimit=10, updateStrategy={})


def create(body: Json, around: Surroundings) -> None:
    """Start a workload with an empty status."""
    del around
    body["status"] = {"replicas": 0} if body["kind"] in {"ReplicaSet", "StatefulSet"} else {}


def update(new: Json, old: Json) -> None:
    """Keep the status at an update of the object."""
    new["status"] = old.get("status", {})


def check(body: Json) -> list[Cause]:
    """Return what is wrong with a new workload."""
    spec = body["spec"]
    labels = spec["template"]["metadata"].get("labels") or {}
    causes = [] if spec.get("selector") else [Cause("spec.selector", "FieldValueRequired", "Required value")]
    if spec.get("selector") and not matches_selector(spec["selector"], labels):
        causes.append(invalid_value("spec.template.metadata.labels", json.dumps(labels), MISMATCH))
    return causes + _replicas_causes(spec)


def _replicas_causes(spec: Json) -> list[Cause]:
    if spec.get("replicas", 1) >= 0:
        return []
    return [invalid_value("spec.replicas", str(spec["replicas"]), "must be greater than or equal to 0")]


def check_update(new: Json, old: Json) -> list[Cause]:
    """Return what a change of a workload breaks."""
    causes = _replicas_causes(new["spec"])
    if new["spec"].get("selector") != old["spec"].get("selector"):
        causes.append(invalid_value("spec.selector", json.dumps(new["spec"].get("selector")), NEVER_CHANGES))
    return causes


DEPLOYMENTS = Rules(fill_deployment, create, update, check, check_update)
REPLICA_SETS = Rules(fill_replica_set, create, update, check, check_update)
STATEFUL_SETS = Rules(fill_stateful_set, create, update, check, check_update)
DAEMON_SETS = Rules(fill_daemon_set, create, update, check, check_update)
