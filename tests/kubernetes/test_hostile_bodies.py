"""Bodies that are no objects of their kind are answered with a 4xx, never with a crash of the double."""

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.kubernetes.manifests import deployment, job, node, pod, ray_job
from simulations.kubernetes.rest import PLURALS, path
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api

BODIES = [pod("a", schedulingGates=[{"name": "a/b"}]), job("a"), deployment("a"), ray_job("a"), node("a")]
JUNK = st.sampled_from([None, 1, -1, "x", True, [], {}, [{}], [None], {"a": 1}, ["x"], 1.5])
FORMS = st.sampled_from(["application/merge-patch+json", "application/strategic-merge-patch+json"])


def places(body: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where anything stands in a body."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [found for key, value in items for found in [(*way, key), *places(value, (*way, key))]]


def spoilt(body: dict[str, Any], way: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return a body with something else at one place."""
    made = deepcopy(body)
    inside: Any = made
    for step in way[:-1]:
        inside = inside[step]
    inside[way[-1]] = value
    return made


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BODIES), st.data(), JUNK, FORMS)
def test_a_spoilt_body_is_taken_or_refused(body: dict[str, Any], data: st.DataObject, value: Any, form: str) -> None:
    rest = client(API)
    space = "" if body["kind"] == "Node" else "default"
    where = path(body["apiVersion"], PLURALS[body["kind"]], space)
    changed = spoilt(body, data.draw(st.sampled_from(places(body))), value)
    created = rest.post(where, json=changed, params={"dryRun": "All"})
    patched = rest.patch(f"{where}/a", json=changed, headers={"Content-Type": form}, params={"dryRun": "All"})
    assert created.status_code < 500
    assert patched.status_code < 500


API = fresh_api()
for made in BODIES:
    client(API).post(
        path(made["apiVersion"], PLURALS[made["kind"]], "" if made["kind"] == "Node" else "default"), json=made
    )
