"""Both seeded transcripts of a real server, 2,240 requests: every status equal, every body but those listed here.

The lists are exact: a body that comes to differ fails the test, and so does one that no longer does.
"""

from functools import cache

import pytest

from simulations.kubernetes.manifests import namespace
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.replaying import RECORDINGS, Played, play_transcript

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"the recordings are not at {RECORDINGS}")

FIRST, SECOND = "transcript.jsonl.gz", "transcript-8.jsonl.gz"
# The message quotes the server's own Go structs: a difference of two pod specs, or a whole pod template.
QUOTES_GO = {
    FIRST: (297, 384, 524, 535, 548, 590, 622),
    SECOND: (
        58,
        123,
        135,
        162,
        298,
        309,
        381,
        409,
        653,
        705,
        725,
        808,
        842,
        891,
        1043,
        1139,
        1213,
        1344,
        1411,
        1454,
        1480,
        1570,
        1582,
        1587,
    ),
}
# Two causes in an order that is not fixed: two real servers differ here as well.
ORDER_OF_CAUSES = {FIRST: (), SECOND: (1512,)}


@cache
def played(name: str) -> tuple[Played, ...]:
    """Play a transcript to a fresh double."""
    api = fresh_api()
    Rest(client(api)).create(namespace("seed"))
    return tuple(play_transcript(api, name))


@pytest.mark.parametrize(("name", "count"), [(FIRST, 640), (SECOND, 1600)])
def test_every_status_is_that_of_the_real_server(name: str, count: int) -> None:
    exchanges = played(name)
    assert len(exchanges) == count
    assert [(each.recorded["name"], each.code) for each in exchanges if not each.same_status] == []


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_every_body_is_but_for_the_known_ones(name: str) -> None:
    differing = {each.recorded["line"] for each in played(name) if not each.same_body}
    assert differing == {*QUOTES_GO[name], *ORDER_OF_CAUSES[name]}


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_what_differs_has_the_right_reason_and_the_right_first_words(name: str) -> None:
    for each in played(name):
        if each.recorded["line"] in QUOTES_GO[name]:
            theirs = each.recorded["response"]
            assert (each.body["reason"], each.body["details"]["kind"]) == (theirs["reason"], theirs["details"]["kind"])
            assert each.body["message"].split(":")[:2] == theirs["message"].split(":")[:2]
            assert [cause["field"] for cause in each.body["details"]["causes"]] == [
                cause["field"] for cause in theirs["details"]["causes"]
            ]
