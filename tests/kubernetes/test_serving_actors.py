"""KServe and Knative on a stepped clock: revisions that live side by side, bounds on the Revision, Standard mode."""

from typing import Any

import pytest

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import SteppedClock
from simulations.kubernetes.manifests import inference_service, namespace, node
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path, path_of
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.played import SPACE, Played

DEVICE = "amd.com/gpu"
MIN_SCALE = "autoscaling.knative.dev/min-scale"


@pytest.fixture
def played() -> Played:
    """Give a cluster of one node with two devices."""
    clock = SteppedClock()
    rest = Rest(client(api := fresh_api(around=Surroundings(now=clock))))
    rest.create(namespace(SPACE))
    made = Played(api, rest, clock, Cast())
    made.make(node("n1", devices={DEVICE: 2}))
    return made


def revision(played: Played, number: int) -> dict[str, Any]:
    return played.rest.get(path("serving.knative.dev/v1", "revisions", SPACE, f"m-predictor-{number:05d}"))


def running(played: Played) -> list[str]:
    return sorted(
        each["metadata"]["labels"]["serving.knative.dev/revision"]
        for each in played.pods(fieldSelector="status.phase=Running")
    )


def test_an_inference_service_becomes_a_revision_that_runs(played: Played) -> None:
    made = played.make(inference_service("m", devices={DEVICE: 1}))
    assert running(played) == ["m-predictor-00001"]
    status = played.rest.get(path_of(made))["status"]
    assert status["components"]["predictor"]["latestReadyRevision"] == "m-predictor-00001"
    assert {each["status"] for each in status["conditions"]} == {"True"}


def test_a_rollout_has_both_revisions_until_the_new_one_is_ready(played: Played) -> None:
    made = played.make(inference_service("m", devices={DEVICE: 1}))
    played.cast.kubelets.start_s = 30
    image = [{"op": "replace", "path": "/spec/predictor/containers/0/image", "value": "example.org/image:2"}]
    played.rest.patch(path_of(made), image, "json")
    played.stage.settle()
    phases = sorted(each["status"]["phase"] for each in played.pods())
    assert phases == ["Pending", "Running"]
    played.after(30)
    assert running(played) == ["m-predictor-00002"]


def test_a_rollout_on_a_full_cluster_waits_and_the_old_revision_serves(played: Played) -> None:
    made = played.make(inference_service("m", devices={DEVICE: 2}))
    image = [{"op": "replace", "path": "/spec/predictor/containers/0/image", "value": "example.org/image:2"}]
    played.rest.patch(path_of(made), image, "json")
    played.stage.settle()
    assert running(played) == ["m-predictor-00001"]
    played.after(600)
    ready = next(each for each in revision(played, 2)["status"]["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "ProgressDeadlineExceeded"
    assert running(played) == ["m-predictor-00001"]


def test_a_lower_bound_on_the_revision_scales_without_a_new_revision(played: Played) -> None:
    played.make(inference_service("m", replicas=(1, 2), devices={DEVICE: 1}))
    found = revision(played, 1)
    played.rest.patch(path_of(found), {"metadata": {"annotations": {MIN_SCALE: "2"}}})
    played.stage.settle()
    assert running(played) == ["m-predictor-00001", "m-predictor-00001"]
    assert len(played.rest.list(path("serving.knative.dev/v1", "revisions", SPACE))) == 1
    assert revision(played, 1)["metadata"]["generation"] == 1


def test_traffic_scales_up_to_the_upper_bound(played: Played) -> None:
    played.make(inference_service("m", replicas=(1, 2), devices={DEVICE: 1}))
    played.cast.revisions.loads["m-predictor-00001"] = 5
    played.stage.settle()
    assert len(running(played)) == 2


def test_standard_mode_is_a_deployment_that_is_scaled_from_outside(played: Played) -> None:
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "external"}
    played.make(inference_service("m", annotations=annotations, devices={DEVICE: 1}))
    where = path("apps/v1", "deployments", SPACE, "m-predictor", "scale")
    played.rest.patch(where, {"spec": {"replicas": 2}})
    played.stage.settle()
    assert len(played.pods(fieldSelector="status.phase=Running")) == 2
