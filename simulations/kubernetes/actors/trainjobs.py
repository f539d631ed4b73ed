"""The Kubeflow Trainer: a JobSet of every TrainJob, from what it says of its nodes and from its runtime patches."""

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, with_condition
from simulations.kubernetes.actors.mirror import JOB_SETS, TRAIN_JOBS, Sight, controller_uid, owner_reference
from simulations.kubernetes.merging import strategic_patch
from simulations.kubernetes.rest import path_of
from simulations.kubernetes.types import of_type

MANAGER = "trainer.kubeflow.org/trainjob-controller"
NODE = "node"
ANCESTOR = "trainer.kubeflow.org/trainjob-ancestor-step"
STATES = {"Suspended": "Suspended", "Completed": "Complete", "Failed": "Failed"}


@dataclass
class TrainJobController:
    """Runs the TrainJobs that no other manages. Its runtimes are one: so many nodes of one container each."""

    image: str = "example.org/trainer:2.3"
    refused: dict[str, str] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every TrainJob one step further."""
        sets = {controller_uid(each): each for each in sight.all(JOB_SETS)}
        for each in sight.all(TRAIN_JOBS):
            managed = each["spec"].get("managedBy", MANAGER) == MANAGER
            if managed and "deletionTimestamp" not in each["metadata"]:
                self._train_job(sight, each, sets.get(each["metadata"]["uid"]), now)

    def _train_job(self, sight: Sight, each: Json, have: Json | None, now: datetime) -> None:
        wanted = self.job_set_of(each)
        if have is None:
            attempt(sight.rest.create, wanted)
            return
        suspended = bool(each["spec"].get("suspend"))
        if bool(have["spec"].get("suspend")) != suspended:
            change: Json = {"suspend": suspended}
            if not suspended:
                change["replicatedJobs"] = wanted["spec"]["replicatedJobs"]
            attempt(sight.rest.patch, path_of(have), {"spec": change})
        self._write(sight, each, have, now)

    def _write(self, sight: Sight, each: Json, have: Json, now: datetime) -> None:
        status = each.get("status") or {}
        conditions = list(status.get("conditions") or [])
        for theirs, ours in STATES.items():
            true = has_condition(have, theirs)
            if true or any(made["type"] == ours for made in conditions):
                reason = ours if true else "Resumed"
                made = condition(ours, true=true, now=now, reason=reason, message=f"TrainJob is {reason.lower()}")
                conditions = with_condition(conditions, made)
        words = ("name", "ready", "succeeded", "failed", "active", "suspended")
        counts = (have.get("status") or {}).get("replicatedJobsStatus") or []
        told = {"conditions": conditions, "jobsStatus": [{word: count[word] for word in words} for count in counts]}
        if {word: status.get(word) for word in told} != told:
            attempt(sight.rest.patch, path_of(each, "status"), {"status": told})

    def job_set_of(self, each: Json) -> Json:
        """Return the JobSet of a TrainJob."""
        metadata, trainer = each["metadata"], each["spec"].get("trainer") or {}
        nodes = trainer.get("numNodes", 1)
        container: Json = {"name": NODE, "image": trainer.get("image", self.image)}
        container |= {word: trainer[word] for word in ("command", "args", "env") if word in trainer}
        if "resourcesPerNode" in trainer:
            container["resources"] = trainer["resourcesPerNode"]
        labels = {ANCESTOR: "trainer"}
        template: Json = {"metadata": {"labels": labels}, "spec": {"restartPolicy": "Never", "containers": [container]}}
        template = _patched(template, each)
        job = {"parallelism": nodes, "completions": nodes, "completionMode": "Indexed", "template": template}
        group = {"name": NODE, "replicas": 1, "template": {"metadata": {"labels": labels}, "spec": job}}
        owned = {"name": metadata["name"], "namespace": metadata["namespace"]}
        owners = {"ownerReferences": [owner_reference(each)]}
        spec = {"suspend": bool(each["spec"].get("suspend")), "replicatedJobs": [group]}
        return {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "metadata": owned | owners, "spec": spec}


def _patched(template: Json, each: Json) -> Json:
    """Return the nodes' template with what the TrainJob's runtime patches say of it."""
    shape = of_type("V1PodTemplateSpec")
    for patch in each["spec"].get("runtimePatches") or []:
        runtime = ((patch.get("trainingRuntimeSpec") or {}).get("template") or {}).get("spec") or {}
        for group in runtime.get("replicatedJobs") or []:
            if group.get("name") == NODE:
                given = (((group.get("template") or {}).get("spec") or {}).get("template")) or {}
                template = strategic_patch(template, deepcopy(given), shape)
    return template
