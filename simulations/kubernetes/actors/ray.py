"""KubeRay: RayClusters into a head and workers, RayJobs into a cluster and a submitter, suspended and resumed."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from simulations.kubernetes.actors.acting import Json, Said, attempt, has_condition, letters, stamp, tell
from simulations.kubernetes.actors.fitting import is_over
from simulations.kubernetes.actors.mirror import (
    JOBS,
    PODS,
    RAY_CLUSTERS,
    RAY_JOBS,
    Sight,
    controller_uid,
    key_of,
    owner_reference,
)
from simulations.kubernetes.actors.ray_submitter import submitter
from simulations.kubernetes.rest import path, path_of

NAME = "ray-operator"
MANAGER = "ray.io/kuberay-operator"
RETRY_S = 2.0


@dataclass
class RayClusterController:
    """Makes the pods of RayClusters."""

    refused: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every RayCluster one step further."""
        pods: dict[str, list[Json]] = {}
        for pod in sight.all(PODS):
            pods.setdefault(controller_uid(pod), []).append(pod)
        for cluster in sight.all(RAY_CLUSTERS):
            if "deletionTimestamp" not in cluster["metadata"]:
                self._cluster(sight, cluster, pods.get(cluster["metadata"]["uid"], []), now)

    def _cluster(self, sight: Sight, cluster: Json, pods: list[Json], now: datetime) -> None:
        held = [pod for pod in pods if not is_over(pod)]
        if cluster["spec"].get("suspend"):
            for pod in held:
                if "deletionTimestamp" not in pod["metadata"]:
                    attempt(sight.rest.delete, path_of(pod))
        elif now >= self.refused.get(key_of(cluster), now):
            self._fill(sight, cluster, held, now)
        self._write(sight, cluster, held)

    def _fill(self, sight: Sight, cluster: Json, held: list[Json], now: datetime) -> None:
        """Make the head first, then the workers of each group; stop at the first refusal and try again later."""
        for group, wanted, template in _groups(cluster):
            have = [pod for pod in held if pod["metadata"]["labels"].get("ray.io/group") == group]
            staying = [pod for pod in have if "deletionTimestamp" not in pod["metadata"]]
            for _ in range(wanted - len(staying)):
                if not self._create(sight, cluster, group, template, now):
                    return
            for pod in staying[wanted:]:
                attempt(sight.rest.delete, path_of(pod))

    def _create(self, sight: Sight, cluster: Json, group: str, template: Json, now: datetime) -> bool:
        try:
            sight.rest.create(_pod_of(cluster, group, template))
        except httpx.HTTPStatusError as error:
            self.refused[key_of(cluster)] = now + timedelta(seconds=RETRY_S)
            message = (
                f"Failed to create {_role(group)} Pod {key_of(cluster)}: {error.response.json().get('message', '')}"
            )
            tell(
                sight.rest, cluster, Said(f"FailedToCreate{_role(group).title()}Pod", message, NAME, warning=True), now
            )
            return False
        self.refused.pop(key_of(cluster), None)
        return True

    def _write(self, sight: Sight, cluster: Json, held: list[Json]) -> None:
        wanted = sum(count for group, count, _ in _groups(cluster) if group != HEAD)
        workers = [pod for pod in held if pod["metadata"]["labels"].get("ray.io/group") != HEAD]
        ready = [pod for pod in held if has_condition(pod, "Ready") and "deletionTimestamp" not in pod["metadata"]]
        ready_workers = sum(1 for pod in ready if pod in workers)
        status: Json = {
            "desiredWorkerReplicas": wanted,
            "availableWorkerReplicas": len(workers),
            "readyWorkerReplicas": ready_workers,
        }
        status["observedGeneration"] = cluster["metadata"].get("generation", 1)
        if cluster["spec"].get("suspend") and not held:
            status["state"] = "suspended"
        elif len(ready) == wanted + 1:
            status["state"] = "ready"
        if any((cluster.get("status") or {}).get(word) != value for word, value in status.items()):
            attempt(sight.rest.patch, path_of(cluster, "status"), {"status": status})


HEAD = "headgroup"


def _role(group: str) -> str:
    return "head" if group == HEAD else "worker"


def _groups(cluster: Json) -> list[tuple[str, int, Json]]:
    """Return name, number of pods and template of head and workers."""
    spec = cluster["spec"]
    workers = [
        (each["groupName"], each.get("replicas", 1) * each.get("numOfHosts", 1), each["template"])
        for each in spec.get("workerGroupSpecs") or []
        if not each.get("suspend")
    ]
    return [(HEAD, 1, spec["headGroupSpec"]["template"]), *workers]


