"""The actors as clients over HTTP, on the double and on a real server: they know nothing but the API."""

from datetime import UTC, datetime

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.manifests import job, node
from simulations.kubernetes.rest import path, path_of
from tests.kubernetes.conftest import KubernetesApi, in_namespace

STEPS = 12


def test_a_job_is_run_and_suspended_by_clients_of_the_api(api: KubernetesApi) -> None:
    space = api.namespace()
    stage = Cast().stage(api.rest, lambda: datetime.now(UTC))
    pin = {"kubernetes.io/hostname": f"node-of-{space}"}
    made = api.rest.create(node(pin["kubernetes.io/hostname"]))
    try:
        there = api.rest.create(in_namespace(job("a", pods=2, suspend=False, nodeSelector=pin), space))
        for _ in range(STEPS):
            stage.step()
        pods = api.rest.list(path("v1", "pods", space))
        assert [each["status"]["phase"] for each in pods] == ["Running", "Running"]
        assert api.rest.get(path_of(there))["status"]["ready"] == 2
        api.rest.patch(path_of(there), {"spec": {"suspend": True}})
        for _ in range(STEPS):
            stage.step()
        assert api.rest.list(path("v1", "pods", space)) == []
    finally:
        api.rest.delete(path_of(made))
