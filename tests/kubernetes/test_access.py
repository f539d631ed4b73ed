"""Rights on the double: as user headroom was recorded to have them, and in the words that were recorded."""

from typing import Any

import httpx
import pytest

from simulations.kubernetes.api import Api
from simulations.kubernetes.manifests import job, namespace
from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api, in_namespace

GROUP = "rbac.authorization.k8s.io"


def role(kind: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "headroom"}, "rules": rules}


def binding(kind: str, of: str) -> dict[str, Any]:
    subjects = [{"kind": "User", "name": "headroom", "apiGroup": GROUP}]
    made = {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "headroom"}, "subjects": subjects}
    return made | {"roleRef": {"apiGroup": GROUP, "kind": of, "name": "headroom"}}


@pytest.fixture
def api() -> Api:
    """Give a double on which headroom may read nodes and pods everywhere, and read and patch jobs in one namespace."""
    made = fresh_api()
    rest = Rest(client(made))
    for name in ("team", "other"):
        rest.create(namespace(name))
    reading = [{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]}]
    rest.create(role("ClusterRole", reading))
    rest.create(binding("ClusterRoleBinding", "ClusterRole"))
    jobs = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "patch"]}
    named = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["only"], "verbs": ["get"]}
    rest.create(in_namespace(role("Role", [jobs, named]), "team"))
    rest.create(in_namespace(binding("RoleBinding", "Role"), "team"))
    made.access.tokens = {"secret": "headroom", "root": "system:admin"}
    return made


HEADROOM = "secret"  # the token of the user headroom


def asked(api: Api, where: str, token: str = HEADROOM, method: str = "GET", body: Any = None) -> httpx.Response:
    return client(api, token).request(method, where, json=body)


def test_what_a_rule_allows_is_answered(api: Api) -> None:
    assert asked(api, "/api/v1/pods").status_code == 200
    assert asked(api, path("batch/v1", "jobs", "team")).status_code == 200
    assert asked(api, path("v1", "configmaps", "team", "only")).status_code == 404


REFUSALS = {
    "/apis/batch/v1/jobs": 'jobs.batch is forbidden: {user} list resource "jobs" in API group "batch" {cluster}',
    path("batch/v1", "jobs", "other"): (
        'jobs.batch is forbidden: {user} list resource "jobs" in API group "batch" in the namespace "other"'
    ),
    path("v1", "configmaps", "team", "other"): (
        'configmaps "other" is forbidden: {user} get resource "configmaps" in API group "" in the namespace "team"'
    ),
    "/apis/nope.io/v1/things": (
        'things.nope.io is forbidden: {user} list resource "things" in API group "nope.io" {cluster}'
    ),
    "/metrics": 'forbidden: {user} get path "/metrics"',
}


@pytest.mark.parametrize("where", REFUSALS)
def test_what_none_allows_is_refused_before_it_is_looked_for(api: Api, where: str) -> None:
    said = REFUSALS[where].format(user='User "headroom" cannot', cluster="at the cluster scope")
    answered = asked(api, where)
    assert (answered.status_code, answered.json()["message"]) == (403, said)


@pytest.mark.parametrize(
    ("part", "method", "said"),
    [
        ("status", "PATCH", 'cannot patch resource "pods/status"'),
        ("eviction", "POST", 'cannot create resource "pods/eviction"'),
        ("binding", "POST", 'cannot create resource "pods/binding"'),
    ],
)
def test_parts_of_a_pod_have_rights_of_their_own(api: Api, part: str, method: str, said: str) -> None:
    answered = asked(api, path("v1", "pods", "team", "x", part), method=method, body={})
    assert answered.status_code == 403
    assert said in answered.json()["message"]


def test_creation_needs_its_own_right_and_an_administrator_has_all(api: Api) -> None:
    where = path("batch/v1", "jobs", "team")
    assert asked(api, where, method="POST", body=job("a")).status_code == 403
    assert asked(api, where, "root", "POST", job("a")).status_code == 201


def test_no_token_is_anonymous_and_an_unknown_one_is_nobody(api: Api) -> None:
    anonymous = asked(api, "/api/v1/pods", token="")
    assert (anonymous.status_code, "system:anonymous" in anonymous.json()["message"]) == (403, True)
    assert asked(api, "/api/v1/pods", token="zzz").status_code == 401  # noqa: S106  # a token that nobody knows


def test_reviews_say_what_one_may(api: Api) -> None:
    group = "authorization.k8s.io/v1"
    wanted = {"namespace": "team", "verb": "patch", "group": "batch", "resource": "jobs"}
    body = {"apiVersion": group, "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": wanted}}
    where = f"/apis/{group}/selfsubjectaccessreviews"
    assert asked(api, where, method="POST", body=body).json()["status"]["allowed"] is True
    wanted["verb"] = "delete"
    assert asked(api, where, method="POST", body=body).json()["status"]["allowed"] is False
    who = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answered = asked(api, "/apis/authentication.k8s.io/v1/selfsubjectreviews", method="POST", body=who)
    assert answered.json()["status"]["userInfo"]["username"] == "headroom"