def _pod_of(cluster: Json, group: str, template: Json) -> Json:
    metadata, given = cluster["metadata"], template.get("metadata") or {}
    middle = "head" if group == HEAD else f"{group}-worker"
    labels = {
        **(given.get("labels") or {}),
        "ray.io/cluster": metadata["name"],
        "ray.io/node-type": _role(group),
        "ray.io/group": group,
        "ray.io/is-ray-node": "yes",
        "ray.io/identifier": f"{metadata['name']}-{_role(group)}",
        "app.kubernetes.io/created-by": "kuberay-operator",
        "app.kubernetes.io/name": "kuberay",
    }
    made = {"generateName": f"{metadata['name']}-{middle}-", "namespace": metadata["namespace"], "labels": labels}
    owned = {**made, "annotations": given.get("annotations") or {}, "ownerReferences": [owner_reference(cluster)]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": owned, "spec": template["spec"]}


@dataclass
class RayJobController:
    """Runs the RayJobs that no other manages: a cluster, then the submitter, then the end of both."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every RayJob one step further."""
        for job in sight.all(RAY_JOBS):
            managed = job["spec"].get("managedBy", MANAGER) == MANAGER
            if managed and "deletionTimestamp" not in job["metadata"]:
                self._job(sight, job, now)

    def _job(self, sight: Sight, job: Json, now: datetime) -> None:
        status = job.get("status") or {}
        phase = status.get("jobDeploymentStatus", "")
        if phase in {"Complete", "Failed"}:
            self._clean(sight, job)
        elif job["spec"].get("suspend") and phase not in {"Suspended", "Suspending"}:
            self._suspend(sight, job, phase)
        elif phase == "Suspending":
            self._when_gone(sight, job)
        elif not job["spec"].get("suspend"):
            self._run(sight, job, status, phase, now)

    def _suspend(self, sight: Sight, job: Json, phase: str) -> None:
        """Stop what runs; one that never started is suspended at once."""
        self._status(sight, job, jobDeploymentStatus="Suspending" if phase else "Suspended")

    def _when_gone(self, sight: Sight, job: Json) -> None:
        left = [*sight.owned_by(RAY_CLUSTERS, job), *sight.owned_by(JOBS, job)]
        for each in left:
            if "deletionTimestamp" not in each["metadata"]:
                attempt(sight.rest.delete, path_of(each), propagationPolicy="Background")
        if not left:
            empty = dict.fromkeys(("jobId", "jobStatus", "message", "reason", "rayClusterName", "startTime"))
            self._status(sight, job, jobDeploymentStatus="Suspended", rayClusterStatus=None, **empty)

    def _run(self, sight: Sight, job: Json, status: Json, phase: str, now: datetime) -> None:
        if phase in {"", "Suspended"}:
            suffix = letters(job["metadata"]["uid"] + str(job["metadata"].get("generation", 1)))
            name = f"{job['metadata']['name']}-{suffix}"
            started = {"jobId": f"{job['metadata']['name']}-{suffix}", "startTime": stamp(now)}
            self._status(sight, job, jobDeploymentStatus="Initializing", rayClusterName=name, **started)
            return
        cluster = self._cluster(sight, job, status["rayClusterName"])
        if phase == "Initializing" and cluster is not None and (cluster.get("status") or {}).get("state") == "ready":
            attempt(sight.rest.create, submitter(job, status["rayClusterName"]))
            self._status(sight, job, jobDeploymentStatus="Running", jobStatus="PENDING")
        elif phase == "Running":
            self._follow(sight, job, status, now)

    def _cluster(self, sight: Sight, job: Json, name: str) -> Json | None:
        namespace = job["metadata"]["namespace"]
        known = sight.rest.client.get(path(*RAY_CLUSTERS, namespace, name))
        if known.is_success:
            found: Json = known.json()
            return found
        labels = {"ray.io/originated-from-cr-name": job["metadata"]["name"], "ray.io/originated-from-crd": "RayJob"}
        metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner_reference(job)], "labels": labels}
        body = {
            "apiVersion": "ray.io/v1",
            "kind": "RayCluster",
            "metadata": metadata,
            "spec": job["spec"]["rayClusterSpec"],
        }
        return attempt(sight.rest.create, body)

    def _follow(self, sight: Sight, job: Json, status: Json, now: datetime) -> None:
        """Carry the submitter's course into the RayJob's status."""
        submitter = next(iter(sight.owned_by(JOBS, job)), None)
        if submitter is None:
            return
        if has_condition(submitter, "Complete"):
            self._end(sight, job, "SUCCEEDED", "Complete", now)
        elif has_condition(submitter, "Failed"):
            self._end(sight, job, "FAILED", "Failed", now)
        elif (submitter.get("status") or {}).get("ready") and status.get("jobStatus") != "RUNNING":
            self._status(sight, job, jobStatus="RUNNING")

    def _end(self, sight: Sight, job: Json, status: str, phase: str, now: datetime) -> None:
        self._status(sight, job, jobStatus=status, jobDeploymentStatus=phase, endTime=stamp(now))

    def _clean(self, sight: Sight, job: Json) -> None:
        if job["spec"].get("shutdownAfterJobFinishes"):
            for cluster in sight.owned_by(RAY_CLUSTERS, job):
                if "deletionTimestamp" not in cluster["metadata"]:
                    attempt(sight.rest.delete, path_of(cluster), propagationPolicy="Background")

    def _status(self, sight: Sight, job: Json, **changes: object) -> None:
        attempt(sight.rest.patch, path_of(job, "status"), {"status": changes})
