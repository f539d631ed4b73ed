"""Serving on the double with its controllers: replicas come and go as ordered; a rollout on a full cluster ends."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from scheduler.backends.kubernetes.caches import NODES, PODS, Caches
from scheduler.backends.kubernetes.connection import Form, Refused
from scheduler.backends.kubernetes.nodes import cut_node
from scheduler.backends.kubernetes.pods import cut_pod
from scheduler.backends.kubernetes.reflector import Resource
from scheduler.backends.kubernetes.serving import Serving
from scheduler.backends.kubernetes.serving_part import ServingSeen
from scheduler.control.settings import Declared, Workload
from scheduler.model.errors import ActionFailed
from scheduler.model.plan import StartReplica, StopReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import ReplicaId, ReplicaState, ServingModel
from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import Stage, SteppedClock
from simulations.kubernetes.manifests import deployment, inference_service, namespace, node, pod
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api, in_namespace

SPACE, DEVICE = "edit", "amd.com/gpu"
FORMS = {Form.JSON: "json", Form.MERGE: "merge", Form.STRATEGIC: "strategic"}


class Line:
    """A connection without sockets."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.sent: list[str] = []

    def patch(self, where: str, body: Any, form: Form = Form.JSON) -> Any:
        self.sent.append(where)
        try:
            return self.rest.patch(where, body, FORMS[form])
        except httpx.HTTPStatusError as error:
            raise Refused(f"PATCH {where}", error.response.status_code, error.response.json()) from error


