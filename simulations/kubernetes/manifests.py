"""Objects for a small cluster: nodes with devices, pods, Jobs, RayJobs, Deployments, as short as they can be."""

from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]
HOSTNAME = "kubernetes.io/hostname"


def node(
    name: str, *, cpu: str = "16", memory: str = "64Gi", devices: Mapping[str, int] | None = None, **more: Any
) -> Json:
    """Return a ready Node; `labels` and `taints` may be given."""
    amounts = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "100Gi"}
    amounts |= {resource: str(count) for resource, count in (devices or {}).items()}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {HOSTNAME: name, **more.get("labels", {})}},
        "spec": {"taints": more["taints"]} if more.get("taints") else {},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }


def pod_spec(*, cpu: str = "1", memory: str = "1Gi", devices: Mapping[str, int] | None = None, **more: Any) -> Json:
    """Return a pod's spec with one container; further fields of the spec may be given."""
    requests = {"cpu": cpu, "memory": memory}
    counted = {resource: str(count) for resource, count in (devices or {}).items()}
    resources: Json = {"requests": requests | counted} | ({"limits": counted} if counted else {})
    container = {"name": "main", "image": "example.org/image:1", "resources": resources}
    return {"automountServiceAccountToken": False, "containers": [container], **more}


def pod(
    name: str, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """Return a Pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": _named(name, labels, annotations), "spec": pod_spec(**spec)}


def job(
    name: str, *, pods: int = 1, suspend: bool = True, labels: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """Return an indexed batch Job of so many pods."""
    template = {"spec": pod_spec(**{"restartPolicy": "Never", **spec})}
    wanted = {"suspend": suspend, "parallelism": pods, "completions": pods, "completionMode": "Indexed"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _named(name, labels),
        "spec": {**wanted, "template": template},
    }


def ray_job(
    name: str, *, workers: int = 2, suspend: bool = True, labels: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """Return a RayJob with a small head and one group of workers; what else is given goes to the workers' pods."""
    group = {"groupName": "workers", "replicas": workers, "minReplicas": workers, "maxReplicas": workers}
    group |= {"rayStartParams": {}, "template": {"spec": pod_spec(**spec)}}
    head = {"rayStartParams": {}, "template": {"spec": pod_spec(cpu="1", memory="2Gi")}}
    cluster = {"rayVersion": "2.60.0", "headGroupSpec": head, "workerGroupSpecs": [group]}
    wanted = {"suspend": suspend, "entrypoint": "python train.py", "shutdownAfterJobFinishes": True}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": _named(name, labels),
        "spec": {**wanted, "rayClusterSpec": cluster},
    }


def job_set(name: str, *, groups: Mapping[str, int] | None = None, suspend: bool = True, **spec: Any) -> Json:
    """Return a JobSet: groups by name, each one Job of so many pods; `labels` are the set's own."""
    labels = spec.pop("labels", None)
    listed = []
    for group, pods in (groups or {"workers": 2}).items():
        wanted: Json = job(group, pods=pods, **spec)["spec"]
        del wanted["suspend"]
        listed.append({"name": group, "replicas": 1, "template": {"spec": wanted}})
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": _named(name, labels),
        "spec": {"suspend": suspend, "replicatedJobs": listed},
    }


def train_job(name: str, *, nodes: int = 2, suspend: bool = True, **more: Any) -> Json:
    """Return a TrainJob of so many nodes; `labels` and `devices` may be given."""
    counted = {resource: str(count) for resource, count in (more.get("devices") or {}).items()}
    resources: Json = {"requests": {"cpu": "1", "memory": "1Gi", **counted}} | ({"limits": counted} if counted else {})
    runtime = {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": "torch-distributed"}
    trainer = {"numNodes": nodes, "resourcesPerNode": resources}
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": _named(name, more.get("labels")),
        "spec": {"suspend": suspend, "runtimeRef": runtime, "trainer": trainer},
    }


def deployment(name: str, *, replicas: int = 1, labels: Mapping[str, str] | None = None, **spec: Any) -> Json:
    """Return a Deployment whose pods carry the label `app`."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(**spec)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _named(name, labels),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def inference_service(
    name: str, *, replicas: tuple[int, int] = (1, 1), annotations: Mapping[str, str] | None = None, **spec: Any
) -> Json:
    """Return an InferenceService with so many replicas, least and most; what else is given goes to its pods."""
    least, most = replicas
    made = {"predictor": {"minReplicas": least, "maxReplicas": most, **pod_spec(**spec)}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": _named(name, None, annotations),
        "spec": made,
    }


def namespace(name: str) -> Json:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _named(name: str, labels: Mapping[str, str] | None, annotations: Mapping[str, str] | None = None) -> Json:
    metadata: Json = {"name": name}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return metadata
