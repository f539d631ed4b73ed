"""Objects that are given to Headroom: what they ask for, what is wrong with them, what is let be."""

from typing import Any

import pytest

from scheduler.backends.kubernetes.kinds import BY_NAME, End
from scheduler.backends.kubernetes.marks import Marks, length_s, slots_of, slots_text
from scheduler.backends.kubernetes.objects import TrainingObject, cut_object, place_of
from scheduler.backends.kubernetes.orders import order_of
from scheduler.model.observation import Order
from scheduler.model.resources import Slot
from scheduler.model.workloads import Gang, JobId

GPU = "amd.com/gpu"
STORE = "0f6e5a38"


def pod_template(gpus: int = 0, cpu: str = "1", **spec: Any) -> dict[str, Any]:
    limits = {"cpu": cpu, "memory": "1Gi", **({GPU: str(gpus)} if gpus else {})}
    return {"spec": {"containers": [{"name": "c", "resources": {"limits": limits}}], **spec}}


def manifest(kind: str, spec: dict[str, Any], labels: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    own = {"headroom/queue": "research", **(labels or {})}
    given = {"name": "train", "namespace": "ml", "uid": "u-1", "resourceVersion": "7", "generation": 3}
    given |= {"creationTimestamp": "2026-11-30T00:00:00Z", "labels": own, **metadata}
    return {"kind": kind, "metadata": given, "spec": {"suspend": True, **spec}, "status": {}}


def job(workers: int = 2, gpus: int = 4, **spec: Any) -> dict[str, Any]:
    counts = {"parallelism": workers, "completions": workers, "completionMode": "Indexed"}
    return {**counts, "template": pod_template(gpus), **spec}


def ray_job(*groups: dict[str, Any], **spec: Any) -> dict[str, Any]:
    head = {"rayStartParams": {}, "template": pod_template(cpu="2")}
    cluster = {"headGroupSpec": head, "workerGroupSpecs": list(groups)}
    return {"shutdownAfterJobFinishes": True, "entrypoint": "python t.py", "rayClusterSpec": cluster, **spec}


def group(name: str, replicas: int, gpus: int) -> dict[str, Any]:
    return {"groupName": name, "replicas": replicas, "template": pod_template(gpus)}


def seen(content: dict[str, Any]) -> TrainingObject | None:
    return cut_object(BY_NAME[content["kind"]], (GPU, "nvidia.com/gpu"), content)


def order(content: dict[str, Any]) -> Order:
    found = seen(content)
    assert found is not None
    given = order_of(found, STORE)
    assert given is not None
    return given


def gang(content: dict[str, Any]) -> Gang:
    asked = order(content)
    assert asked.fault == ""
    return asked.spec.gang


def test_a_job_asks_for_its_pods_by_labels_and_annotations() -> None:
    labels = {"headroom/priority": "high"}
    annotations = {
        "headroom/owner": "ada",
        "headroom/checkpoint-interval": "10m",
        "headroom/max-runtime": "1h30m",
        "headroom/preemptible": "false",
        "headroom/hold": "until the data is there",
    }
    content = manifest("Job", job(), labels, annotations=annotations)
    content["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 45
    asked = order(content)
    spec = asked.spec
    assert (spec.name, spec.queue, spec.priority_class, spec.owner) == ("train", "research", "high", "ada")
    assert (spec.grace_period_s, spec.checkpoint_interval_s, spec.max_runtime_s) == (45.0, 600.0, 5400.0)
    assert (spec.preemptible, asked.held, asked.fault) == (False, "until the data is there", "")
    assert spec.origin == "jobs/ml/train/u-1"
    assert (spec.gang.workers, spec.gang.shape.gpu_count, spec.gang.shape.memory_mib) == (2, 4, 1024)
    assert spec.gang.shape.host_labels == (("device", GPU), ("taints", "none"))
    kind, key, uid = place_of(spec.origin) or (None, "", "")
    assert (kind, key, uid) == (BY_NAME["Job"], "ml/train", "u-1")


def test_nobody_said_anything_means_the_namespace_and_the_middle() -> None:
    spec = order(manifest("Job", job(activeDeadlineSeconds=600))).spec
    assert (spec.owner, spec.priority_class, spec.grace_period_s, spec.max_runtime_s) == ("ml", "normal", 30.0, 600)


def test_a_head_that_may_go_where_the_workers_may_has_room_beside_one_and_others_go_by_rules_of_their_own() -> None:
    content = manifest("RayJob", ray_job(group("w", 3, 8)))
    asked = gang(content)
    assert (asked.workers, asked.shape.gpu_count, asked.shape.cpu_milli) == (3, 8, 1000 + 2000)
    template = content["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]
    template["spec"]["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
    asked = gang(content)
    assert (asked.shape.cpu_milli, asked.shape.host_labels[1]) == (1000, ("taints", "none but dedicated"))
    found = seen(content)
    assert found is not None
    assert found.asking is not None
    assert [aside.role for aside in found.asking.asides] == ["head", "submitter"]
    found = seen(manifest("RayJob", ray_job(group("w", 3, 8), submissionMode="HTTPMode")))
    assert found is not None
    assert found.asking is not None
    assert found.asking.asides == ()


def test_the_other_kinds_say_how_many_in_their_own_ways() -> None:
    replicated = [{"name": "w", "replicas": 2, "template": {"spec": job(2)}},
                  {"name": "driver", "template": {"spec": job(1, 0)}}]  # fmt: skip
    asked = gang(manifest("JobSet", {"replicatedJobs": replicated}))
    assert (asked.workers, asked.shape.gpu_count, asked.shape.cpu_milli) == (4, 4, 2000)
    trainer = {"numNodes": 4, "resourcesPerNode": {"limits": {GPU: "8"}}}
    asked = gang(manifest("TrainJob", {"trainer": trainer}))
    assert (asked.workers, asked.shape.gpu_count) == (4, 8)
    assert gang(manifest("Job", {"template": pod_template(1)})).workers == 1
    assert gang(manifest("Job", job(4, completions=2))).workers == 2


def test_a_gang_may_say_with_how_few_it_runs_and_keeps_its_range_when_it_was_started_smaller() -> None:
    annotations = {"headroom/min-workers": "1"}
    assert gang(manifest("Job", job(4), annotations=annotations)) == Gang(
        1, gang(manifest("Job", job(4))).shape, max_workers=4
    )
    shrunk = {**annotations, "headroom/workers": "4 2"}
    assert gang(manifest("Job", job(2), annotations=shrunk)).max_workers == 4
    assert gang(manifest("Job", job(3), annotations=shrunk)).max_workers == 3, "edited since"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (manifest("RayJob", ray_job(group("a", 2, 4), group("b", 2, 4))), "a and b both ask for devices"),
        (manifest("RayJob", ray_job(group("a", 2, 4), group("c", 3, 0))), "c has 3 pods beside the 2 of a"),
        (manifest("RayJob", ray_job(clusterSelector={"a": "b"})), "clusterSelector"),
        (manifest("RayJob", ray_job(shutdownAfterJobFinishes=False)), "set shutdownAfterJobFinishes: true"),
        (manifest("RayJob", {"shutdownAfterJobFinishes": True}), "it is not complete: KeyError"),
        (manifest("TrainJob", {"trainer": {"numNodes": 2}}), "set trainer.resourcesPerNode"),
        (manifest("JobSet", {"startupPolicy": {"startupPolicyOrder": "InOrder"}}), "start one after another"),
        (manifest("JobSet", {"replicatedJobs": []}), "asks for no pods"),
        (manifest("Job", job(template=pod_template(1, nodeName="n1"))), "names its host"),
        (manifest("Job", job(), annotations={"headroom/min-workers": "3"}), "not between 1 and its 2 workers"),
        (manifest("Job", job(), annotations={"headroom/max-runtime": "soon"}), 'max-runtime: "soon" is no length'),
        (manifest("Job", job(), annotations={"headroom/preemptible": "perhaps"}), "neither true nor false"),
        (manifest("Job", job(suspend=False)), "started past Headroom: set suspend: true"),
    ],
)
def test_what_cannot_be_planned_is_said_in_words(content: dict[str, Any], fault: str) -> None:
    assert fault in order(content).fault


@pytest.mark.parametrize(
    "content",
    [
        manifest("Job", job(), {"kueue.x-k8s.io/queue-name": "team"}),
        manifest("Job", job(managedBy="kueue.x-k8s.io/multikueue")),
        manifest("Job", job(), ownerReferences=[{"kind": "RayJob", "name": "r", "uid": "x", "controller": True}]),
        {**manifest("Job", job()), "metadata": {**manifest("Job", job())["metadata"], "labels": {}}},
    ],
)
def test_what_others_start_is_let_be(content: dict[str, Any]) -> None:
    assert seen(content) is None


def test_what_is_its_own_controllers_is_taken() -> None:
    assert seen(manifest("Job", job(managedBy="kubernetes.io/job-controller"))) is not None


def test_an_object_that_is_over_is_an_order_only_if_it_was_ours() -> None:
    content = manifest("Job", job())
    content["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    found = seen(content)
    assert found is not None
    assert found.ending.end is End.DONE
    assert order_of(found, STORE) is None
    content["metadata"]["annotations"] = {"headroom/job": "17", "headroom/store": STORE}
    assert order(content).fault == ""
    content["metadata"]["deletionTimestamp"] = "2026-11-30T01:00:00Z"
    gone = seen(content)
    assert gone is not None
    assert order_of(gone, STORE) is None


@pytest.mark.parametrize(
    ("kind", "status", "end", "message"),
    [
        ("RayJob", {"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, End.OPEN, ""),
        ("RayJob", {"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, End.DONE, ""),
        ("RayJob", {"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, End.FAILED, "Ray says stopped"),
        ("RayJob", {"jobDeploymentStatus": "Failed", "reason": "App", "message": "boom"}, End.FAILED, "App: boom"),
        ("JobSet", {"conditions": [{"type": "Completed", "status": "True"}]}, End.DONE, ""),
        ("TrainJob", {"conditions": [{"type": "Failed", "status": "True", "reason": "R"}]}, End.FAILED, "R"),
        ("Job", {"conditions": [{"type": "Failed", "status": "False"}]}, End.OPEN, ""),
    ],
)  # fmt: skip
def test_each_kind_says_in_its_own_way_that_it_is_over(
    kind: str, status: dict[str, Any], end: End, message: str
) -> None:
    said = BY_NAME[kind].ending(status)
    assert (said.end, said.message) == (end, message)


def test_marks_and_slots_are_read_back_as_they_were_written() -> None:
    slots = (Slot("gpu-1", (0, 1)), Slot("gpu-2", (7,)), Slot("cpu-1"))
    assert slots_text(slots) == "gpu-1:0,1 gpu-2:7 cpu-1"
    assert slots_of(slots_text(slots)) == slots
    marks = Marks(JobId("17"), 2, slots, STORE, 1_800_000_000.0)
    assert Marks.of(marks.as_annotations()) == marks
    assert Marks.of({**marks.as_annotations(), "headroom/attempt": "two"}) is None
    assert Marks.of({**marks.as_annotations(), "headroom/slots": "gpu-1:a"}) is None


@pytest.mark.parametrize(("text", "length"), [("90s", 90.0), ("1h30m", 5400.0), ("1.5h", 5400.0), ("2d", 172_800.0)])
def test_lengths_of_time_are_read(text: str, length: float) -> None:
    assert length_s(text) == length


@pytest.mark.parametrize("text", ["", "10", "10 m", "m10", "1h and more"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        length_s(text)
