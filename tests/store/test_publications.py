"""What jobs publish: the same in both stores, and open until somebody has seen to it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from scheduler.control.model_records import Publication
from scheduler.control.records import EventKind, EventRecord
from scheduler.model.jobspec import JobSpec, Publishes
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.sql import SqlStore
from simulations.memory_store import MemoryStore

EVENT = EventRecord(5.0, 3, EventKind.TRAINING, "1", "1 lm published an artifact for tone")
PLAIN = JobSpec("lm", "python train.py", Gang(1, Shape(1000)))
SPEC = replace(PLAIN, publishes=Publishes("tone", "out/model", is_deployed=True, data_version="2026-11"))


@pytest.mark.parametrize("kept", [True, False], ids=["sql", "memory"])
def test_it_is_open_until_it_is_seen_to(kept: bool, url: str, open_store: Callable[[str], SqlStore]) -> None:  # noqa: FBT001  # a table
    store = open_store(url) if kept else MemoryStore()
    jobs = [store.accept(spec, 5.0) for spec in (SPEC, PLAIN, SPEC, SPEC)]
    for job, state in zip(jobs, (JobState.SUCCEEDED, JobState.SUCCEEDED, JobState.FAILED), strict=False):
        store.save(replace(job, state=state, finished_at_s=9.0))
    assert [job.job_id for job in store.unpublished()] == ["1"], "another failed, and one waits"
    assert store.unpublished()[0].spec == SPEC
    assert store.publication(JobId("1")) is store.publication(JobId("x")) is None
    made = Publication(JobId("1"), 2, "tone", "ada", 7.0, "sha256:0", 12, 3, "2026-11", is_open=True)
    store.publish(made, [EVENT])
    read = open_store(url) if kept else store
    assert (read.publication(JobId("1")), [job.job_id for job in read.unpublished()]) == (made, ["1"])
    over = replace(made, is_open=False, followed="is revision 2 of tone")
    read.publish(over)
    assert (read.publication(JobId("1")), read.unpublished()) == (over, ())
    assert [event.title for event in read.events()] == [EVENT.title]
