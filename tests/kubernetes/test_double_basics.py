"""The verbs of the API on the double, and on a real server where there is one."""

import json
import threading

import httpx
import pytest

from simulations.kubernetes.manifests import deployment, job, node, pod, ray_job
from simulations.kubernetes.rest import path, path_of
from tests.kubernetes.conftest import Double, KubernetesApi, in_namespace


def refused(error: pytest.ExceptionInfo[httpx.HTTPStatusError]) -> tuple[int, str]:
    """Return status and reason of a refusal."""
    return error.value.response.status_code, error.value.response.json()["reason"]


def test_a_patch_that_tests_three_fields_starts_a_job_once(api: KubernetesApi) -> None:
    made = api.rest.create(in_namespace(job("a", pods=2), api.namespace()))
    tests = [
        {"op": "test", "path": "/metadata/uid", "value": made["metadata"]["uid"]},
        {"op": "test", "path": "/metadata/generation", "value": 1},
        {"op": "test", "path": "/spec/suspend", "value": True},
    ]
    start = [*tests, {"op": "replace", "path": "/spec/suspend", "value": False}]
    assert api.rest.patch(path_of(made), start, "json")["metadata"]["generation"] == 2
    with pytest.raises(httpx.HTTPStatusError) as late:
        api.rest.patch(path_of(made), start, "json")
    assert refused(late) == (422, "Invalid")


def test_a_gated_pod_takes_a_pin_and_no_new_gate(api: KubernetesApi) -> None:
    made = api.rest.create(in_namespace(pod("g", schedulingGates=[{"name": "headroom/wait"}]), api.namespace()))
    assert made["status"]["conditions"][0]["reason"] == "SchedulingGated"
    with pytest.raises(httpx.HTTPStatusError) as gate:
        api.rest.patch(path_of(made), {"spec": {"schedulingGates": [{"name": "headroom/wait"}, {"name": "a/b"}]}})
    assert refused(gate) == (422, "Invalid")
    pinned = {"spec": {"nodeSelector": {"kubernetes.io/hostname": "n1"}, "schedulingGates": None}}
    assert "schedulingGates" not in api.rest.patch(path_of(made), pinned)["spec"]
    with pytest.raises(httpx.HTTPStatusError) as late:
        api.rest.patch(path_of(made), {"spec": {"nodeSelector": {"zone": "a"}}})
    assert refused(late) == (422, "Invalid")


def test_a_stale_version_is_a_conflict(api: KubernetesApi) -> None:
    made = api.rest.create(in_namespace(deployment("d"), api.namespace()))
    api.rest.patch(path_of(made), {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(httpx.HTTPStatusError) as stale:
        api.rest.replace(made)
    assert refused(stale) == (409, "Conflict")


def test_scale_is_read_and_written_below_the_object(api: KubernetesApi) -> None:
    made = api.rest.create(in_namespace(deployment("d", replicas=2), api.namespace()))
    assert api.rest.get(path_of(made, "scale"))["spec"]["replicas"] == 2
    api.rest.patch(path_of(made, "scale"), {"spec": {"replicas": 5}})
    assert api.rest.get(path_of(made))["spec"]["replicas"] == 5


def test_selectors_choose_and_an_unknown_field_is_refused(api: KubernetesApi) -> None:
    space = api.namespace()
    for name, app in (("p1", "a"), ("p2", "b"), ("p3", "c")):
        api.rest.create(in_namespace(pod(name, labels={"app": app}), space))
    pods = path("v1", "pods", space)
    assert [each["metadata"]["name"] for each in api.rest.list(pods, labelSelector="app in (a,c)")] == ["p1", "p3"]
    assert len(api.rest.list(pods, fieldSelector="status.phase!=Running,metadata.name!=p2")) == 2
    with pytest.raises(httpx.HTTPStatusError) as unknown:
        api.rest.list(pods, fieldSelector="spec.hostname=x")
    assert refused(unknown) == (400, "BadRequest")


def test_pages_show_the_state_of_the_first_one(api: KubernetesApi) -> None:
    space = api.namespace()
    made = [api.rest.create(in_namespace(pod(f"p{number}"), space)) for number in range(5)]
    first = api.rest.get(path("v1", "pods", space), limit="2")
    assert first["metadata"]["remainingItemCount"] == 3
    api.rest.delete(path_of(made[2]))
    rest = api.rest.get(path("v1", "pods", space), **{"continue": first["metadata"]["continue"]})
    assert [each["metadata"]["name"] for each in rest["items"]] == ["p2", "p3", "p4"]


def test_a_watch_tells_what_happens(double: Double) -> None:
    space = double.namespace()
    made = double.rest.create(in_namespace(ray_job("r"), space))
    jobs = path("ray.io/v1", "rayjobs", space)
    query = {"watch": "1", "resourceVersion": made["metadata"]["resourceVersion"], "timeoutSeconds": "1"}
    happening = threading.Timer(0.1, lambda: double.direct().patch(path_of(made), {"spec": {"suspend": False}}))
    happening.start()
    with double.rest.client.stream("GET", jobs, params=query) as stream:
        event = json.loads(next(stream.iter_lines()))
    happening.join()
    assert (event["type"], event["object"]["spec"]["suspend"]) == ("MODIFIED", False)


def test_after_a_restart_every_version_is_too_old(double: Double) -> None:
    made = double.rest.create(node("n1"))
    double.api.store.restart()
    query = {"watch": "1", "resourceVersion": made["metadata"]["resourceVersion"], "timeoutSeconds": "1"}
    lines = double.rest.client.get("/api/v1/nodes", params=query).text.splitlines()
    assert [json.loads(line)["object"]["code"] for line in lines] == [410]
