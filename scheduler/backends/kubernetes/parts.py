"""Of which parts the objects of each kind consist: how many pods of which template, and where it is written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

SUBMITTER: Final[Mapping[str, Any]] = {
    "spec": {"containers": [{"name": "submitter", "resources": {"requests": {"cpu": "500m", "memory": "200Mi"}}}]}
}
"""The pod from which KubeRay submits a job, unless a template says otherwise."""
PATCHER: Final = "headroom/start"
"""Who TrainJob says wrote its patches of the runtime."""


@dataclass(frozen=True, slots=True)
class Part:
    """Pods that are alike.

    Attributes:
        role: for people, for instance "head".
        count: how many.
        template: what they are made from.
        path: JSON pointer of the template.
        size_paths: JSON pointers of the numbers that say how many, where that may be changed; () where it may not.
    """

    role: str
    count: int
    template: Mapping[str, Any]
    path: str
    size_paths: tuple[str, ...] = ()


def ray_parts(spec: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the head and the groups of workers of a RayJob."""
    cluster = spec.get("rayClusterSpec") or {}
    yield Part("head", 1, cluster["headGroupSpec"]["template"], "/spec/rayClusterSpec/headGroupSpec/template")
    for at, group in enumerate(cluster.get("workerGroupSpecs") or ()):
        path, hosts = f"/spec/rayClusterSpec/workerGroupSpecs/{at}", int(group.get("numOfHosts") or 1)
        count = int(group.get("replicas", group.get("minReplicas", 0)) or 0) * hosts
        sizes = tuple(f"{path}/{name}" for name in ("replicas", "minReplicas", "maxReplicas")) if hosts == 1 else ()
        if count:
            yield Part(str(group.get("groupName", "workers")), count, group["template"], f"{path}/template", sizes)


def job_parts(spec: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the pods of a batch Job that run at once."""
    completions = spec.get("completions")
    parallel = int(spec.get("parallelism", 1))
    sizes = ["/spec/parallelism"]
    if completions is not None:
        parallel = min(parallel, int(completions))
        if spec.get("completionMode") == "Indexed" and int(completions) == parallel:
            sizes = ["/spec/completions", "/spec/parallelism"]
    yield Part("worker", parallel, spec["template"], "/spec/template", tuple(sizes))


def jobset_parts(spec: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the replicated jobs of a JobSet."""
    for at, replicated in enumerate(spec.get("replicatedJobs") or ()):
        job = replicated["template"]["spec"]
        count = int(replicated.get("replicas", 1)) * next(job_parts(job)).count
        path = f"/spec/replicatedJobs/{at}/template/spec/template"
        yield Part(str(replicated["name"]), count, job["template"], path)


def train_parts(spec: Mapping[str, Any]) -> Iterator[Part]:
    """Yield the nodes of a TrainJob, as far as it says itself what they need; the rest is in its runtime."""
    trainer = spec.get("trainer") or {}
    resources = trainer.get("resourcesPerNode")
    if resources:
        template = {"spec": {"containers": [{"name": "node", "resources": resources}]}}
        yield Part("node", int(trainer.get("numNodes", 1)), template, "")


def submitter_of(spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the template of the pod that submits a RayJob; None where there is none."""
    if spec.get("submissionMode") not in {None, "", "K8sJobMode"}:
        return None
    template: Mapping[str, Any] | None = spec.get("submitterPodTemplate")
    return template or SUBMITTER


def train_patch(labels: Mapping[str, str], gate: str) -> dict[str, Any]:
    """Return the patch of a TrainJob's runtime that labels and gates its nodes."""
    pod = {"metadata": {"labels": dict(labels)}, "spec": {"schedulingGates": [{"name": gate}]}}
    job = {"name": "node", "template": {"spec": {"template": pod}}}
    return {"manager": PATCHER, "trainingRuntimeSpec": {"template": {"spec": {"replicatedJobs": [job]}}}}
