"""What the double answers and the actors write, by the published schemas of the built-in kinds, strictly."""

import re
from typing import Any

import kubernetes_validate
import pytest

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.mirror import DEPLOYMENTS, EVENTS, JOBS, LEASES, NODES, PODS, REPLICA_SETS
from simulations.kubernetes.actors.stage import SteppedClock
from simulations.kubernetes.manifests import deployment, inference_service, job, namespace, node, ray_job
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.played import SPACE, Played

VERSIONS = ("1.34", "1.37")


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    """Play a day in a small cluster and return every built-in object that is there at its end."""
    clock = SteppedClock()
    api = fresh_api(around=Surroundings(now=clock))
    rest = Rest(client(api))
    rest.create(namespace(SPACE))
    rest.create(namespace("kube-node-lease"))
    played = Played(api, rest, clock, Cast())
    played.cast.kubelets.heartbeats = True
    played.make(node("n1", devices={"amd.com/gpu": 4}))
    for body in (deployment("d", replicas=2), job("j", pods=2, suspend=False), job("held"), inference_service("m")):
        played.make(body)
    played.make(ray_job("r", suspend=False, devices={"amd.com/gpu": 9}))
    found = []
    for resource in (PODS, NODES, JOBS, DEPLOYMENTS, REPLICA_SETS, LEASES, EVENTS):
        answered = rest.get(path(*resource))
        kind = {"apiVersion": resource[0], "kind": answered["kind"].removesuffix("List")}
        found += [kind | item for item in answered["items"]]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_all_that_is_there_fits_the_schemas(everything: list[dict[str, Any]], version: str) -> None:
    kinds = {body["kind"] for body in everything}
    assert kinds == {"Pod", "Node", "Job", "Deployment", "ReplicaSet", "Lease", "Event"}
    for body in everything:
        kubernetes_validate.validate(without_nulls(body), version, strict=True)


def without_nulls(value: Any) -> Any:
    """Return a body without the nulls that the server writes and the schemas do not know."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def test_every_name_and_time_has_its_form(everything: list[dict[str, Any]]) -> None:
    for body in everything:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", body["metadata"]["name"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["metadata"]["creationTimestamp"])
