"""Cycles written as changes come back as the cycles they were, from a journal that keeps no more than it says."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Host, HostState, devices_offered
from scheduler.model.plan import Plan, Reason, Unplaced
from scheduler.model.reasons import Reasons
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.work import WorkSeen
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ServingModel, TrainingJob
from scheduler.store import journal
from scheduler.store.changes import Replay, encode_change
from scheduler.store.codec import encode_cycle
from scheduler.store.sql import SqlStore

HOSTS = [Host(f"h{n}", 8000, 8192, devices_offered(2, 1024), "A") for n in range(3)]
LOST = [replace(host, state=HostState.LOST, since_s=5.0) for host in HOSTS]
GANG = Gang(1, Shape(1000, 512, 1))
JOBS = [TrainingJob(JobId(str(n)), f"job{n}", GANG, submitted_at_s=float(n)) for n in range(1, 6)]
HELD = [replace(job, state=JobState.HELD) for job in JOBS]
OTHERS = [(Slot(f"h{n}", (1,)), GANG.shape) for n in range(3)]
MORE = [(slot, Shape(2000, 1024, 1)) for slot, _ in OTHERS]
MODELS = [ServingModel("m", GANG.shape), ServingModel("n", GANG.shape)]
REPLICAS = [Replica(ReplicaId(f"r{n}"), "m", Slot("h0", (n,))) for n in range(2)]
WHY = [Unplaced("", Reason.INSUFFICIENT_DEVICES, f"needs {n}", n, 0, None, ("7",)) for n in range(2)]


def some(first: Sequence[object], second: Sequence[object]) -> st.SearchStrategy[list[object]]:
    """Some of several things, each in one of two states."""
    either = [st.sampled_from([None, one, other]) for one, other in zip(first, second, strict=True)]
    return st.tuples(*either).map(lambda drawn: [one for one in drawn if one is not None])


@st.composite
def cycles(draw: st.DrawFn) -> CycleRecord:
    """One cycle; its number is given later."""
    jobs = draw(some(JOBS, HELD))
    snapshot = Snapshot.of(
        hosts=draw(some(HOSTS, LOST)),
        jobs=jobs,
        models=MODELS[: draw(st.integers(1, 2))],
        replicas=draw(some(REPLICAS, REPLICAS)),
        occupied=draw(some(OTHERS, MORE)),
    )
    work = WorkSeen((GANG.shape,), (draw(st.integers(1, 2)),), (1,), (1,))
    reasons = Reasons(
        [str(job.job_id) for job in snapshot.waiting], [draw(st.sampled_from(WHY)) for _ in snapshot.waiting]
    )
    demand = Demand((ModelDemand("m", 1, 2, draw(st.integers(2, 4))),))
    return CycleRecord(0, 10.0, replace(snapshot, work=work), demand, Plan(0, (), (), reasons), 0.01)


some_cycles = st.lists(cycles(), min_size=1, max_size=7).map(
    lambda made: [replace(cycle, number=number, at_s=10.0 * number) for number, cycle in enumerate(made, 1)]
)


@given(some_cycles)
def test_a_cycle_and_the_changes_after_it_give_every_later_cycle(made: list[CycleRecord]) -> None:
    replay = Replay(encode_cycle(made[0]))
    assert replay.record() == made[0]
    for before, after in pairwise(made):
        replay.follow(encode_change(before, after))
        assert replay.record() == after
        assert replay.record().snapshot.ledger == after.snapshot.ledger


@settings(max_examples=30, deadline=None)
@given(some_cycles, st.sets(st.integers(1, 7)), st.sampled_from([0, 2, 99]))
def test_the_newest_cycles_come_back_whatever_was_written_whole(
    made: list[CycleRecord], restarts: set[int], most_changes: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "MOST_CHANGES", most_changes)
        store = SqlStore(f"sqlite:///{folder}/state.db", cycles_kept=4)
        for cycle in made:
            store.journal(cycle)
            if cycle.number in restarts:
                store.journal(cycle)
                store.close()
                store = SqlStore(f"sqlite:///{folder}/state.db", cycles_kept=4)
        for limit in range(6):
            kept = made[-4:]
            assert store.cycles(limit=limit) == tuple(kept[max(0, len(kept) - limit) :])
        store.close()


def test_a_change_is_much_smaller_than_a_whole_cycle_and_old_ones_go(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    store, jobs = SqlStore(url, cycles_kept=3), [replace(JOBS[0], job_id=JobId(str(n))) for n in range(1, 200)]
    before = Snapshot.of(hosts=HOSTS, jobs=jobs, models=MODELS)
    for number in range(1, 8):
        store.journal(CycleRecord(number, 1.0, before, Demand(), Plan(number), 0.0))
    with create_engine(url).connect() as connection:
        whole = connection.execute(text("SELECT number, length(body) FROM cycles")).all()
        changes = connection.execute(text("SELECT number, length(body) FROM cycle_changes")).all()
    store.close()
    assert [row[0] for row in whole] == [1]
    assert [row[0] for row in changes] == [2, 3, 4, 5, 6, 7]
    assert max(size for _, size in changes) * 3 < whole[0][1]
