"""A journalled cycle is the cycle: every noun comes back equal, the ledger too."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.control.records import CycleRecord
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.errors import ConfigError
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.plan import (
    Cause,
    Plan,
    PreemptJob,
    Reason,
    Reservation,
    StartJob,
    StartReplica,
    StopReplica,
    Unplaced,
)
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.store.codec import decode_cycle, encode_cycle, read_journal, write_journal

HALF = Shape(500, 256, 1, 500, frozenset({"MI210"}), 1024, (("pool", "gpu"),))
SLOT = Slot("a", (1,))
PROMISE = Reservation("edit-check", (SLOT,), 50.0, 950.0)


@pytest.fixture
def cycle() -> CycleRecord:
    """Return a cycle in which every field of every noun is used."""
    host = Host(
        "a", 8000, 4096, (Device(0, 2048), Device(1, 2048)), "MI210", (("pool", "gpu"),), HostState.CORDONED, "x", 1.5
    )
    job = TrainingJob(
        JobId("7"), "lm", Gang(1, HALF, 1), "research", "ada", 75, preemptible=False, state=JobState.RUNNING,
        submitted_at_s=3.0, grace_period_s=31.0, checkpoint_interval_s=61.0, max_runtime_s=900.0, attempt=2,
        slots=(Slot("a", (0,)),), started_at_s=40.0, checkpointed_at_s=45.0, restart_cost_s=20.0, not_before_s=8.0,
        stop_asked=True,
    )  # fmt: skip
    model = ServingModel("edit-check", HALF, 1, 4, 130.0, 2, 1, community=True)
    world = Snapshot.of(
        version=9,
        taken_at_s=100.25,
        hosts=[host, Host("b", 4000, 4096)],
        jobs=[job, replace(job, job_id=JobId("8"), state=JobState.PENDING, slots=(), started_at_s=None)],
        models=[model],
        replicas=[Replica(ReplicaId("r1"), "edit-check", SLOT, ReplicaState.STARTING, 90.0)],
        reservations=[PROMISE],
    )
    demand = Demand((ModelDemand("edit-check", 1, 2, 3, 4.0, 5.0, 6.0, 7.0, Basis.CORRECTED),))
    actions = (
        StopReplica(ReplicaId("r1"), "edit-check", SLOT, Cause.DRAIN),
        PreemptJob(JobId("7"), 2, 30.0, Cause.SERVING, "edit-check", 12.5),
        StartReplica("edit-check", SLOT, Cause.SPREAD),
        StartJob(JobId("8"), 1, (SLOT,)),
    )
    waits = Unplaced("8", Reason.RESERVED, "room is kept", 2, 1, 950.0, ("edit-check",))
    return CycleRecord(9, 100.25, world, demand, Plan(9, actions, (PROMISE,), (waits,)), 0.014)


def test_a_cycle_comes_back_equal(cycle: CycleRecord) -> None:
    again = decode_cycle(encode_cycle(cycle))
    assert again == cycle
    assert [type(action) for action in again.plan.actions] == [type(action) for action in cycle.plan.actions]


def test_the_ledger_is_counted_again(cycle: CycleRecord) -> None:
    again = decode_cycle(encode_cycle(cycle))
    assert again.snapshot.ledger == cycle.snapshot.ledger
    assert again.snapshot.ledger.gpu_milli.tolist() == [[500, 500], [-1, -1]]


def test_numbers_that_are_none_survive(cycle: CycleRecord) -> None:
    odd = replace(cycle.demand.models[0], rps_now=math.inf, rps_wanted=math.nan)
    again = decode_cycle(encode_cycle(replace(cycle, demand=Demand((odd,))))).demand.models[0]
    assert again.rps_now == math.inf
    assert math.isnan(again.rps_wanted)


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.jsonl.gz"])
def test_a_journal_file_holds_cycles_in_order(cycle: CycleRecord, tmp_path: Path, name: str) -> None:
    written = [cycle, replace(cycle, number=10)]
    write_journal(tmp_path / name, written)
    assert list(read_journal(tmp_path / name)) == written


def test_equal_cycles_make_equal_files(cycle: CycleRecord, tmp_path: Path) -> None:
    for name in ("one.gz", "two.gz"):
        write_journal(tmp_path / name, [cycle])
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()


def test_a_corrupt_line_is_named_with_file_and_number(cycle: CycleRecord, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(encode_cycle(cycle) + b"\n" + encode_cycle(cycle)[:200] + b"\n")
    lines = read_journal(path)
    assert next(lines) == cycle
    with pytest.raises(ConfigError, match=r"journal\.jsonl:2: not a journalled cycle"):
        next(lines)


@pytest.mark.parametrize("content", [None, b"no gzip"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "journal.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"journal\.gz: cannot be read"):
        list(read_journal(path))


@pytest.mark.parametrize("wrong", ['{"number": 1}', "[]", "nonsense", ""])
def test_what_is_not_a_cycle_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError, match="not a journalled cycle"):
        decode_cycle(wrong)


def test_room_that_strays_hold_is_journalled_and_counted_again() -> None:
    hosts = [Host("a", 8000, 4096, (Device(0), Device(1)))]
    foreign = ((SLOT, HALF),)
    cycle = CycleRecord(1, 1.0, Snapshot.of(hosts=hosts, foreign=foreign), Demand(), Plan(1), 0.0)
    again = decode_cycle(encode_cycle(cycle)).snapshot
    assert again.foreign == foreign
    assert again.ledger.gpu_milli.tolist() == [[1000, 500]]
    after = again.after(version=2, taken_at_s=2.0, hosts=again.hosts, changed={}, foreign=foreign)
    assert (after.foreign, after.ledger) == (foreign, again.ledger)
