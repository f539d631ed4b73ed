"""The Job controller: pods for indexes, suspension, success and failure, and the status that tells of it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx

from simulations.kubernetes.actors.acting import (
    Json,
    Said,
    attempt,
    condition,
    has_condition,
    stamp,
    tell,
    with_condition,
)
from simulations.kubernetes.actors.fitting import is_over
from simulations.kubernetes.actors.indexes import indexes_in, text_of
from simulations.kubernetes.actors.mirror import JOBS, PODS, Sight, key_of, owner_reference
from simulations.kubernetes.rest import path_of

NAME = "job-controller"
MANAGER = "kubernetes.io/job-controller"
INDEX = "batch.kubernetes.io/job-completion-index"
FINALIZER = "batch.kubernetes.io/job-tracking"
FIRST_BACK_OFF_S, MOST_BACK_OFF_S = 1, 600


@dataclass
class BackOff:
    """How often creation was refused in a row, and until when it is not tried again."""

    refusals: int = 0
    until: datetime | None = None

    def refuse(self, now: datetime) -> None:
        """Wait longer after each refusal."""
        seconds = min(FIRST_BACK_OFF_S * 2**self.refusals, MOST_BACK_OFF_S)
        self.refusals, self.until = self.refusals + 1, now + timedelta(seconds=seconds)


@dataclass
class JobController:
    """Runs the Jobs that no other manages."""

    waiting: dict[tuple[str, str], BackOff] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every Job one step further."""
        pods: dict[str, list[Json]] = {}
        for pod in sight.all(PODS):
            for reference in pod["metadata"].get("ownerReferences") or []:
                pods.setdefault(reference["uid"], []).append(pod)
        for job in sight.all(JOBS):
            if job["spec"].get("managedBy", MANAGER) == MANAGER:
                self._job(sight, job, pods.get(job["metadata"]["uid"], []), now)
        _release_strays(sight)

    def _job(self, sight: Sight, job: Json, pods: list[Json], now: datetime) -> None:
        status = dict(job.get("status") or {})
        if has_condition(job, "Complete") or has_condition(job, "Failed") or "deletionTimestamp" in job["metadata"]:
            _release(sight, pods)
            return
        status = _count(sight, job, status, pods, now)
        suspended = bool(job["spec"].get("suspend"))
        active = [pod for pod in pods if _is_active(pod)]
        status = _suspension(status, now, suspended=suspended)
        if not suspended and not _decided(job, status, now):
            active = [*active, *self._create(sight, job, pods, status, now)]
        elif active:
            for pod in active:
                _let_go(sight, pod)
            active = []
        status = _finish(job, status, now, any_left=bool(active) or any(_is_terminating(pod) for pod in pods))
        self._write(sight, job, _with_counts(status, active, pods))

    def _create(self, sight: Sight, job: Json, pods: list[Json], status: Json, now: datetime) -> list[Json]:
        back_off = self.waiting.setdefault(key_of(job), BackOff())
        if back_off.until is not None and now < back_off.until:
            return []
        made: list[Json] = []
        for index in _missing(job, pods, status):
            created = self._create_one(sight, job, index, back_off, now)
            if created is None:
                break
            made.append(created)
        else:
            back_off.refusals, back_off.until = 0, None
        return made

    def _create_one(self, sight: Sight, job: Json, index: int, back_off: BackOff, now: datetime) -> Json | None:
        try:
            created = sight.rest.create(pod_of(job, index))
        except httpx.HTTPStatusError as error:
            said = error.response.json().get("message", "")
            back_off.refuse(now)
            tell(sight.rest, job, Said("FailedCreate", f"Error creating: {said}", NAME, warning=True), now)
            return None
        tell(sight.rest, job, Said("SuccessfulCreate", f"Created pod: {created['metadata']['name']}", NAME), now)
        return created

    def _write(self, sight: Sight, job: Json, status: Json) -> None:
        if status != (job.get("status") or {}):
            written = job | {"status": status}
            attempt(sight.rest.replace, written, "status")


def pod_of(job: Json, index: int) -> Json:
    """Return the pod of one index, or just one more pod."""
    template, metadata = job["spec"]["template"], job["metadata"]
    made: Json = {"labels": dict(template["metadata"].get("labels") or {}), "finalizers": [FINALIZER]}
    made |= {"annotations": dict(template["metadata"].get("annotations") or {}), "namespace": metadata["namespace"]}
    made |= {"ownerReferences": [owner_reference(job)], "generateName": f"{metadata['name']}-"}
    spec = dict(template["spec"])
    if job["spec"].get("completionMode") == "Indexed":
        made["generateName"] = f"{metadata['name']}-{index}-"
        made["labels"][INDEX] = made["annotations"][INDEX] = str(index)
        spec["hostname"] = f"{metadata['name']}-{index}"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": spec}


def _is_active(pod: Json) -> bool:
    return not is_over(pod) and "deletionTimestamp" not in pod["metadata"]


def _is_terminating(pod: Json) -> bool:
    return not is_over(pod) and "deletionTimestamp" in pod["metadata"]