@dataclass
class Site:
    """Two hosts of one device each, a model, and its controllers."""

    rest: Rest
    clock: SteppedClock
    stage: Stage
    line: Line
    cast: Cast
    kind: str = "Deployment"
    serving: Serving = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a control plane does that knows nothing but what the cluster says."""
        model = ServingModel("m", Shape(1000, 1024, 1), max_replicas=1)
        declared = [Declared(model, workload=Workload(self.kind, SPACE, "m"))]
        self.serving = Serving(self.line, declared, self)  # type: ignore[arg-type]  # what it uses of both

    speed = 1.0

    def now_s(self) -> float:
        return self.clock().timestamp()

    def caches(self) -> Caches:
        """Return what a reflector would have."""
        every = (
            Resource(PODS, "/api/v1/pods", cut_pod),
            Resource(NODES, "/api/v1/nodes", cut_node),
            *self.serving.resources,
        )
        return Caches({one.name: dict(self._kept(one)) for one in every})

    def seen(self) -> ServingSeen:
        """Let controllers come to rest and look."""
        self.stage.settle()
        return self.serving.observe(self.caches(), lambda pod: Slot(pod.node, (0,)))

    def start(self, host: str = "n1") -> None:
        self.serving.apply(StartReplica("m", Slot(host, (0,))), self.caches())

    def stop(self, name: str) -> None:
        self.serving.apply(StopReplica(ReplicaId(name), "m", Slot("n1")), self.caches())

    def roll(self) -> None:
        """Have the team roll out a new image."""
        image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example.org/image:2"}]
        self.rest.patch(path("apps/v1", "deployments", SPACE, "m"), image, "json")

    def _kept(self, one: Resource[Any]) -> Iterator[tuple[str, Any]]:
        answer = self.rest.client.get(one.path)
        for body in answer.json()["items"] if answer.is_success else ():
            if (kept := one.cut(body)) is not None:
                yield kept.key, kept


def site_of(workload: dict[str, Any], *hosts: str) -> Site:
    """Return a cluster whose model is run by an object."""
    clock, cast = SteppedClock(), Cast()
    api = fresh_api(around=Surroundings(now=clock))
    rest = Rest(client(api))
    rest.create(namespace(SPACE))
    for name in hosts:
        rest.create(node(name, devices={DEVICE: 1}))
    rest.create(in_namespace(workload, SPACE))
    made = Site(rest, clock, cast.stage(rest, clock), Line(Rest(client(api))), cast, workload["kind"])
    made.stage.settle()
    return made


@pytest.fixture
def site() -> Site:
    return site_of(deployment("m", devices={DEVICE: 1}), "n1", "n2")


@pytest.fixture
def knative() -> Site:
    service = inference_service("m", replicas=(1, 4), devices={DEVICE: 1})
    return site_of(service, *(f"n{at}" for at in range(1, 7)))


def ready(seen: ServingSeen) -> list[str]:
    return [one.slot.host for one in seen.replicas if one.state is ReplicaState.READY]


def test_what_is_started_is_observed_where_the_scheduler_puts_it(site: Site) -> None:
    (first,) = site.seen().replicas
    site.start(host=first.slot.host)
    seen = site.seen()
    assert sorted(ready(seen)) == ["n1", "n2"]
    assert (seen.asked, seen.faults) == ((), ())
    assert seen.pods == {one.replica_id for one in seen.replicas}


@pytest.mark.parametrize("which", [0, 1])
def test_the_replica_that_is_stopped_is_the_one_that_goes(site: Site, which: int) -> None:
    site.start()
    replicas = site.seen().replicas
    site.stop(replicas[which].replica_id)
    assert [one.replica_id for one in site.seen().replicas] == [replicas[1 - which].replica_id]
    site.stop(replicas[which].replica_id)
    assert len(site.seen().replicas) == 1


def test_starts_of_one_turn_are_all_made(site: Site) -> None:
    site.rest.create(node("n3", devices={DEVICE: 4}))
    caches = site.caches()
    for _ in range(3):
        site.serving.apply(StartReplica("m", Slot("n3")), caches)
    assert len(ready(site.seen())) == 4


def test_a_scale_that_somebody_else_has_changed_meanwhile_is_not_overwritten(site: Site) -> None:
    caches = site.caches()
    site.rest.patch(path("apps/v1", "deployments", SPACE, "m", "scale"), {"spec": {"replicas": 2}})
    with pytest.raises(ActionFailed):
        site.serving.apply(StartReplica("m", Slot("n1")), caches)
    assert len(ready(site.seen())) == 2


def test_a_rollout_on_a_full_cluster_is_done_as_soon_as_training_has_made_room(site: Site) -> None:
    """`max_replicas` is 1; the other host is taken by training until the planner, asked for two, stops it."""
    site.rest.create(in_namespace(pod("training", devices={DEVICE: 1}), SPACE))
    site.stage.settle()
    site.roll()
    seen = site.seen()
    assert (len(ready(seen)), seen.asked) == (1, (("m", 2),))
    site.restart()
    assert site.seen().asked == (("m", 2),), "whoever looks says the same"
    site.rest.delete(path("v1", "pods", SPACE, "training"))
    site.start(host="n2")
    seen = site.seen()
    assert (len(ready(seen)), seen.asked, seen.faults) == (1, (), ())
    images = [one["spec"]["containers"][0]["image"] for one in site.rest.list(path("v1", "pods", SPACE))]
    assert (images, site.line.sent) == (["example.org/image:2"], []), "no scale of ours was needed, and none was sent"


def test_killed_between_an_order_and_its_pod_nothing_is_started_twice(site: Site) -> None:
    site.rest.create(in_namespace(pod("training", devices={DEVICE: 1}), SPACE))
    site.stage.settle()
    site.start()
    site.restart()
    assert site.seen().asked == (("m", 2),)
    site.start()
    assert [sent.rpartition("/")[2] for sent in site.line.sent] == ["scale"]
    site.rest.delete(path("v1", "pods", SPACE, "training"))
    assert len(ready(site.seen())) == 2


def test_a_pod_that_dies_is_replaced_without_us(site: Site) -> None:
    (before,) = site.seen().replicas
    (found,) = site.rest.list(path("v1", "pods", SPACE))
    site.rest.delete(path("v1", "pods", SPACE, found["metadata"]["name"]))
    (after,) = site.seen().replicas
    assert before.replica_id != after.replica_id
    assert site.line.sent == []


def revisions(site: Site) -> list[str]:
    return [one["metadata"]["name"] for one in site.rest.list(path("serving.knative.dev/v1", "revisions", SPACE))]


def new_image(site: Site) -> None:
    """Have the team change the InferenceService."""
    image = [{"op": "replace", "path": "/spec/predictor/containers/0/image", "value": "example.org/image:2"}]
    site.rest.patch(path("serving.kserve.io/v1beta1", "inferenceservices", SPACE, "m"), image, "json")


def test_kserve_on_knative_is_scaled_without_a_new_revision(knative: Site) -> None:
    assert len(ready(knative.seen())) == 1
    knative.start()
    knative.start()
    seen = knative.seen()
    assert (len(ready(seen)), seen.asked) == (3, ())
    knative.stop(seen.replicas[0].replica_id)
    after = knative.seen()
    assert [one.replica_id for one in after.replicas] == [one.replica_id for one in seen.replicas[1:]]
    assert revisions(knative) == ["m-predictor-00001"]
    assert {sent.split("/")[-2] for sent in knative.line.sent} == {"revisions", "pods"}


def test_the_autoscaler_above_us_is_asked_for_and_not_undone(knative: Site) -> None:
    knative.cast.revisions.loads["m-predictor-00001"] = 3
    seen = knative.seen()
    assert (len(ready(seen)), seen.asked) == (3, (("m", 3),))
    knative.stop(seen.replicas[0].replica_id)
    assert knative.seen().asked == (("m", 3),), "it is needed, whatever was planned"
    knative.cast.revisions.loads.clear()
    assert knative.seen().asked == ()


def test_a_new_revision_has_as_many_replicas_as_the_old_one_when_it_takes_over(knative: Site) -> None:
    """Its template says one; three serve. What is asked for is started as the planner would, a turn at a time."""
    knative.start()
    knative.start()
    assert len(ready(knative.seen())) == 3
    knative.cast.kubelets.start_s = 60.0
    new_image(knative)
    seen = knative.seen()
    assert seen.asked == (("m", 6),)
    for _ in range(6 - len(seen.replicas)):
        knative.start()
    assert len(knative.seen().replicas) == 6
    fewest = 6
    for _ in range(30):
        knative.clock.advance(5)
        knative.stage.step()
        fewest = min(fewest, len(ready(knative.serving.observe(knative.caches(), lambda pod: Slot(pod.node, (0,))))))
    seen = knative.seen()
    assert (fewest, len(ready(seen)), seen.asked) == (3, 3, ())
    images = {one["spec"]["containers"][0]["image"] for one in knative.rest.list(path("v1", "pods", SPACE))}
    assert images == {"example.org/image:2"}
    assert revisions(knative) == ["m-predictor-00001", "m-predictor-00002"], "the team's, and none of ours"


def test_kserve_in_standard_mode_is_scaled_where_it_says_external() -> None:
    notes = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "external"}
    site = site_of(inference_service("m", annotations=notes, devices={DEVICE: 1}), "n1", "n2")
    site.start()
    assert len(ready(site.seen())) == 2
    del notes["serving.kserve.io/autoscalerClass"]
    other = site_of(inference_service("m", annotations=notes, devices={DEVICE: 1}), "n1", "n2")
    with pytest.raises(ActionFailed, match="not external"):
        other.start()
    assert len(ready(other.seen())) == 1
