"""The planner's benchmark measures what it says: a full site at work that only changes one thing at a time."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.speed.curve import AXES, Point, sizes
from benchmarks.speed.curve import document as curve_document
from benchmarks.speed.measure import Measured, measure
from benchmarks.speed.plotting import plot_curve
from benchmarks.speed.report import document, percentiles_ms
from benchmarks.speed.site import Size, Submissions, hosts_of, models_of, queues_of
from benchmarks.speed.world import CHANGES, World
from policies.registry import policy_from_names
from scheduler.control.snapshots.builder import SnapshotBuilder
from scheduler.planning.planner import plan

SMALL = Size(hosts=24, running=48, pending=10, models=3)


def measured(cycles: int = 10) -> Measured:
    return measure(SMALL, policy_from_names(), cycles, lambda _: None)


def test_the_site_is_full_and_as_large_as_asked_for() -> None:
    found = measured(cycles=5)

    assert found.pending == SMALL.pending
    assert abs(found.running - SMALL.running) <= SMALL.running // 3
    assert found.started > 0
    assert found.placed >= found.started


def test_kinds_of_change_take_turns() -> None:
    assert Counter(cycle.kind for cycle in measured(cycles=10).cycles) == dict.fromkeys(CHANGES, 2)


@pytest.mark.parametrize("running", [2, 48, 400])
def test_jobs_are_as_large_as_it_takes_to_fill_the_site(running: int) -> None:
    submissions = Submissions(Size(hosts=64, running=running, pending=0, models=1))
    gangs = [submissions.next().gang for _ in range(2000)]
    mean = sum(gang.workers * gang.shape.total_gpu_milli for gang in gangs) / len(gangs) / 1000

    assert mean * running == pytest.approx(0.97 * 0.94 * 64 * 8, rel=0.15)


def test_the_same_seed_makes_the_same_site() -> None:
    assert hosts_of(SMALL) == hosts_of(SMALL)
    assert models_of(SMALL) == models_of(SMALL)
    assert Submissions(SMALL).next() == Submissions(SMALL).next()


@pytest.mark.parametrize("kind", CHANGES)
def test_after_any_change_and_plan_no_host_has_given_more_than_it_has(kind: str) -> None:
    world, builder, policy = World(SMALL), SnapshotBuilder(), policy_from_names()
    for _ in range(SMALL.running + SMALL.pending):
        world.submit()
    for number in range(6):
        if number:
            CHANGES[kind](world)
        snapshot = builder.snapshot(
            version=number,
            seen=world.observation(),
            jobs=world.jobs.values(),
            strays=(),
            marks=(),
            reservations=world.reservations,
            models=world.models,
            restart_cost_s=60.0,
        )
        assert (snapshot.ledger.gpu_milli[snapshot.ledger.table.device_exists] >= 0).all()
        assert (snapshot.ledger.cpu_milli >= 0).all()
        world.carry_out(plan(snapshot, world.demand, policy))
    assert world.running > 0


def test_the_document_has_both_clocks_and_every_part() -> None:
    made = document(measured(cycles=5))

    assert set(made["steady"]) == {"snapshot", "plan", "together", "reconcile", "journal"}
    assert all(made["steady"][name]["cpu"]["p99_ms"] > 0 for name in ("reconcile", "journal"))
    assert set(made["steady"]["plan"]) == {"wall", "cpu"}
    assert set(made["kinds"]) == set(CHANGES)
    assert made["cold"]["empty"]["placements_per_s"] > 0


def test_percentiles_are_those_of_the_values() -> None:
    assert percentiles_ms(i / 1000 for i in range(101)) == pytest.approx((50, 99, 100))
    assert percentiles_ms([]) == (0.0, 0.0, 0.0)


def test_the_curve_grows_one_thing_at_a_time() -> None:
    base = Size(hosts=20, running=40, pending=10, models=2)
    made = [(axis, value, size) for axis, value, size in sizes(base, most_hosts=1000)]

    assert {axis for axis, *_ in made} == set(AXES)
    assert max(size.hosts for *_, size in made) == 1000
    for axis, value, size in made:
        assert getattr(size, axis) == value
        if axis != "hosts":
            assert replace(size, **{axis: getattr(base, axis)}) == base


def test_a_point_says_what_was_measured_and_the_picture_shows_it(tmp_path: Path) -> None:
    found = measured(cycles=5)
    points = [Point(axis, value, found) for axis, values in AXES.items() for value in values[:2]]
    rows = curve_document(points)["curve"]["hosts"]
    pytest.importorskip("matplotlib")
    plot_curve(tmp_path / "curve.svg", points)

    assert [row["pending"] for row in rows] == [SMALL.pending] * 2
    assert 0 < rows[0]["p50_cpu_ms"] <= rows[0]["p99_cpu_ms"]
    assert (tmp_path / "curve.svg").read_text().count("<path") > 10


def test_queues_with_guarantees_leave_half_of_the_devices_to_all() -> None:
    size = Size(10, 20, 5, 2, guaranteed=5)
    queues = queues_of(size)
    assert [queue.guarantee.gpu_milli for queue in queues] == [8000] * 5 + [None] * 3
    assert {Submissions(size).next().queue} <= {queue.name for queue in queues}
    assert queues_of(Size(10, 20, 5, 2)) == ()


def test_the_planner_is_timed_with_queues_too() -> None:
    found = measure(Size(6, 12, 4, 1, guaranteed=3), policy_from_names(queue_order="fair-share"), 2, lambda _: None)
    assert len(found.cycles) == 2
    assert found.running > 0
