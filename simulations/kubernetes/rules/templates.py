"""Defaults of pods and pod templates, and their canonical quantities."""

from typing import Any

from simulations.kubernetes.failures import Json
from simulations.kubernetes.quantities import canonical
from simulations.kubernetes.rules.base import setdefaults

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
QUANTITIES = ("requests", "limits")
VOLUME_DEFAULTS: dict[str, Json] = {
    "configMap": {"defaultMode": 420},
    "secret": {"defaultMode": 420},
    "downwardAPI": {"defaultMode": 420},
    "projected": {"defaultMode": 420},
    "hostPath": {"type": ""},
}


def fill_pod_spec(spec: Json) -> None:
    """Fill in the defaults that a pod and a template share."""
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        _fill_container(container)
    for volume in spec.get("volumes") or []:
        _fill_volume(volume)
    setdefaults(spec, restartPolicy="Always", terminationGracePeriodSeconds=30, dnsPolicy="ClusterFirst")
    setdefaults(spec, securityContext={}, schedulerName="default-scheduler")
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = spec.get("serviceAccountName") or spec["serviceAccount"]
    if spec.get("overhead"):
        spec["overhead"] = canonical_all(spec["overhead"])


def _fill_container(container: Json) -> None:
    setdefaults(container, terminationMessagePath="/dev/termination-log", terminationMessagePolicy="File", resources={})
    setdefaults(container, imagePullPolicy=_pull_policy(container.get("image", "")))
    for probe in PROBES:
        if container.get(probe):
            _fill_probe(container[probe])
    for port in container.get("ports") or []:
        setdefaults(port, protocol="TCP")
    for variable in container.get("env") or []:
        if source := (variable.get("valueFrom") or {}).get("fieldRef"):
            setdefaults(source, apiVersion="v1")
    canonical_resources(container["resources"])


def _pull_policy(image: str) -> str:
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return "Always" if tag in {"", "latest"} and "@" not in image else "IfNotPresent"


def _fill_probe(probe: Json) -> None:
    setdefaults(probe, timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
    if probe.get("httpGet"):
        setdefaults(probe["httpGet"], scheme="HTTP", path="/")


def _fill_volume(volume: Json) -> None:
    for source, defaults in VOLUME_DEFAULTS.items():
        if isinstance(volume.get(source), dict):
            setdefaults(volume[source], **defaults)
    if len(volume) == 1:
        volume["emptyDir"] = {}


def canonical_resources(resources: Json) -> None:
    """Write requests and limits in their canonical forms."""
    for word in QUANTITIES:
        if resources.get(word):
            resources[word] = canonical_all(resources[word])


def canonical_all(amounts: dict[str, Any]) -> dict[str, str]:
    """Return quantities in their canonical forms."""
    return {name: canonical(amount) for name, amount in amounts.items()}


def fill_template(template: Json) -> None:
    """Fill in the defaults of a pod template."""
    template.setdefault("metadata", {})
    fill_pod_spec(template.setdefault("spec", {}))