def _index(pod: Json) -> str:
    return str((pod["metadata"].get("annotations") or {}).get(INDEX, ""))


def _missing(job: Json, pods: list[Json], status: Json) -> list[int]:
    """Return the indexes that need a pod now; one that ends keeps its index only under podReplacementPolicy Failed."""
    spec = job["spec"]
    waits = spec.get("podReplacementPolicy") == "Failed"
    held = [pod for pod in pods if _is_active(pod) or (waits and _is_terminating(pod))]
    room = spec.get("parallelism", 1) - len(held)
    if spec.get("completionMode") != "Indexed":
        left = spec["completions"] - status.get("succeeded", 0) - len(held) if spec.get("completions") else room
        return list(range(max(0, min(room, left))))
    taken = {int(_index(pod)) for pod in held} | indexes_in(status.get("completedIndexes", ""))
    free = [index for index in range(spec.get("completions", 1)) if index not in taken]
    return free[: max(0, room)]


def _count(sight: Sight, job: Json, status: Json, pods: list[Json], now: datetime) -> Json:
    """Count ended pods once, and release them: the finalizer says which are not counted yet."""
    del now
    done = indexes_in(status.get("completedIndexes", ""))
    for pod in pods:
        if not is_over(pod) or FINALIZER not in (pod["metadata"].get("finalizers") or []):
            continue
        succeeded = pod["status"]["phase"] == "Succeeded"
        if succeeded and _index(pod):
            done.add(int(_index(pod)))
        word = "succeeded" if succeeded else "failed"
        stopped = not succeeded and bool(job["spec"].get("suspend"))
        if not stopped:
            status = status | {word: status.get(word, 0) + 1}
        _release(sight, [pod])
    return status | ({"completedIndexes": text_of(done)} if done else {})


def _release(sight: Sight, pods: list[Json]) -> None:
    for pod in pods:
        finalizers = pod["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            kept = [each for each in finalizers if each != FINALIZER]
            attempt(sight.rest.patch, path_of(pod), {"metadata": {"finalizers": kept or None}})


def _release_strays(sight: Sight) -> None:
    """Release the pods of Jobs that are gone."""
    alive = {job["metadata"]["uid"] for job in sight.all(JOBS)}
    for pod in sight.all(PODS):
        owners = {each["uid"] for each in pod["metadata"].get("ownerReferences") or []}
        if not owners & alive:
            _release(sight, [pod])


def _let_go(sight: Sight, pod: Json) -> None:
    """Delete a pod that is no longer wanted, released so that nothing waits for its being counted."""
    _release(sight, [pod])
    attempt(sight.rest.delete, path_of(pod))


def _suspension(status: Json, now: datetime, *, suspended: bool) -> Json:
    conditions = list(status.get("conditions") or [])
    if suspended:
        made = condition("Suspended", true=True, now=now, reason="JobSuspended", message="Job suspended")
        status = {word: value for word, value in status.items() if word != "startTime"}
        return status | {"conditions": with_condition(conditions, _probed(made))}
    if any(each["type"] == "Suspended" for each in conditions):
        made = condition("Suspended", true=False, now=now, reason="JobResumed", message="Job resumed")
        conditions = with_condition(conditions, _probed(made))
    started = {"startTime": status.get("startTime") or stamp(now)}
    return status | started | ({"conditions": conditions} if conditions else {})


def _probed(made: Json) -> Json:
    return made | {"lastProbeTime": made["lastTransitionTime"]}


def _decided(job: Json, status: Json, now: datetime) -> bool:
    """Say whether the Job has come to its end, so that no more pods are made."""
    return _outcome(job, status, now) is not None


def _outcome(job: Json, status: Json, now: datetime) -> tuple[str, str, str] | None:
    spec = job["spec"]
    if status.get("failed", 0) > spec.get("backoffLimit", 6):
        return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    limit, started = spec.get("activeDeadlineSeconds"), status.get("startTime")
    if limit and started and (now - datetime.fromisoformat(started)).total_seconds() >= limit:
        return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
    if spec.get("completions") and status.get("succeeded", 0) >= spec["completions"]:
        return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
    return None


def _finish(job: Json, status: Json, now: datetime, *, any_left: bool) -> Json:
    outcome = _outcome(job, status, now)
    if outcome is None:
        return status
    kind, reason, message = outcome
    first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
    conditions = list(status.get("conditions") or [])
    for each in (first,) if any_left else (first, kind):
        made = condition(each, true=True, now=now, reason=reason, message=message)
        conditions = with_condition(conditions, _probed(made))
    status = status | {"conditions": conditions}
    return status | ({"completionTime": stamp(now)} if kind == "Complete" and not any_left else {})


def _with_counts(status: Json, active: list[Json], pods: list[Json]) -> Json:
    ready = sum(1 for pod in active if has_condition(pod, "Ready"))
    status = {word: value for word, value in status.items() if word != "active"}
    counts = {"terminating": sum(1 for pod in pods if _is_terminating(pod)), "ready": ready}
    return status | counts | {"uncountedTerminatedPods": {}} | ({"active": len(active)} if active else {})
