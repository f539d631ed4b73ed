"""Objects in, models out: each thing that a service says is taken over, or said to be left out."""

from typing import Any

import pytest

from scheduler.backends.kubernetes.importing import Imported, imported
from scheduler.backends.kubernetes.importing_capacity import Assumed
from scheduler.backends.kubernetes.importing_services import Found


def a_service(name: str = "m", namespace: str = "ns", *, notes: Any = None, **predictor: Any) -> dict[str, Any]:
    return {
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace, "annotations": notes or {}},
        "spec": {"predictor": {"model": {"resources": asks(cpu="1", memory="1Gi")}, **predictor}},
    }


def asks(**requests: str) -> dict[str, Any]:
    return {"requests": {name.replace("_gpu", ".com/gpu"): quantity for name, quantity in requests.items()}}


def a_deployment(name: str, *, labels: Any, replicas: int = 2, notes: Any = None) -> dict[str, Any]:
    pod = {
        "containers": [
            {"name": "a", "resources": asks(cpu="2", memory="1G")},
            {"name": "b", "resources": asks(cpu="100m")},
        ]
    }
    metadata = {"name": name, "namespace": "ns", "labels": labels, "annotations": notes or {}}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas, "template": {"spec": pod}}}


def only(found: Imported) -> Found:
    assert found.left_out == ()
    (model,) = found.models
    return model


@pytest.mark.parametrize(
    ("resources", "section"),
    [
        ({"requests": {"cpu": "1500m", "memory": "8Gi"}}, {"cpus": 1.5, "memory": "8Gi"}),
        ({"limits": {"cpu": "2", "memory": "1.5Gi"}}, {"cpus": 2, "memory": "1536Mi"}),
        ({"requests": {"cpu": 2}, "limits": {"cpu": 4, "memory": "10M"}}, {"cpus": 2, "memory": "10Mi"}),
        (
            {"requests": {"cpu": "1", "memory": "1"}, "limits": {"amd.com/gpu": "2"}},
            {"cpus": 1, "memory": "1Mi", "gpus": 2},
        ),
    ],
)
def test_what_a_pod_asks_for_is_taken_over(resources: Any, section: Any) -> None:
    model = only(imported([a_service(model={"resources": resources})]))
    assert model.section["resources"] == section


def test_containers_beside_the_server_count_too() -> None:
    beside = {"name": "agent", "resources": asks(cpu="500m", memory="1Gi")}
    assert only(imported([a_service(containers=[beside])])).section["resources"] == {"cpus": 1.5, "memory": "2Gi"}


@pytest.mark.parametrize(
    ("predictor", "said"),
    [
        ({"model": {"resources": {}}}, ("asks for no cpu", "asks for no memory")),
        (
            {"model": {"resources": {"limits": {"cpu": 1, "memory": "1Gi", "amd.com/cpx_nps4": 1}}}},
            (
                "amd.com/cpx_nps4 must stand in backend.devices",
                "amd.com/cpx_nps4 is a part of a device: say its gpu_memory",
            ),
        ),
        (
            {"model": {"resources": {"limits": {"cpu": 1, "memory": "1Gi", "rdma/hca": 1}}}},
            ("rdma/hca is no device that Headroom knows",),
        ),
    ],
)
def test_what_is_not_said_or_not_taken_over_is_remarked(predictor: Any, said: tuple[str, ...]) -> None:
    remarks = only(imported([a_service(**predictor)])).remarks
    assert remarks[: len(said)] == said


def test_where_its_pods_may_go_is_left_to_the_workload_but_for_the_model_of_the_device() -> None:
    selector = {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "zone": "a"}
    resources = only(imported([a_service(nodeSelector=selector)])).section["resources"]
    assert resources == {"cpus": 1, "memory": "1Gi", "gpu_model": "MI300X"}


