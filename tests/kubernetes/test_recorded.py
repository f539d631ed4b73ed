"""The recorded exchanges of two real servers that can be played one by one: each upon the state recorded before it.

The lists of what differs are exact: a body or status that comes to differ fails the test, and one that no longer does.
"""

from functools import cache

import pytest

from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.replaying import RECORDINGS, Played, play_recording

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"the recordings are not at {RECORDINGS}")

FIRST, SECOND = "api.jsonl.gz", "api-2.jsonl.gz"
PLAYED = {FIRST: 162, SECOND: 254}
# What these depend on was not recorded: a compaction, a label, a binding, rights, another's write.
STATE_UNKNOWN = {
    FIRST: {"178"},
    SECOND: {"list.continue.expired", "psa.pod", "vap.warn", "scale.put"},
}
BODIES_DIFFER = {
    # the message quotes Go structs, or an empty map where the double has nothing
    FIRST: {"132", "139", "135"},
    SECOND: {
        # the message quotes Go structs, or the whole object with its managedFields, or what a CEL parser says
        "job.tmpl.image", "job.tmpl.running", "job.tmpl.running.gates", "gate.selector.ungated", "gate.priority",
        "gate.resources", "pod.spec.change", "pod.grace.change", "lease.second", "ray.status.strict",
        "ray.unknown.strict", "vap.badcel",
        # the letters behind a generated name
        "create.generate", "event.core.min", "event.core.node.default",
        # what controllers had written in between was not recorded
        "job.status.bad", "job.backoff", "quota.raise", "scale.down", "scale.zero", "rollout.start", "sar",
        # several checks of one field, told one by one by the real server
        "job.selector.immutable",
        # an excerpt that the recorder made itself
        "patch.apply.suspend",
    },
}  # fmt: skip


@cache
def played(name: str) -> tuple[Played, ...]:
    """Play a recording to a fresh double."""
    return tuple(play_recording(fresh_api(), name))


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_statuses_are_those_of_the_real_server(name: str) -> None:
    assert len(played(name)) == PLAYED[name]
    assert {each.recorded["name"] for each in played(name) if not each.same_status} == STATE_UNKNOWN[name]


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_bodies_are_but_for_the_known_ones(name: str) -> None:
    differing = {each.recorded["name"] for each in played(name) if each.same_status and not each.same_body}
    assert differing == BODIES_DIFFER[name]
