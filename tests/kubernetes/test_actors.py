"""The actors on a stepped clock: what a real cluster's controllers do, as the recordings show it."""

from typing import Any

import pytest

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import SteppedClock
from simulations.kubernetes.manifests import deployment, job, job_set, namespace, node, pod, ray_job, train_job
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path, path_of
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.played import SPACE, Played

DEVICE = "amd.com/gpu"


@pytest.fixture
def played() -> Played:
    """Give a cluster of two nodes with four devices each."""
    clock = SteppedClock()
    api = fresh_api(around=Surroundings(now=clock))
    rest = Rest(client(api))
    rest.create(namespace(SPACE))
    made = Played(api, rest, clock, Cast())
    for name in ("n1", "n2"):
        made.make(node(name, devices={DEVICE: 4}))
    return made


def phases(pods: list[dict[str, Any]]) -> list[str]:
    return [each["status"]["phase"] for each in pods]


def scheduled(body: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in body["status"]["conditions"] if each["type"] == "PodScheduled")


def test_a_pod_is_bound_and_runs(played: Played) -> None:
    played.make(pod("p", devices={DEVICE: 4}))
    found = played.pods()
    assert phases(found) == ["Running"]
    assert found[0]["spec"]["nodeName"] in {"n1", "n2"}


def test_who_waits_is_told_why_in_the_schedulers_words(played: Played) -> None:
    played.make(pod("full", nodeSelector={"kubernetes.io/hostname": "n1"}, devices={DEVICE: 3}))
    played.make(pod("waits", nodeSelector={"kubernetes.io/hostname": "n1"}, devices={DEVICE: 2}))
    told = scheduled(played.rest.get(path("v1", "pods", SPACE, "waits")))
    assert told["reason"] == "Unschedulable"
    assert told["message"] == (
        "0/2 nodes are available: 1 Insufficient amd.com/gpu, 1 node(s) didn't match Pod's node affinity/selector. "
        "no new claims to deallocate, preemption: 0/2 nodes are available: 1 No preemption victims found for incoming "
        "pod, 1 Preemption is not helpful for scheduling."
    )


def test_a_gated_pod_is_left_alone_until_its_gate_goes(played: Played) -> None:
    made = played.make(pod("g", schedulingGates=[{"name": "headroom/wait"}]))
    assert phases(played.pods()) == ["Pending"]
    pinned = {"spec": {"nodeSelector": {"kubernetes.io/hostname": "n2"}, "schedulingGates": None}}
    played.rest.patch(path_of(made), pinned)
    played.stage.settle()
    assert [each["spec"]["nodeName"] for each in played.pods()] == ["n2"]


def test_a_higher_priority_preempts_unless_its_policy_is_never(played: Played) -> None:
    for name, value, policy in (("low", -10, "Never"), ("high", 1000, "PreemptLowerPriority")):
        body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
        played.rest.create(body | {"value": value, "preemptionPolicy": policy})
    pin = {"nodeSelector": {"kubernetes.io/hostname": "n1"}, "devices": {DEVICE: 4}}
    played.make(pod("victim", priorityClassName="low", **pin))
    played.make(pod("winner", priorityClassName="high", **pin))
    assert [each["metadata"]["name"] for each in played.pods(fieldSelector="status.phase=Running")] == ["winner"]


def test_a_job_is_suspended_and_resumed(played: Played) -> None:
    made = played.make(job("a", pods=2, terminationGracePeriodSeconds=5))
    assert played.rest.get(path_of(made))["status"]["conditions"][0]["reason"] == "JobSuspended"
    played.cast.kubelets.stop_s = 3
    played.rest.patch(path_of(made), {"spec": {"suspend": False}})
    played.stage.settle()
    assert phases(played.pods()) == ["Running", "Running"]
    assert played.rest.get(path_of(made))["status"]["active"] == 2
    played.rest.patch(path_of(made), {"spec": {"suspend": True}})
    played.stage.settle()
    status = played.rest.get(path_of(made))["status"]
    assert (status["terminating"], "active" in status, "startTime" in status) == (2, False, False)
    played.after(3)
    assert played.pods() == []
    assert played.rest.get(path_of(made))["status"]["terminating"] == 0


