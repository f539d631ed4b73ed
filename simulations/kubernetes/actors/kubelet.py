"""The kubelets of all nodes: pods start, run, end and go; nodes that are lost do nothing any more.

Annotations on a pod say how it behaves: `double/start-s`, `double/run-s` (then it succeeds), `double/fail-s` (then it
fails), `double/stop-s` (how long it takes to end after it was told to; at most its grace).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from simulations.kubernetes.actors.acting import Json, attempt, condition, stamp, when
from simulations.kubernetes.actors.fitting import is_over
from simulations.kubernetes.actors.mirror import NODES, PODS, Sight
from simulations.kubernetes.rest import path_of

READY = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
HEARTBEAT_S = 10
LEASE_S = 40


@dataclass
class Kubelets:
    """The kubelets of all nodes that there are, but for those that are lost."""

    start_s: float = 0.0
    stop_s: float = 0.0
    heartbeats: bool = False
    lost: set[str] = field(default_factory=set)
    beaten: dict[str, datetime] = field(default_factory=dict)

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every pod of a reachable node one step further."""
        nodes = {node["metadata"]["name"] for node in sight.all(NODES)} - self.lost
        for pod in sight.all(PODS):
            if pod["spec"].get("nodeName") in nodes:
                self._pod(sight, pod, now)
        if self.heartbeats:
            for name in sorted(nodes):
                self._beat(sight, name, now)

    def _pod(self, sight: Sight, pod: Json, now: datetime) -> None:
        phase = pod["status"].get("phase")
        if "deletionTimestamp" in pod["metadata"]:
            self._end(sight, pod, now)
        elif phase == "Pending" and self._old(pod, "PodScheduled", now) >= self._seconds(pod, "start", self.start_s):
            _patch(sight, pod, running_status(pod, now))
        elif phase == "Running":
            self._run(sight, pod, now)

    def _run(self, sight: Sight, pod: Json, now: datetime) -> None:
        since = (now - when(pod["status"]["startTime"])).total_seconds()
        for word, phase in (("run", "Succeeded"), ("fail", "Failed")):
            if f"double/{word}-s" in _annotations(pod) and since >= self._seconds(pod, word, 0):
                _patch(sight, pod, ended_status(pod, phase, now))
                return

    def _end(self, sight: Sight, pod: Json, now: datetime) -> None:
        """End a pod that is being deleted: its processes go after their time, and then the object."""
        metadata = pod["metadata"]
        grace = metadata.get("deletionGracePeriodSeconds", 0)
        told = when(metadata["deletionTimestamp"]) - timedelta(seconds=grace)
        if (now - told).total_seconds() < min(grace, self._seconds(pod, "stop", self.stop_s)):
            return
        if not is_over(pod) and pod["status"].get("phase") == "Running":
            _patch(sight, pod, ended_status(pod, "Failed", now))
        attempt(sight.rest.delete, path_of(pod), gracePeriodSeconds=0, preconditions={"uid": metadata["uid"]})

    def _old(self, pod: Json, kind: str, now: datetime) -> float:
        """Return for how long a condition has been what it is."""
        for each in pod["status"].get("conditions") or []:
            if each["type"] == kind and each["status"] == "True" and each.get("lastTransitionTime"):
                return (now - when(each["lastTransitionTime"])).total_seconds()
        return (now - when(pod["metadata"]["creationTimestamp"])).total_seconds()

    def _seconds(self, pod: Json, word: str, otherwise: float) -> float:
        return float(_annotations(pod).get(f"double/{word}-s", otherwise))

    def _beat(self, sight: Sight, name: str, now: datetime) -> None:
        """Renew the node's Lease when it is due."""
        if name in self.beaten and now - self.beaten[name] < timedelta(seconds=HEARTBEAT_S):
            return
        self.beaten[name] = now
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_S,
            "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
        lease["metadata"] = {"name": name, "namespace": "kube-node-lease"}
        if attempt(sight.rest.patch, path_of(lease), {"spec": spec}) is None:
            attempt(sight.rest.create, lease)


def _annotations(pod: Json) -> Json:
    found: Json = pod["metadata"].get("annotations") or {}
    return found


def _patch(sight: Sight, pod: Json, status: Json) -> None:
    attempt(sight.rest.patch, path_of(pod, "status"), {"status": status}, "strategic")


def running_status(pod: Json, now: datetime) -> Json:
    """Return the status of a pod whose containers all run and are ready."""
    started = {"state": {"running": {"startedAt": stamp(now)}}, "lastState": {}, "ready": True, "started": True}
    containers = [
        {"name": each["name"], "image": each.get("image", ""), "imageID": "double", "restartCount": 0, **started}
        for each in pod["spec"]["containers"]
    ]
    conditions = [condition(kind, true=True, now=now) for kind in READY]
    return {"phase": "Running", "startTime": stamp(now), "conditions": conditions, "containerStatuses": containers}


def ended_status(pod: Json, phase: str, now: datetime) -> Json:
    """Return the status of a pod whose containers have all ended."""
    code = 0 if phase == "Succeeded" else 1
    ended = {
        "terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": stamp(now)}
    }
    statuses = [
        each | {"state": ended, "ready": False, "started": False}
        for each in pod["status"].get("containerStatuses") or []
    ]
    reason = "PodCompleted" if code == 0 else "PodFailed"
    conditions = [condition(kind, true=False, now=now, reason=reason) for kind in ("Ready", "ContainersReady")]
    return {"phase": phase, "conditions": conditions, "containerStatuses": statuses}
