"""A recorded stream of pods beside that of the actors: a Job starts at its gate, and is suspended while it runs."""

import json
from typing import Any

import pytest

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import SteppedClock
from simulations.kubernetes.manifests import job, namespace, node
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.rest import Rest, path, path_of
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.played import SPACE, Played
from tests.kubernetes.replaying import RECORDINGS, lines_of

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"the recordings are not at {RECORDINGS}")

Seen = tuple[str, Any, Any, Any, Any]


def courses(events: list[dict[str, Any]]) -> list[list[Seen]]:
    """Return what was seen of each pod, in order, up to its end; pods by their index."""
    pods = [event for event in events if event["type"] != "BOOKMARK"]
    names = list(dict.fromkeys(event["object"]["metadata"]["name"] for event in pods))
    found = {name: [seen(event) for event in pods if event["object"]["metadata"]["name"] == name] for name in names}
    ended = {name: course for name, course in found.items() if course[-1][0] == "DELETED"}
    return [ended[name] for name in sorted(ended)]


def seen(event: dict[str, Any]) -> Seen:
    """Return of an event what controllers wrote: gates, grace, phase, finalizers."""
    metadata, body = event["object"]["metadata"], event["object"]
    gated = "schedulingGates" in body["spec"]
    phase = body["status"]["phase"], metadata.get("deletionGracePeriodSeconds")
    return event["type"], gated, body["spec"].get("nodeName") is not None, phase, metadata.get("finalizers")


def played_stream() -> list[dict[str, Any]]:
    """Play the same to the double and return what a watch of its pods saw."""
    clock = SteppedClock()
    rest = Rest(client(api := fresh_api(around=Surroundings(now=clock))))
    rest.create(namespace(SPACE))
    played = Played(api, rest, clock, Cast())
    played.make(node("n1"))
    played.cast.kubelets.stop_s = 2
    gate = [{"name": "headroom/wait"}]
    made = played.make(job("a", pods=2, terminationGracePeriodSeconds=5, schedulingGates=gate))
    pods, version = path("v1", "pods", SPACE), str(api.store.revision)
    played.rest.patch(path_of(made), {"spec": {"suspend": False}})
    played.stage.settle()
    for each in played.pods():
        played.rest.patch(f"{pods}/{each['metadata']['name']}", {"spec": {"schedulingGates": None}})
    played.stage.settle()
    played.rest.patch(path_of(made), {"spec": {"suspend": True}})
    played.stage.settle()
    played.after(2)
    query = {"watch": "1", "resourceVersion": version}
    return [json.loads(line) for line in rest.client.get(pods, params=query).iter_lines()]


def test_each_pod_is_seen_to_go_the_way_that_was_recorded() -> None:
    recorded = next(line for line in lines_of("watch-2.jsonl.gz") if line["name"] == "job.suspend.pods")
    theirs = courses(recorded["events"])[:2]
    mine = courses(played_stream())
    assert [[*map(list, course)] for course in mine] == [[*map(list, course)] for course in theirs]


def test_the_comparison_sees_a_step_that_is_missing() -> None:
    events = played_stream()
    fewer = [event for event in events if event["type"] == "DELETED" or not is_last_write(event)]
    assert len(fewer) < len(events)
    assert courses(fewer) != courses(events)


def is_last_write(event: dict[str, Any]) -> bool:
    """Say whether this is the write before the end: no grace is left."""
    return event["object"]["metadata"].get("deletionGracePeriodSeconds") == 0
