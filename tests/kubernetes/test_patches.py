"""Every patch that starts, stops and forgets, against the double's schemas: for each kind, however it is written."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.backends.kubernetes import patches
from scheduler.backends.kubernetes.kinds import BY_NAME
from scheduler.backends.kubernetes.marks import GATE, Marks
from scheduler.backends.kubernetes.objects import TrainingObject, cut_object
from scheduler.backends.kubernetes.pods import cut_pod
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId
from simulations.kubernetes import manifests
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api

GPU = "amd.com/gpu"
MARKS = Marks(JobId("17"), 2, (Slot("a", (0, 1)), Slot("b", (2, 3))), "me", 1_796_000_000.0)
POD = {"containers": [{"name": "c", "image": "i", "resources": {"limits": {GPU: "2"}}}], "restartPolicy": "Never"}
JOB_SET = {
    "apiVersion": "jobset.x-k8s.io/v1alpha2",
    "kind": "JobSet",
    "metadata": {"name": "x"},
    "spec": {
        "suspend": True,
        "replicatedJobs": [
            {"name": "w", "replicas": 2, "template": {"spec": {"parallelism": 1, "template": {"spec": POD}}}}
        ],
    },
}
TRAIN_JOB = {
    "apiVersion": "trainer.kubeflow.org/v1alpha1",
    "kind": "TrainJob",
    "metadata": {"name": "x"},
    "spec": {
        "suspend": True,
        "runtimeRef": {"name": "torch"},
        "trainer": {"numNodes": 2, "resourcesPerNode": {"limits": {GPU: "2"}}},
    },
}
JOB = manifests.job("x", pods=2, devices={GPU: 2})
BARE = {**JOB, "spec": {**JOB["spec"], "template": {"spec": POD}}}
OTHERS = {**JOB, "spec": {**JOB["spec"], "template": {"metadata": {"labels": {"a": "b"}}, "spec": {
    **POD, "schedulingGates": [{"name": "other/gate"}]}}}}  # fmt: skip
EVERY = {
    "RayJob": manifests.ray_job("x", devices={GPU: 2}),
    "JobSet": JOB_SET,
    "TrainJob": TRAIN_JOB,
    "Job": JOB,
    "a Job without metadata in its template": BARE,
    "a Job with gates and labels of its own": OTHERS,
}


class Line:
    """Sends patches to a double that refuses unknown fields."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.rest = Rest(client(fresh_api()))
        self.rest.create(manifests.namespace("ml"))
        metadata = {**body["metadata"], "namespace": "ml", "labels": {"headroom/queue": "default"}}
        self.kind = BY_NAME[body["kind"]]
        self.rest.create({**body, "metadata": metadata})

    @property
    def found(self) -> dict[str, Any]:
        """The object as it is."""
        return self.rest.get(self.kind.path("ml", "x"))

    @property
    def seen(self) -> TrainingObject:
        """What is read of it."""
        kept = cut_object(self.kind, (GPU,), self.found)
        assert kept is not None
        return kept

    def send(self, patch: patches.Patch) -> TrainingObject:
        """Send a patch; unknown fields are an error."""
        self.rest.patch(self.kind.path("ml", "x"), patch, "json", fieldValidation="Strict")
        return self.seen


@pytest.mark.parametrize("body", EVERY.values(), ids=EVERY.keys())
def test_what_starts_stops_and_forgets_is_accepted_and_does_it(body: dict[str, Any]) -> None:
    line = Line(body)
    assert line.seen.fault == ""
    started = line.send(patches.start(line.seen, MARKS))
    assert not started.is_suspended
    assert Marks.of(started.annotations) == MARKS
    text = json.dumps(line.found["spec"])
    assert text.count('{"name": "headroom/wait"}') == len(line.seen.asking.templates if line.seen.asking else ())
    assert f'"headroom/object": "{started.uid}"' in text
    assert not started.replaces_early
    stopped = line.send(patches.suspend(started, "could not be started: x" * 200))
    assert stopped.is_suspended
    assert len(stopped.annotations["headroom/gave-up"]) == 1000
    again = line.send(patches.start(stopped, replace(MARKS, attempt=3)))
    assert "headroom/gave-up" not in again.annotations
    assert json.dumps(line.found["spec"]).count("headroom/wait") == text.count("headroom/wait"), "gated once"
    forgotten = line.send(patches.forget(line.send(patches.suspend(again))))
    assert Marks.of(forgotten.annotations) is None


@pytest.mark.parametrize("annotations", [{}, {"theirs": "kept"}], ids=["none before", "some before"])
def test_a_pod_is_pinned_told_of_its_attempt_and_let_in_by_one_patch(annotations: dict[str, str]) -> None:
    rest, path = Rest(client(fresh_api())), "/api/v1/namespaces/ml/pods/p"
    rest.create(manifests.namespace("ml"))
    body = manifests.pod("p", annotations=annotations, schedulingGates=[{"name": GATE}])
    rest.create(body | {"metadata": body["metadata"] | {"namespace": "ml"}})
    patch = patches.pin(cut_pod(rest.get(path)), "a", {"headroom/job": "17"})
    found = rest.patch(path, patch, "json", fieldValidation="Strict")
    assert found["metadata"]["annotations"] == annotations | {"headroom/job": "17"}
    assert found["spec"]["nodeSelector"] == {"kubernetes.io/hostname": "a"}
    assert not found["spec"].get("schedulingGates")


def edit(line: Line) -> None:
    line.rest.patch(line.kind.path("ml", "x"), {"spec": {"backoffLimit": 3}})


def start(line: Line) -> None:
    line.rest.patch(line.kind.path("ml", "x"), {"spec": {"suspend": False}})


def make_anew(line: Line) -> None:
    body = line.found
    line.rest.delete(line.kind.path("ml", "x"), propagationPolicy="Background")
    body["metadata"] = {key: body["metadata"][key] for key in ("name", "namespace", "labels")}
    for key in ("selector",):
        body["spec"].pop(key)
    body["spec"]["template"]["metadata"] = {}
    line.rest.create(body)


@pytest.mark.parametrize("change", [edit, start, make_anew])
def test_what_has_changed_meanwhile_is_not_started(change: Any) -> None:
    line = Line(JOB)
    patch = patches.start(line.seen, MARKS)
    change(line)
    with pytest.raises(httpx.HTTPStatusError) as caught:
        line.send(patch)
    assert caught.value.response.status_code == 422
    assert Marks.of(line.seen.annotations) is None


def sizes(found: dict[str, Any]) -> set[int]:
    """Return all numbers that say how many workers there are."""
    spec = found["spec"]
    if "parallelism" in spec:
        return {spec["parallelism"], spec["completions"]}
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    return {group["replicas"], group["minReplicas"], group["maxReplicas"]}


@pytest.mark.parametrize("body", [JOB, manifests.ray_job("x", devices={GPU: 2})], ids=["Job", "RayJob"])
def test_a_gang_that_starts_smaller_keeps_what_was_asked_for(body: dict[str, Any]) -> None:
    line = Line({**body, "metadata": {**body["metadata"], "annotations": {"headroom/min-workers": "1"}}})
    small = line.send(patches.start(line.seen, replace(MARKS, slots=MARKS.slots[:1])))
    assert sizes(line.found) == {1}
    assert small.asking is not None
    assert (small.asking.gang.workers, small.asking.gang.max_workers) == (1, 2)
    whole = line.send(patches.start(line.send(patches.suspend(small)), MARKS))
    assert sizes(line.found) == {2}
    assert whole.asking is not None
    assert whole.asking.gang.max_workers == 2
