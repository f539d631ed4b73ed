"""What is not tried again would have found nothing, and few gangs of many alike are tried."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.speed.site import Size
from benchmarks.speed.world import CHANGES, World
from policies.registry import policy_from_names
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.model.gang_table import GangTable
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import takes
from scheduler.planning.planner import plan
from scheduler.planning.queueing import place_training as training
from scheduler.planning.queueing.search_memo import SearchMemo

SHAPES = st.builds(
    Shape,
    cpu_milli=st.sampled_from([0, 1000, 3000]),
    memory_mib=st.sampled_from([0, 1024]),
    gpu_count=st.integers(0, 3),
    gpu_models=st.sampled_from([frozenset(), frozenset({"A"})]),
) | st.builds(Shape, gpu_count=st.just(1), gpu_milli=st.sampled_from([250, 600]))
GANGS = st.lists(
    st.builds(Gang, st.integers(1, 5), SHAPES, st.sampled_from([0, 1]), require_same=st.sampled_from(["", "rack"])),
    min_size=1,
    max_size=12,
)
HOSTS = st.lists(st.tuples(st.sampled_from([2000, 8000]), st.integers(0, 4), st.sampled_from("AB")), min_size=1).map(
    lambda rows: [
        Host(f"h{n:02}", cpu, 4096, tuple(Device(d, 100) for d in range(gpus)), model, (("rack", str(n % 2)),))
        for n, (cpu, gpus, model) in enumerate(rows)
    ]
)


@given(hosts=HOSTS, gangs=GANGS)
def test_where_a_gang_finds_no_room_none_that_asks_for_more_does(hosts: list[Host], gangs: list[Gang]) -> None:
    room, table = CachedTrial(Ledger.of(hosts)), GangTable().having(gangs)
    fits = np.array([takes(room, gang) for gang in table.gangs])
    for row, gang in enumerate(table.gangs):
        assert table.above(gang, row)[row]
        assert table.below(gang, row)[row]
        assert fits[table.below(gang, row)].all() or not fits[row]
        assert not fits[table.above(gang, row)].any() or fits[row]


@given(hosts=HOSTS, gangs=GANGS)
def test_the_least_and_the_most_of_a_kind_speak_for_all_of_it(hosts: list[Host], gangs: list[Gang]) -> None:
    room, table = CachedTrial(Ledger.of(hosts)), GangTable().having(gangs)
    for kind, (least, most) in enumerate(zip(table.least, table.most, strict=True)):
        rows = np.flatnonzero(table.kind == kind)
        fits = [takes(room, table.gangs[row]) for row in rows]
        assert takes(room, least) or not any(fits)
        assert all(fits) or not takes(room, most)
        assert table.above(least, int(rows[0]))[rows].all()
        assert table.below(most, int(rows[0]))[rows].all()


def test_a_table_that_has_all_gangs_stays_the_same_object() -> None:
    gangs = [Gang(1, Shape(gpu_count=1)), Gang(2, Shape(gpu_count=1))]
    table = GangTable().having(gangs)
    assert table.having(gangs) is table
    assert [table.row_by_id[id(gang)] for gang in gangs] == [0, 1]
    assert table.having([Gang(1, Shape(gpu_count=1))]).gangs[:2] == table.gangs


class _Checked(SearchMemo):
    """Sees to it that nobody is passed over who would find room."""

    passed_over = 0

    def is_over(self, job: TrainingJob) -> bool:
        over = super().is_over(job)
        _Checked.passed_over += over
        assert not over or not self._starts(job)
        assert not over or not takes(self._draft.bookings.coming_for(job), job.gang)
        return over

    def finds_no_room(self, job: TrainingJob) -> bool:
        none = super().finds_no_room(job)
        assert not none or not self._starts(job)
        return none

    def _starts(self, job: TrainingJob) -> bool:
        return takes(self._draft.bookings.room_for(job), job.gang)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    bookings=st.sampled_from([0, 2, 4]),
    changes=st.lists(st.sampled_from([*CHANGES]), max_size=6),
)
def test_nobody_is_passed_over_who_would_find_room(
    seed: int, bookings: int, changes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SearchMemo", _Checked)
    policy, builder = policy_from_names(bookings=bookings, min_runtime_s=0.0), SnapshotBuilder()
    world = World(Size(hosts=6, running=15, pending=60, models=2, seed=seed))
    for _ in range(75):
        world.submit()
    passed_over = _Checked.passed_over
    for version, change in enumerate(["nothing", "nothing", *changes]):
        if change in CHANGES and (change != "a job ends" or world.running):
            CHANGES[change](world)
        world.carry_out(plan(snapshot_in(world, builder, version), world.demand, policy))
    assert _Checked.passed_over > passed_over


def snapshot_in(world: World, builder: SnapshotBuilder, version: int) -> Snapshot:
    return builder.snapshot(
        version=version,
        seen=world.observation(),
        jobs=tuple(world.jobs.values()),
        strays=(),
        marks=(),
        reservations=world.reservations,
        models=world.models,
        restart_cost_s=60.0,
    )
