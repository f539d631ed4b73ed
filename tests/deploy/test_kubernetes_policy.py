"""The optional policy on the double: jobs for a queue are made suspended, everybody else's are let be."""

from typing import Any

import httpx
import pytest

from simulations.kubernetes.manifests import job, ray_job
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client
from tests.deploy.conftest import Rendered
from tests.kubernetes.conftest import fresh_api, in_namespace

OURS = {"headroom/queue": "default"}
OWNER = {"apiVersion": "ray.io/v1", "kind": "RayJob", "name": "r", "uid": "1"}


@pytest.fixture
def rest(rendered: Rendered) -> Rest:
    """Return a client of a cluster that has the policy."""
    made = Rest(client(fresh_api()))
    for one in rendered("overlays/admission-policy"):
        made.create(one)
    return made


def owned(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "ownerReferences": [OWNER]}}


@pytest.mark.parametrize(
    ("body", "is_taken"),
    [
        (job("a", suspend=False, labels=OURS), False),
        (ray_job("a", suspend=False, labels=OURS), False),
        (job("a", suspend=True, labels=OURS), True),
        (ray_job("a", suspend=True, labels=OURS), True),
        (job("a", suspend=False), True),
        (owned(job("a", suspend=False, labels=OURS)), True),
    ],
)
def test_jobs_for_a_queue_are_made_suspended(body: dict[str, Any], *, is_taken: bool, rest: Rest) -> None:
    if is_taken:
        assert rest.create(in_namespace(body, "default"))["metadata"]["uid"]
        return
    with pytest.raises(httpx.HTTPStatusError) as refused:
        rest.create(in_namespace(body, "default"))
    assert refused.value.response.status_code in {403, 422}
    assert "is made with suspend: true" in refused.value.response.json()["message"]


def test_what_was_let_go_may_be_changed(rest: Rest) -> None:
    made = rest.create(in_namespace(job("a", suspend=True, labels=OURS), "default"))
    where = f"/apis/batch/v1/namespaces/default/jobs/{made['metadata']['name']}"
    assert rest.patch(where, {"spec": {"suspend": False}})["spec"]["suspend"] is False
