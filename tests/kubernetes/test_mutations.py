"""A double that breaks a rule is found out: each mutation makes the transcripts, or the watches, differ."""

from collections.abc import Callable
from typing import Any

import pytest

from simulations.kubernetes import api as api_module
from simulations.kubernetes import deleting, merging, writing
from simulations.kubernetes.manifests import namespace
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.rules import jobs, pods
from simulations.kubernetes.store import Store
from simulations.kubernetes.transport import client
from tests.kubernetes.conftest import fresh_api
from tests.kubernetes.replaying import RECORDINGS, play_transcript
from tests.kubernetes.test_watches import opened, read

NOTHING: Callable[..., list[Any]] = lambda *_: []  # noqa: E731  # named for the table below
FIRST, SECOND = "transcript.jsonl.gz", "transcript-8.jsonl.gz"
KNOWN = {FIRST: 7, SECOND: 25}  # the bodies that differ unbroken
ONLY_IN_SECOND = {
    "gates may be added",
    "selectors of gated pods may change",
    "completions may change alone",
    "bodies of another kind are taken",
}

MUTATIONS = {
    "gates may be added": (pods, "_gate_causes", NOTHING),
    "selectors of gated pods may change": (pods, "_selector_causes", NOTHING),
    "templates of running jobs may change": (jobs, "_template_causes", NOTHING),
    "completions may change alone": (jobs, "_completion_causes", NOTHING),
    "stale versions are taken": (writing, "check_versions", lambda *_, **__: None),
    "names may be taken twice": (writing.Writer, "_refuse_taken", lambda *_: None),
    "generations are not counted": (writing, "counts", lambda *_: False),
    "labels may be anything": (writing, "update_causes", lambda *_: []),
    "a failing test of a patch passes": (merging, "_read", lambda *_, **__: None),
    "preconditions of deletes are ignored": (deleting, "check_preconditions", lambda *_: None),
    "jobs take their pods along": (deleting, "_orphans_by_default", lambda *_: False),
    "bodies of another kind are taken": (api_module, "check_kind", lambda *_: None),
}


def differing(transcript: str) -> int:
    """Return how many answers of a transcript differ; one that crashes does."""
    api = fresh_api()
    Rest(client(api)).create(namespace("seed"))
    total = 0
    try:
        for each in play_transcript(api, transcript):
            total += not (each.same_status and each.same_body)
    except (KeyError, TypeError, IndexError, ValueError):
        total += 1000
    return total


@pytest.mark.skipif(not RECORDINGS.exists(), reason=f"the recordings are not at {RECORDINGS}")
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_rule_is_found_out(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, instead = MUTATIONS[name]
    monkeypatch.setattr(where, what, instead)
    transcript = SECOND if name in ONLY_IN_SECOND else FIRST
    assert differing(transcript) > KNOWN[transcript]


def test_without_410_a_watch_would_go_on_from_any_version(monkeypatch: pytest.MonkeyPatch) -> None:
    api = fresh_api()
    api.store.restart()
    assert next(read(opened(api, "resourceVersion=1").start()))["object"]["code"] == 410
    monkeypatch.setattr(Store, "unwatchable", lambda *_: False)
    assert opened(api, "resourceVersion=1").start() == []
