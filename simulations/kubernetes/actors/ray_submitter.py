"""The Job by which KubeRay hands a RayJob's work to its cluster (K8sJobMode)."""

from simulations.kubernetes.actors.acting import Json
from simulations.kubernetes.actors.mirror import owner_reference


def submitter(job: Json, cluster: str) -> Json:
    """Return the Job of K8sJobMode that hands the work to the cluster."""
    metadata, spec = job["metadata"], job["spec"]
    container: Json = {
        "name": "ray-job-submitter",
        "image": "rayproject/ray:2.60.0",
        "command": ["ray", "job", "submit"],
    }
    container |= {
        "resources": {"requests": {"cpu": "500m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    }
    given = spec.get("submitterPodTemplate") or {"spec": {"restartPolicy": "Never", "containers": [container]}}
    annotations = {
        word: value for word, value in (metadata.get("annotations") or {}).items() if word.startswith("double/")
    }
    template = {**given, "metadata": {**(given.get("metadata") or {}), "annotations": annotations}}
    template["spec"] = {"restartPolicy": "Never", **template["spec"]}
    labels = {"ray.io/originated-from-cr-name": metadata["name"], "ray.io/originated-from-crd": "RayJob"}
    owned = {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": {**labels, "ray.io/cluster": cluster},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**owned, "ownerReferences": [owner_reference(job)]},
        "spec": {"backoffLimit": (spec.get("submitterConfig") or {}).get("backoffLimit", 2), "template": template},
    }