def test_a_job_completes_index_by_index(played: Played) -> None:
    body = job("a", pods=3, suspend=False)
    body["spec"]["template"]["metadata"] = {"annotations": {"double/run-s": "10"}}
    made = played.make(body)
    played.after(10)
    status = played.rest.get(path_of(made))["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (3, "0-2")
    assert {each["type"] for each in status["conditions"]} == {"SuccessCriteriaMet", "Complete"}


def test_a_ray_job_runs_whole_and_leaves_nothing_when_suspended(played: Played) -> None:
    made = played.make(ray_job("r", workers=2, devices={DEVICE: 2}))
    assert played.rest.get(path_of(made))["status"]["jobDeploymentStatus"] == "Suspended"
    played.rest.patch(path_of(made), {"spec": {"suspend": False}})
    played.stage.settle()
    status = played.rest.get(path_of(made))["status"]
    assert (status["jobDeploymentStatus"], status["jobStatus"]) == ("Running", "RUNNING")
    assert len(played.pods()) == 4  # a head, two workers, the submitter
    played.rest.patch(path_of(made), {"spec": {"suspend": True}})
    played.stage.settle()
    assert played.pods() == []
    assert played.rest.get(path_of(made))["status"]["jobDeploymentStatus"] == "Suspended"


def test_a_ray_job_ends_with_its_submitter(played: Played) -> None:
    body = ray_job("r", suspend=False)
    body["metadata"]["annotations"] = {"double/run-s": "60"}
    made = played.make(body)
    played.after(60)
    status = played.rest.get(path_of(made))["status"]
    assert (status["jobDeploymentStatus"], status["jobStatus"]) == ("Complete", "SUCCEEDED")
    assert [each for each in played.pods() if each["status"]["phase"] == "Running"] == []


def test_a_deployment_rolls_out_and_scales_down_by_cost(played: Played) -> None:
    made = played.make(deployment("d", replicas=3))
    before = {each["metadata"]["name"] for each in played.pods()}
    cheap = sorted(before)[1]
    cost = {"metadata": {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-100"}}}
    played.rest.patch(path("v1", "pods", SPACE, cheap), cost)
    played.rest.patch(path_of(made, "scale"), {"spec": {"replicas": 2}})
    played.stage.settle()
    assert {each["metadata"]["name"] for each in played.pods()} == before - {cheap}
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example.org/image:2"}]}}}}
    played.rest.patch(path_of(made), image, "strategic")
    played.stage.settle()
    assert {each["spec"]["containers"][0]["image"] for each in played.pods()} == {"example.org/image:2"}
    assert played.rest.get(path_of(made))["status"]["updatedReplicas"] == 2


def test_a_silent_node_is_tainted_and_its_pods_stay_until_it_is_back(played: Played) -> None:
    played.cast.kubelets.heartbeats = True
    played.make(pod("p", nodeSelector={"kubernetes.io/hostname": "n1"}))
    played.cast.kubelets.lost.add("n1")
    for _ in range(6):
        played.after(10)
    found = played.rest.get("/api/v1/nodes/n1")
    assert {taint["effect"] for taint in found["spec"]["taints"]} == {"NoSchedule", "NoExecute"}
    played.after(300)
    assert "deletionTimestamp" in played.pods()[0]["metadata"]
    played.after(60)
    assert len(played.pods()) == 1
    played.cast.kubelets.lost.clear()
    played.after(10)
    assert played.pods() == []
    assert "taints" not in played.rest.get("/api/v1/nodes/n1")["spec"]


def test_a_cordoned_node_takes_no_more(played: Played) -> None:
    for name in ("n1", "n2"):
        played.rest.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
    played.make(pod("p"))
    assert "2 node(s) were unschedulable" in scheduled(played.pods()[0])["message"]


def test_deleting_a_job_without_a_policy_leaves_its_pods(played: Played) -> None:
    made = played.make(job("a", suspend=False))
    played.rest.delete(path_of(made))
    played.stage.settle()
    assert [each["metadata"].get("ownerReferences") for each in played.pods()] == [None]


SETS = {"JobSet": job_set("s", groups={"a": 1, "b": 2}), "TrainJob": train_job("s", nodes=3)}


@pytest.mark.parametrize("made", SETS.values(), ids=SETS)
def test_sets_of_jobs_are_resumed_and_suspended_as_a_whole(played: Played, made: dict[str, Any]) -> None:
    there = played.make(made)
    assert played.pods() == []
    played.rest.patch(path_of(there), {"spec": {"suspend": False}})
    played.stage.settle()
    assert phases(played.pods()) == ["Running"] * 3
    assert {each["metadata"]["labels"]["jobset.sigs.k8s.io/jobset-name"] for each in played.pods()} == {"s"}
    played.rest.patch(path_of(there), {"spec": {"suspend": True}})
    played.stage.settle()
    assert played.pods() == []
    conditions = played.rest.get(path_of(there))["status"]["conditions"]
    assert [(each["type"], each["status"]) for each in conditions] == [("Suspended", "True")]


def test_a_job_set_takes_over_what_its_template_says_when_it_resumes(played: Played) -> None:
    there = played.make(job_set("s", groups={"a": 1}))
    where = "/spec/replicatedJobs/0/template/spec/template/spec/schedulingGates"
    gate = [{"op": "add", "path": where, "value": [{"name": "headroom/wait"}]}]
    played.rest.patch(path_of(there), [*gate, {"op": "replace", "path": "/spec/suspend", "value": False}], "json")
    played.stage.settle()
    assert scheduled(played.pods()[0])["reason"] == "SchedulingGated"


def test_a_train_job_completes_with_its_nodes(played: Played) -> None:
    body = train_job("t", nodes=1, suspend=False)
    there = played.make(body)
    done = {"metadata": {"annotations": {"double/run-s": "0"}}}
    played.rest.patch(path("v1", "pods", SPACE, played.pods()[0]["metadata"]["name"]), done)
    played.stage.settle()
    conditions = played.rest.get(path_of(there))["status"]["conditions"]
    assert [(each["type"], each["status"]) for each in conditions] == [("Complete", "True")]


def test_a_namespace_that_is_deleted_is_emptied_first(played: Played) -> None:
    played.make(pod("p"))
    played.make(job("j", suspend=False))
    answered = played.rest.delete(f"/api/v1/namespaces/{SPACE}")
    assert answered["status"]["phase"] == "Terminating"
    played.stage.settle()
    assert [each["metadata"]["name"] for each in played.rest.list("/api/v1/namespaces")] == ["default"]
    assert played.pods() == []
