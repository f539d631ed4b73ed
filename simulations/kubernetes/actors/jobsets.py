"""The JobSet controller: one Job a replica of each replicated job, suspended and resumed with the set."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, with_condition
from simulations.kubernetes.actors.mirror import JOB_SETS, JOBS, Sight, controller_uid, owner_reference
from simulations.kubernetes.rest import path_of

MANAGER = "jobset.sigs.k8s.io/jobset-controller"
PREFIX = "jobset.sigs.k8s.io/"
COPIED = ("nodeSelector", "tolerations", "schedulingGates")


@dataclass
class JobSetController:
    """Runs the JobSets that no other manages."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every JobSet one step further."""
        jobs: dict[str, list[Json]] = {}
        for job in sight.all(JOBS):
            jobs.setdefault(controller_uid(job), []).append(job)
        for each in sight.all(JOB_SETS):
            managed = each["spec"].get("managedBy", MANAGER) == MANAGER
            if managed and "deletionTimestamp" not in each["metadata"]:
                self._job_set(sight, each, jobs.get(each["metadata"]["uid"], []), now)

    def _job_set(self, sight: Sight, each: Json, jobs: list[Json], now: datetime) -> None:
        suspended = bool(each["spec"].get("suspend"))
        known = {job["metadata"]["name"]: job for job in jobs}
        if not (has_condition(each, "Completed") or has_condition(each, "Failed")):
            for wanted in jobs_of(each):
                have = known.get(wanted["metadata"]["name"])
                if have is None:
                    attempt(sight.rest.create, wanted)
                elif bool(have["spec"].get("suspend")) != suspended:
                    _follow(sight, have, wanted)
        self._write(sight, each, jobs, now)

    def _write(self, sight: Sight, each: Json, jobs: list[Json], now: datetime) -> None:
        status = each.get("status") or {}
        conditions = list(status.get("conditions") or [])
        for made in _conditions(each, jobs, now):
            conditions = with_condition(conditions, made)
        told: Json = {"conditions": conditions, "replicatedJobsStatus": counts_of(each, jobs)}
        for kind in ("Completed", "Failed"):
            if any(made["type"] == kind and made["status"] == "True" for made in conditions):
                told["terminalState"] = kind
        if {word: status.get(word) for word in told} != told:
            attempt(sight.rest.patch, path_of(each, "status"), {"status": {"restarts": 0, **told}})


def _follow(sight: Sight, have: Json, wanted: Json) -> None:
    """Suspend a Job, or resume it with what a scheduler wrote into the set's template meanwhile."""
    change: Json = {"suspend": wanted["spec"]["suspend"]}
    if not wanted["spec"]["suspend"]:
        template = wanted["spec"]["template"]
        spec = {word: template["spec"][word] for word in COPIED if word in template["spec"]}
        kept = {word: template["metadata"][word] for word in ("labels", "annotations") if word in template["metadata"]}
        change["template"] = {"metadata": kept, "spec": spec}
    attempt(sight.rest.patch, path_of(have), {"spec": change})


def jobs_of(each: Json) -> list[Json]:
    """Return the Jobs of a set, in the order of its replicated jobs."""
    return [
        _job_of(each, group, index)
        for group in each["spec"].get("replicatedJobs") or []
        for index in range(group.get("replicas", 1))
    ]


def _job_of(each: Json, group: Json, index: int) -> Json:
    metadata, template = each["metadata"], group["template"]
    name = f"{metadata['name']}-{group['name']}-{index}"
    marks = {
        f"{PREFIX}jobset-name": metadata["name"],
        f"{PREFIX}jobset-uid": metadata["uid"],
        f"{PREFIX}replicatedjob-name": group["name"],
        f"{PREFIX}replicatedjob-replicas": str(group.get("replicas", 1)),
        f"{PREFIX}job-index": str(index),
        f"{PREFIX}restart-attempt": "0",
    }
    spec = deepcopy(template["spec"])
    pods = spec["template"].setdefault("metadata", {})
    pods["labels"] = {**(pods.get("labels") or {}), **marks}
    pods["annotations"] = {**(pods.get("annotations") or {}), **marks}
    labels = {**((template.get("metadata") or {}).get("labels") or {}), **marks}
    owned = {"name": name, "namespace": metadata["namespace"], "labels": labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**owned, "annotations": marks, "ownerReferences": [owner_reference(each)]},
        "spec": {**spec, "suspend": bool(each["spec"].get("suspend"))},
    }


def counts_of(each: Json, jobs: list[Json]) -> list[Json]:
    """Return how many Jobs of each group are in which state."""
    return [
        {"name": group["name"], **_counts([job for job in jobs if _group(job) == group["name"]])}
        for group in each["spec"].get("replicatedJobs") or []
    ]


def _group(job: Json) -> str:
    return str((job["metadata"].get("labels") or {}).get(f"{PREFIX}replicatedjob-name", ""))


def _counts(jobs: list[Json]) -> dict[str, int]:
    return {
        "active": sum(1 for job in jobs if (job.get("status") or {}).get("active")),
        "failed": sum(1 for job in jobs if has_condition(job, "Failed")),
        "ready": sum(1 for job in jobs if _all_ready(job)),
        "succeeded": sum(1 for job in jobs if has_condition(job, "Complete")),
        "suspended": sum(1 for job in jobs if job["spec"].get("suspend")),
    }


def _all_ready(job: Json) -> bool:
    status = job.get("status") or {}
    return bool(status.get("ready", 0) + status.get("succeeded", 0) >= job["spec"].get("parallelism", 1))


def _conditions(each: Json, jobs: list[Json], now: datetime) -> list[Json]:
    suspended = bool(each["spec"].get("suspend"))
    made = []
    if suspended or has_condition(each, "Suspended"):
        reason = "SuspendedJobs" if suspended else "ResumeJobs"
        words = "jobset is suspended" if suspended else "jobset is resumed"
        made.append(condition("Suspended", true=suspended, now=now, reason=reason, message=words))
    if jobs and all(has_condition(job, "Complete") for job in jobs):
        words = "jobset completed successfully"
        made.append(condition("Completed", true=True, now=now, reason="AllJobsCompleted", message=words))
    if any(has_condition(job, "Failed") for job in jobs):
        words = "jobset failed due to one or more job failures"
        made.append(condition("Failed", true=True, now=now, reason="FailedJobs", message=words))
    return made
