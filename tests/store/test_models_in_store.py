"""Models that were deployed, their revisions and proposals: the same in both stores, and there after a restart."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policies.canary_test import NOTHING_SEEN, Counted
from scheduler.control.model_records import ModelRecord, Proposal, Revision, RevisionCounts, Rollout, RolloutPhase
from scheduler.control.records import EventKind, EventRecord
from scheduler.model.errors import NotFound
from scheduler.model.workloads import ReplicaId
from scheduler.store.sql import SqlStore
from simulations.memory_store import MemoryStore

EVENT = EventRecord(5.0, 3, EventKind.SERVING, "m", "m deployed", actor="ada")
ROLLOUT = Rollout(
    2, 2, 5.0, RolloutPhase.TRYING, 6.0, 1, 7.0, 0.5, 9, paused=True, reason="no", crashes=1,
    seen=(RevisionCounts(9, 1, 2), RevisionCounts(90, 3, 4)), ready=(ReplicaId("m-1"),),
    failures=NOTHING_SEEN.after(Counted(90, 4), Counted(9, 2)), lateness=NOTHING_SEEN.after(Counted(9), Counted(9)),
)  # fmt: skip
RECORD = ModelRecord("m", 1, 1, 2, rollout=ROLLOUT, withdrawn=(3, 4), removing_s=8.0)
FIRST = Revision("m", 1, '{"name": "m"}', "ada", 5.0, "m.yaml", 1)
SECOND = replace(FIRST, number=2, runs=2, changed=("warm_up: 30.0 → 60.0",))


@pytest.mark.parametrize("kept", [True, False], ids=["sql", "memory"])
def test_what_is_saved_is_read_again(kept: bool, url: str, open_store: Callable[[str], SqlStore]) -> None:  # noqa: FBT001  # a table
    store = open_store(url) if kept else MemoryStore()
    store.save_model(ModelRecord("z"), [replace(FIRST, model="z")], [EVENT])
    store.save_model(ModelRecord("m"), [FIRST])
    store.save_model(RECORD, [SECOND, replace(FIRST, fate="took over")])
    read = open_store(url) if kept else store
    assert read.models() == (ModelRecord("z"), RECORD), "in the order of their deployment"
    assert read.revisions("m") == (replace(FIRST, fate="took over"), SECOND)
    assert read.revision("m", 2) == SECOND
    assert read.revisions("nobody") == ()
    assert [event.title for event in read.events()] == ["m deployed"]
    with pytest.raises(NotFound, match="no revision 3 of m"):
        read.revision("m", 3)


@pytest.mark.parametrize("kept", [True, False], ids=["sql", "memory"])
def test_proposals_are_kept_until_they_are_decided(kept: bool, url: str, open_store: Callable[[str], SqlStore]) -> None:  # noqa: FBT001  # a table
    store = open_store(url) if kept else MemoryStore()
    store.propose(Proposal("b", "{}", "ana", 6.0), EVENT)
    store.propose(Proposal("a", "{}", "ana", 5.0), EVENT)
    store.propose(Proposal("b", '{"x": 1}', "ana", 7.0, "b.yaml"), EVENT)
    read = open_store(url) if kept else store
    assert read.proposals() == (Proposal("a", "{}", "ana", 5.0), Proposal("b", '{"x": 1}', "ana", 7.0, "b.yaml"))
    read.drop_proposal("a", EVENT)
    assert [one.name for one in read.proposals()] == ["b"]
    assert len(read.events()) == 4
