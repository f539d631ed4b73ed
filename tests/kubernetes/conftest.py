"""A Kubernetes API for tests: the double always, a real API server too where there is one.

A test that takes `api` runs on the double and, marked `envtest`, on a real server:

- `HEADROOM_TEST_KUBECONFIG=~/.kube/config`: a cluster whose current context may create and delete anything;
- `KUBEBUILDER_ASSETS=/path/with/etcd/and/kube-apiserver`: both are started for the session.

With neither the second run is skipped and says so. A test that needs the double's switches (clock, faults, tokens)
takes `double` instead.

    def test_something(api: KubernetesApi) -> None:
        space = api.namespace()                       # a namespace of the test's own
        api.rest.create(job("a") | in_namespace(space))
        api.rest.patch(path("batch/v1", "jobs", space, "a"), {"spec": {"suspend": False}})
        api.kubeconfig                                # a file for kubectl or the official client

`api.url` is a real loopback address (uvicorn in a thread), `api.rest` a client of it with an administrator's rights.
`double.api` is the API itself: `double.api.faults`, `double.api.store.restart()`,
`double.api.access.tokens["secret"] = "user"`; `double.direct()` a client without sockets, which is the quickest.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from simulations.kubernetes.api import Api
from simulations.kubernetes.manifests import namespace
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client as direct_client
from tests.kubernetes.real import RealServer, real_server, why_none

_names = count(1)


@dataclass
class KubernetesApi:
    """An API server to test against."""

    url: str
    rest: Rest
    kubeconfig: Path
    real: bool = False
    made: list[str] = field(default_factory=list)

    def namespace(self) -> str:
        """Create a namespace of the test's own and return its name."""
        name = f"test-{os.getpid()}-{next(_names)}"
        self.rest.create(namespace(name))
        self.made.append(name)
        return name


@dataclass
class Double(KubernetesApi):
    """The double, with its switches."""

    api: Api = field(default_factory=Api)
    server: Server | None = None

    def direct(self, token: str = "") -> Rest:
        """Return a client without sockets."""
        return Rest(direct_client(self.api, token))


def in_namespace(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return an object that says in which namespace it belongs."""
    return body | {"metadata": body["metadata"] | {"namespace": name}}


def fresh_api(**more: Any) -> Api:
    """Return a double that knows all kinds it ships with and has the namespace `default`."""
    api = Api(**more)
    rest = Rest(direct_client(api))
    api.definitions.ship()
    rest.create(namespace("default"))
    return api


def write_kubeconfig(where: Path, url: str, token: str = "") -> Path:
    """Write a kubeconfig file for a server without certificates."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "users": [{"name": "test", "user": {"token": token} if token else {}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    where.write_text(yaml.safe_dump(config), encoding="utf-8")
    return where


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    """Serve a fresh double."""
    api = fresh_api()
    with Server(api) as server, httpx.Client(base_url=server.url) as client:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", server.url)
        yield Double(server.url, Rest(client), kubeconfig, api=api, server=server)


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Give the real server, or skip with the reason why there is none."""
    if reason := why_none():
        pytest.skip(reason)
    with real_server(tmp_path_factory.mktemp("real")) as server:
        yield server


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.envtest)])
def api(request: pytest.FixtureRequest) -> Iterator[KubernetesApi]:
    """Give the double, and in a second run the real server."""
    if request.param == "double":
        yield request.getfixturevalue("double")
        return
    server: RealServer = request.getfixturevalue("real")
    found = KubernetesApi(server.url, Rest(server.client), server.kubeconfig, real=True)
    yield found
    for name in found.made:
        server.client.delete(f"/api/v1/namespaces/{name}")