@pytest.mark.parametrize(
    ("notes", "is_watched"),
    [
        ({}, False),
        ({"serving.kserve.io/deploymentMode": "Serverless"}, False),
        ({"serving.kserve.io/deploymentMode": "Standard"}, True),
        ({"serving.kserve.io/deploymentMode": "RawDeployment", "serving.kserve.io/autoscalerClass": "keda"}, True),
        ({"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "external"}, False),
    ],
)
def test_what_headroom_may_not_scale_is_watched(notes: dict[str, str], *, is_watched: bool) -> None:
    model = only(imported([a_service(notes=notes)]))
    assert model.section["workload"] == {"kind": "InferenceService", "namespace": "ns", "name": "m"}
    assert model.section.get("served_elsewhere", False) is is_watched
    assert any("Headroom only watches" in said for said in model.remarks) is is_watched


@pytest.mark.parametrize(
    ("predictor", "notes", "rule"),
    [
        ({"scaleMetric": "rps", "scaleTarget": 15}, {}, {"kind": "rate", "rps_per_replica": 15}),
        (
            {},
            {"autoscaling.knative.dev/metric": "rps", "autoscaling.knative.dev/target": "2.5"},
            {"kind": "rate", "rps_per_replica": 2.5},
        ),
        (
            {"scaleMetric": "concurrency", "scaleTarget": 5},
            {"headroom/rps-per-replica": "7"},
            {"kind": "rate", "rps_per_replica": 7},
        ),
        ({"scaleMetric": "cpu", "scaleTarget": 80}, {}, {"kind": "rate", "rps_per_replica": 3}),
        ({"scaleMetric": "rps", "scaleTarget": 0}, {}, {"kind": "rate", "rps_per_replica": 3}),
    ],
)
def test_the_target_of_the_autoscaler_becomes_the_capacity(predictor: Any, notes: Any, rule: Any) -> None:
    assert only(imported([a_service(notes=notes, **predictor)], Assumed(rps=3.0))).section["capacity"] == rule


@pytest.mark.parametrize(
    ("predictor", "at_once"),
    [({"scaleTarget": 5}, 5), ({"scaleTarget": 5, "containerConcurrency": 2}, 2), ({"containerConcurrency": 4}, 4)],
)
def test_a_target_of_concurrency_is_a_queue_with_an_assumed_service_time(predictor: Any, at_once: int) -> None:
    model = only(imported([a_service(**predictor)], Assumed(service_time="200ms")))
    assert (model.section["capacity"]["kind"], model.section["capacity"]["concurrency"]) == ("erlang-c", at_once)
    assert "service_time 200ms and latency_objective 2s are assumed" in model.remarks


@pytest.mark.parametrize(
    ("predictor", "notes", "bounds"),
    [
        ({"minReplicas": 2, "maxReplicas": 5}, {}, (2, 5)),
        ({"minReplicas": 0, "maxReplicas": 1}, {}, (0, 1)),
        ({"minReplicas": 4}, {}, (4, 4)),
        ({}, {"autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/max-scale": "3"}, (2, 3)),
        ({"maxReplicas": 0}, {}, (1, 1)),
    ],
)
def test_bounds_are_those_of_the_service(predictor: Any, notes: Any, bounds: tuple[int, int]) -> None:
    model = only(imported([a_service(notes=notes, **predictor)]))
    assert (model.section["min_replicas"], model.section["max_replicas"]) == bounds
    assert any("it has no limit" in said for said in model.remarks) is (bounds in {(4, 4), (1, 1)})


def test_annotations_say_what_kserve_has_no_word_for() -> None:
    model = only(imported([a_service(notes={"headroom/warm-up": "20m", "headroom/community": "true"})]))
    assert (model.section["warm_up"], model.section["community"]) == ("20m", True)
    assert not any("warm_up" in said for said in model.remarks)


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (a_service(notes={"serving.kserve.io/stop": "true"}), "it is stopped (serving.kserve.io/stop)"),
        (
            a_service(notes={"serving.kserve.io/deploymentMode": "ModelMesh"}),
            "ModelMesh puts several models into one pod",
        ),
        (a_service(workerSpec={"size": 2}), "a replica is several pods (workerSpec); they count as other work"),
        (a_service(model=None), "its predictor has neither a model nor containers"),
        (a_service(model="x", nodeSelector=3, containers=[{}]), "it is not what its kind looks like: "),
    ],
)
def test_what_cannot_be_a_model_is_left_out_with_the_reason(service: Any, why: str) -> None:
    found = imported([service])
    assert found.models == ()
    assert found.left_out[0].what == "InferenceService ns/m"
    assert found.left_out[0].why.startswith(why)


def test_only_deployments_with_our_label_are_models() -> None:
    labelled = a_deployment("web", labels={"headroom/model": "tone"}, replicas=3)
    found = imported([labelled, a_deployment("other", labels={}), {"kind": "Node", "metadata": {"name": "h"}}])
    model = only(found)
    assert (model.name, model.service) == ("tone", "web")
    assert model.section["resources"] == {"cpus": 2.1, "memory": "954Mi"}
    assert (model.section["min_replicas"], model.section["max_replicas"]) == (1, 3)
    assert model.section["workload"] == {"kind": "Deployment", "namespace": "ns", "name": "web"}
    assert "served_elsewhere" not in model.section
    most = a_deployment("web", labels={"headroom/model": "tone"}, notes={"headroom/max-replicas": "9"})
    assert only(imported([most])).section["max_replicas"] == 9


def test_another_autoscaler_of_a_deployment_is_named() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    model = only(imported([a_deployment("web", labels={"headroom/model": "tone"}), scaler]))
    assert "HorizontalPodAutoscaler ns/web scales it: Headroom only watches" in model.remarks
    assert model.section["served_elsewhere"] is True


def test_two_of_one_name_get_their_namespaces_before_it() -> None:
    found = imported([a_service("m", "b"), a_service("m", "a"), a_service("n", "a")])
    assert [model.name for model in found.models] == ["a-m", "b-m", "n"]
    clash = imported([a_service("m", "b"), a_service("m", "a"), a_service("a-m", "c"), a_service("x" * 70)])
    assert [model.name for model in clash.models] == ["b-m"]
    assert len(clash.left_out) == 3


def test_lists_are_taken_apart() -> None:
    bare = [{**a_service(name)} for name in ("a", "b")]
    for one in bare:
        del one["kind"]
    assert len(imported([{"kind": "InferenceServiceList", "items": bare}]).models) == 2
