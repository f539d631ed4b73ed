"""A submission that is sent again is the same job, and totals are what all attempts come to, kept or dropped."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.control.records import AttemptRecord, EventKind, EventRecord, JobRecord, Once, Outcome
from scheduler.model.errors import Conflict
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Cause
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.sql import SqlStore
from simulations.memory_store import MemoryStore

SPEC = JobSpec("lm", "run", Gang(1, Shape(1000)))
ONCE = Once("ada", "key", "digest", 100.0)


@pytest.fixture(params=["sqlite", "postgresql", "memory"])
def any_store(
    request: pytest.FixtureRequest, tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> SqlStore | MemoryStore:
    """Return a store of each kind."""
    match request.param:
        case "memory":
            return MemoryStore()
        case "sqlite":
            return open_store(f"sqlite:///{tmp_path}/state.db")
        case _:
            return open_store(request.getfixturevalue("postgresql_url"))


def told(job: JobRecord) -> EventRecord:
    return EventRecord(1.0, 0, EventKind.TRAINING, job.job_id, f"{job.job_id} accepted", actor="ada")


def test_the_same_key_is_the_same_job_and_told_once(any_store: SqlStore | MemoryStore) -> None:
    assert any_store.submitted(ONCE) is None
    first = any_store.accept(SPEC, 1.0, once=ONCE, told=told)
    assert any_store.accept(SPEC, 2.0, once=ONCE, told=told) == first == any_store.submitted(ONCE)
    assert [(event.title, event.actor) for event in any_store.events()] == [("1 accepted", "ada")]
    assert any_store.accept(SPEC, 3.0, once=replace(ONCE, key="other")).job_id == "2"
    assert any_store.accept(SPEC, 3.0, once=replace(ONCE, owner="bob")).job_id == "3"


def test_an_origin_is_one_job_and_told_once(any_store: SqlStore | MemoryStore) -> None:
    spec = replace(SPEC, origin="ray/lm")
    first = any_store.accept(spec, 1.0, told=told)
    assert any_store.accept(replace(spec, name="edited"), 2.0, told=told) == first == any_store.job(first.job_id)
    assert any_store.accept(replace(spec, origin="ray/other"), 3.0).job_id == "2"
    assert any_store.accept(SPEC, 4.0).job_id == "3"
    assert any_store.accept(SPEC, 5.0).job_id == "4", "those of nowhere are never the same"
    assert any_store.origins() == {"ray/lm", "ray/other"}
    assert len(any_store.events()) == 1


def test_an_origin_is_never_used_twice_even_when_its_job_is_pruned(
    url: str, open_store: Callable[[str], SqlStore]
) -> None:
    store = open_store(url)
    spec = replace(SPEC, origin="ray/lm")
    done = store.accept(spec, 1.0)
    store.save(replace(done, state=JobState.SUCCEEDED, finished_at_s=2.0))
    store.accept(SPEC, 3.0)
    assert store.archive.drop_jobs([done.job_id], 10.0, 20.0) == 1
    with pytest.raises(Conflict, match="ray/lm was job 1, which is no longer kept"):
        store.accept(spec, 30.0)
    assert store.origins() == {"ray/lm"}


def test_a_key_stands_for_one_submission_only(any_store: SqlStore | MemoryStore) -> None:
    any_store.accept(SPEC, 1.0, once=ONCE)
    for ask in (any_store.submitted, lambda once: any_store.accept(SPEC, 1.0, once=once)):
        with pytest.raises(Conflict, match='key "key" was used for job 1'):
            ask(replace(ONCE, digest="another"))
    assert len(any_store.jobs()) == 1


def test_a_job_that_has_changed_since_is_still_the_same(any_store: SqlStore | MemoryStore) -> None:
    job = any_store.accept(SPEC, 1.0, once=ONCE)
    done = replace(job, state=JobState.STOPPED, finished_at_s=2.0)
    any_store.save(done)
    assert any_store.submitted(ONCE) == done


def test_a_key_is_forgotten_in_time(any_store: SqlStore | MemoryStore) -> None:
    any_store.accept(SPEC, 1.0, once=ONCE)
    any_store.accept(SPEC, 101.0)
    assert any_store.submitted(ONCE) is None
    assert any_store.accept(SPEC, 102.0, once=ONCE).job_id == "3"


def test_a_key_outlives_the_process(url: str, open_store: Callable[[str], SqlStore]) -> None:
    open_store(url).accept(SPEC, 1.0, once=ONCE)
    assert open_store(url).accept(SPEC, 2.0, once=ONCE).job_id == "1"


LIVES = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.lists(
            st.tuples(st.sampled_from(Outcome), st.sampled_from([None, *Cause]), st.booleans(), st.integers(0, 9)),
            max_size=4,
        ),
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=LIVES)
def test_totals_are_what_all_attempts_come_to(store: SqlStore, lives: list[tuple[int, list[tuple]]]) -> None:
    jobs = [store.accept(SPEC, 0.0) for _ in range(3)]
    before = Counter[tuple]()
    lost_before = Counter[tuple]()
    for total in store.attempt_totals():
        before[total.outcome, total.stop_cause, total.saved] = total.attempts
        lost_before[total.outcome, total.stop_cause, total.saved] = total.lost_gpu_s
    last: dict[int, list[tuple]] = {}
    for which, attempts in lives:
        job = jobs[which - 1]
        last[which] = attempts
        store.save(replace(job, attempts=tuple(_attempt(job.job_id, n, a) for n, a in enumerate(attempts, 1))))
    for outcome, cause, saved, lost_gpu_s in (each for attempts in last.values() for each in attempts):
        before[outcome, cause, saved] += 1
        lost_before[outcome, cause, saved] += lost_gpu_s
    found = {(t.outcome, t.stop_cause, t.saved): (t.attempts, t.lost_gpu_s) for t in store.attempt_totals()}
    assert found == {kind: (count, lost_before[kind]) for kind, count in before.items() if count}


def _attempt(job_id: JobId, number: int, drawn: tuple[Outcome, Cause | None, bool, int]) -> AttemptRecord:
    outcome, cause, saved, lost = drawn
    step, slots = 7 if saved else None, (Slot("a", (0,)),)
    return AttemptRecord(
        job_id, number, slots, 1.0, outcome=outcome, stop_cause=cause, checkpoint_step=step, lost_gpu_s=float(lost)
    )
