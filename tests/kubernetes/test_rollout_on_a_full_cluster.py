"""A rollout where one replica is all a model may have and every device is taken: training makes room and goes on.

The control plane has the rights that are shipped, and no others.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler.config.loading import load_config
from scheduler.model.workloads import JobState
from simulations.kubernetes import manifests
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.rest import path
from simulations.kubernetes.server import Server
from tests.kubernetes.conftest import fresh_api, write_kubeconfig
from tests.kubernetes.rights import OURS, administrator, let_schedule
from tests.kubernetes.test_training_from_kubectl import GPU, Site, four

SERVICES = path("serving.kserve.io/v1beta1", "inferenceservices", "ml")
REVISIONS = path("serving.knative.dev/v1", "revisions", "ml")
CONTAINER = {"name": "kserve-container", "image": "example.org/image:1"}
NEW_IMAGE = [{"op": "replace", "path": "/spec/predictor/containers/0/image", "value": "example.org/image:2"}]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Two hosts of four devices; a model that takes all of one host, by KServe on Knative, and nothing else yet."""
    api = fresh_api()
    rest, cast = administrator(api), Cast()
    rest.create(manifests.namespace("ml"))
    let_schedule(rest, "ml")
    for name in ("gpu-a", "gpu-b"):
        rest.create(manifests.node(name, cpu="16", memory="64Gi", devices={GPU: 4}))
    service = manifests.inference_service("m", devices={GPU: 4})
    rest.create({**service, "metadata": {**service["metadata"], "namespace": "ml"}})
    with Server(api) as server:
        write_kubeconfig(tmp_path / "kubeconfig", server.url, OURS)
        hours = "".join(f"2012-01-{1 + hour // 24:02}T{hour % 24:02}:00:00Z,3600\n" for hour in range(72))
        (tmp_path / "traffic.csv").write_text(f"timestamp,requests\n{hours}")
        text = {
            "cluster": "test",
            "state_dir": str(tmp_path / "state"),
            "backend": {"kind": "kubernetes", "kubeconfig": str(tmp_path / "kubeconfig"), "gather": "2s", "bind": "2s"},
            "traffic": {"t": {"kind": "replay", "file": "traffic.csv"}},
            "models": [
                {
                    "name": "m",
                    "resources": {"cpus": 1, "memory": "1Gi", "gpus": 4},
                    "capacity": {"kind": "rate", "rps_per_replica": 100},
                    "traffic": "t",
                    "workload": {"kind": "InferenceService", "namespace": "ml", "name": "m"},
                }
            ],
        }
        (tmp_path / "cluster.yaml").write_text(json.dumps(text), encoding="utf-8")
        stage = cast.stage(rest, lambda: datetime.now(UTC))
        made = Site(api, rest, cast, stage, load_config(tmp_path / "cluster.yaml"), server)
        made.stage.settle()
        made.open()
        yield made
        made.close()


def serving(site: Site) -> list[tuple[str, str]]:
    """Return image and host of the model's pods that answer."""
    pods = site.rest.list(path("v1", "pods", "ml"), labelSelector="serving.knative.dev/configuration=m-predictor")
    return [
        (pod["spec"]["containers"][0]["image"], pod["spec"]["nodeName"])
        for pod in pods
        if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions") or ())
    ]


def answered(site: Site, holds: Callable[[], object]) -> None:
    """Take turns until something holds, and see that the model answers all the while."""

    def holds_and_answers() -> object:
        assert serving(site), site.told()
        return holds()

    site.until(holds_and_answers)


def test_training_makes_room_for_the_new_revision_and_goes_on_when_the_old_one_is_gone(site: Site) -> None:
    site.until(lambda: len(serving(site)) == 1)
    site.give(four("train", workers=1))
    answered(site, site.is_in("train", JobState.RUNNING))
    site.rest.patch(SERVICES + "/m", NEW_IMAGE, "json")
    answered(site, site.is_in("train", JobState.PREEMPTED))
    answered(site, lambda: [image for image, _ in serving(site)] == ["example.org/image:2"])
    answered(site, site.is_in("train", JobState.RUNNING))
    assert site.job("train").attempts[-1].number == 2
    assert [one["metadata"]["name"] for one in site.rest.list(REVISIONS)] == ["m-predictor-00001", "m-predictor-00002"]
    told = [event.title for event in site.plane.store.events()]
    assert any("train" in title and "m" in title for title in told), told


def test_where_no_role_binding_is_nothing_is_changed_and_it_is_said_why(site: Site) -> None:
    site.rest.delete(path("rbac.authorization.k8s.io/v1", "rolebindings", "ml", "headroom"))
    site.give(four("train", workers=1))
    site.until(lambda: any("is forbidden" in f"{each.title} {each.detail}" for each in site.plane.store.events()))
    assert site.object("jobs", "train")["spec"]["suspend"] is True
    assert site.job("train").state is JobState.PENDING
