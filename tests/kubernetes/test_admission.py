"""What is refused before it is stored: quotas, limits, pod security, policies, in the words that were recorded."""

from typing import Any

import httpx
import pytest

from simulations.kubernetes.manifests import job, namespace, pod, ray_job
from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api, in_namespace

SPACE = "ml"


@pytest.fixture
def rest() -> Rest:
    """Give a client of a double with one namespace."""
    made = Rest(client(fresh_api()))
    made.create(namespace(SPACE))
    return made


def core(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": SPACE}, "spec": spec}


def sized(name: str, **resources: dict[str, str]) -> dict[str, Any]:
    body = in_namespace(pod(name), SPACE)
    body["spec"]["containers"][0]["resources"] = resources
    return body


def refusal(rest: Rest, body: dict[str, Any]) -> tuple[int, str]:
    with pytest.raises(httpx.HTTPStatusError) as refused:
        rest.create(body)
    return refused.value.response.status_code, refused.value.response.json()["message"]


def test_a_quota_counts_gated_pods_and_says_what_is_used(rest: Rest) -> None:
    rest.create(core("ResourceQuota", {"hard": {"requests.cpu": "1", "requests.amd.com/gpu": "2", "pods": "5"}}))
    rest.create(sized("a", requests={"cpu": "600m"}))
    gated = sized("b", requests={"cpu": "600m"})
    gated["spec"]["schedulingGates"] = [{"name": "headroom/wait"}]
    said = 'pods "b" is forbidden: exceeded quota: x, requested: requests.cpu=600m, used: requests.cpu=600m, '
    assert refusal(rest, gated) == (403, said + "limited: requests.cpu=1")
    used = rest.get(path("v1", "resourcequotas", SPACE, "x"))["status"]["used"]
    assert used == {"requests.cpu": "600m", "requests.amd.com/gpu": "0", "pods": "1"}
    rest.delete(path("v1", "pods", SPACE, "a"))
    assert rest.get(path("v1", "resourcequotas", SPACE, "x"))["status"]["used"]["pods"] == "0"


def test_a_quota_wants_to_be_told_what_it_limits(rest: Rest) -> None:
    rest.create(core("ResourceQuota", {"hard": {"limits.cpu": "2"}}))
    body = sized("a", requests={"cpu": "100m"})
    assert refusal(rest, body) == (403, 'pods "a" is forbidden: failed quota: x: must specify limits.cpu for: main')


def test_a_quota_counts_custom_resources(rest: Rest) -> None:
    rest.create(core("ResourceQuota", {"hard": {"count/rayjobs.ray.io": "1"}}))
    rest.create(in_namespace(ray_job("a"), SPACE))
    status, message = refusal(rest, in_namespace(ray_job("b"), SPACE))
    assert status == 403
    assert message.endswith("used: count/rayjobs.ray.io=1, limited: count/rayjobs.ray.io=1")


def test_a_limit_range_fills_in_and_refuses(rest: Rest) -> None:
    container = {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "250m"}}
    container |= {"max": {"cpu": "2"}, "min": {"cpu": "50m"}}
    rest.create(core("LimitRange", {"limits": [container, {"type": "Pod", "max": {"cpu": "3"}}]}))
    filled = rest.create(sized("a"))
    assert filled["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "250m"}, "limits": {"cpu": "500m"}}
    over_default = sized("b", requests={"cpu": "3"})
    assert refusal(rest, over_default)[0] == 422
    over = sized("b", requests={"cpu": "3"}, limits={"cpu": "3"})
    assert refusal(rest, over) == (403, 'pods "b" is forbidden: maximum cpu usage per Container is 2, but limit is 3')
    under = sized("b", requests={"cpu": "10m"})
    assert refusal(rest, under)[1].endswith("minimum cpu usage per Container is 50m, but request is 10m")


def test_restricted_pods_are_refused_and_their_jobs_warned_of(rest: Rest) -> None:
    labels = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    rest.patch(f"/api/v1/namespaces/{SPACE}", labels)
    status, message = refusal(rest, sized("a"))
    assert status == 403
    assert 'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "main"' in message
    answered = rest.client.post(path("batch/v1", "jobs", SPACE), json=job("a"))
    assert answered.status_code == 201
    assert "would violate PodSecurity" in answered.headers["Warning"]
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    good = sized("good")
    good["spec"]["containers"][0]["securityContext"] = {**context, "seccompProfile": {"type": "RuntimeDefault"}}
    assert rest.create(good)["status"]["phase"] == "Pending"


def test_a_policy_demands_that_jobs_are_created_suspended(rest: Rest) -> None:
    rules = [{"apiGroups": ["ray.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["rayjobs"]}]
    constraints = {"resourceRules": rules, "objectSelector": {"matchLabels": {"headroom/queue": "train"}}}
    validation = {
        "expression": "has(object.spec.suspend) && object.spec.suspend == true",
        "message": "create it suspended",
    }
    group, name = "admissionregistration.k8s.io/v1", {"name": "suspended"}
    policy = {"apiVersion": group, "kind": "ValidatingAdmissionPolicy", "metadata": name}
    rest.create(policy | {"spec": {"matchConstraints": constraints, "validations": [validation]}})
    binding = {"apiVersion": group, "kind": "ValidatingAdmissionPolicyBinding", "metadata": name}
    rest.create(binding | {"spec": {"policyName": "suspended", "validationActions": ["Deny"]}})
    labelled = {"headroom/queue": "train"}
    status, message = refusal(rest, in_namespace(ray_job("v", suspend=False, labels=labelled), SPACE))
    assert status == 403
    assert message == (
        "rayjobs.ray.io \"v\" is forbidden: ValidatingAdmissionPolicy 'suspended' with binding 'suspended' denied "
        "request: create it suspended"
    )
    made = rest.create(in_namespace(ray_job("v", labels=labelled), SPACE))
    rest.create(in_namespace(ray_job("other", suspend=False), SPACE))
    assert rest.patch(path("ray.io/v1", "rayjobs", SPACE, made["metadata"]["name"]), {"spec": {"suspend": False}})
