"""Records and reports on the wire: times in UTC, ages counted until now, room shown once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.api.presenting.capacity import devices_by_kind
from scheduler.api.presenting.covering import coverage_of
from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.jobs import job_view, places, queue_of
from scheduler.api.presenting.models import lowest_ratio, model_views, outlook_of, tallies_at
from scheduler.api.presenting.points import MOST_PAST_POINTS, Window, gpu_points
from scheduler.api.presenting.proposals import proposal_view
from scheduler.api.presenting.times import finite, moment, moment_or_none
from scheduler.control.records import HostMark
from scheduler.model.hosts import HostState
from scheduler.model.plan import Move, Proposal, Reservation
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId
from scheduler.wire.jobs import devices_by_host


def test_seconds_become_utc_and_unknown_stays_unknown() -> None:
    assert moment(0.0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert moment_or_none(None) is moment_or_none(0.0) is None
    assert finite(float("nan")) is None
    assert finite(1.23456) == 1.2346


def test_places_can_be_read_back() -> None:
    slots = (Slot("b", (3,)), Slot("a", (0, 1)), Slot("b", (5,)), Slot("c"))
    assert places(slots) == ("b:3", "a:0,1", "b:5", "c")
    assert devices_by_host(places(slots)) == {"a": (0, 1), "b": (3, 5), "c": ()}


def test_waiting_is_the_age_without_the_time_it_ran(world: Any) -> None:
    record, now_s = world.store.job("399"), world.board.report.cycle.at_s
    job = job_view(record, now_s)
    assert job.age_s == pytest.approx(320 * 60)
    assert job.wait_s + job.run_s == pytest.approx(job.age_s)
    assert job.lost_gpu_s == 164.0
    done = job_view(replace(record, finished_at_s=record.submitted_at_s + 60), now_s)
    assert done.age_s == 60.0


def test_proposed_moves_name_each_host_once() -> None:
    move = Move(JobId("401"), (Slot("b", (0,)), Slot("a", (1,)), Slot("b", (1,))))
    view = proposal_view(Proposal(JobId("9"), (move,), 340.0, 7200.0))
    assert (view.job_id, view.lost_gpu_s, view.waits_s) == ("9", 340.0, 7200.0)
    assert [(one.job_id, one.hosts) for one in view.moves] == [("401", ("a", "b"))]


def test_only_those_that_wait_say_why(world: Any) -> None:
    queue, now_s = queue_of(world.board.report), world.board.report.cycle.at_s
    views = {job.job_id: job_view(job, now_s, queue) for job in world.store.jobs()}
    assert views["401"].why is None
    assert views["417"].why is not None
    assert views["424"].why is not None
    assert "wait for new labels" in views["424"].why.message
    assert views["401"].where == ("ml-serve1013:3", "ml-serve1013:4", "ml-serve1013:5", "ml-serve1013:6")
    assert views["399"].where == ()


def test_a_promise_that_was_taken_up_is_not_shown_twice(world: Any) -> None:
    report = world.board.report
    taken = Reservation("401", tuple(Slot("ml-serve1013", (i,)) for i in (3, 4, 5, 6)), 0.0, 9e9)
    shared = Reservation("embeddings", (Slot("ml-serve1013", (1,)),), 0.0, 9e9)
    stranger = Reservation("nobody", (Slot("ml-serve1013", (7,)),), 0.0, 9e9)
    plan = replace(report.cycle.plan, reservations=(taken, shared, stranger))
    hosts = host_views(replace(report, cycle=replace(report.cycle, plan=plan)))
    devices = next(host for host in hosts if host.name == "ml-serve1013").devices
    assert [[use.kind for use in device.uses] for device in devices[3:]] == [*[["training"]] * 4, []]
    assert [use.kind for use in devices[1].uses] == ["serving", "serving", "reserved"]


def test_operators_words_count_before_the_next_cycle_but_raise_no_dead(world: Any) -> None:
    marks = [HostMark(name, HostState.CORDONED, "fan", 1.0) for name in ("ml-serve1012", "ml-serve1008")]
    states = {host.name: host.state for host in host_views(world.board.report, marks)}
    assert states["ml-serve1012"] == "cordoned"
    assert states["ml-serve1008"] == "lost"
    assert states["ml-serve1014"] == "ready"


def test_no_device_is_counted_twice(world: Any) -> None:
    devices = devices_by_kind(host_views(world.board.report))
    assert sum(devices.values()) == pytest.approx(38)
    assert [devices[kind] for kind in ("training", "preempting", "held", "reserved")] == [13, 4, 1, 1]


def test_what_was_on_a_lost_host_is_neither_ready_nor_usable(world: Any) -> None:
    report = world.board.report
    hosts = tuple(
        replace(host, state=HostState.LOST) if host.name in {"ml-serve1010", "ml-serve1015"} else host
        for host in report.cycle.snapshot.hosts
    )
    snapshot = replace(report.cycle.snapshot, hosts=hosts)
    plan = replace(report.cycle.plan, reservations=(), holds=())
    lost = replace(report, cycle=replace(report.cycle, snapshot=snapshot, plan=plan))
    ready = {model.name: model.ready for model in model_views(lost, {}, {})}
    assert (ready["revertrisk-wikidata"], ready["edit-check"], ready["llm-qwen3-14b"]) == (0, 2, 2)
    world.board.publish(lost, None)
    capacity = world.http().get("/api/v1/capacity").json()["item"]
    assert (capacity["gpus_lost"], capacity["gpus_drained"]) == (1, 3)
    assert "of 34 usable" in world.http().get("/").text


def test_the_day_s_requests_begin_where_the_day_begins(world: Any) -> None:
    history = tuple(world.board.history)
    at_s = world.board.report.cycle.at_s - 86400
    before = tallies_at(history, at_s)
    assert 0 < before["edit-check"].total < dict(history[-1].request_counts)["edit-check"].total
    assert tallies_at(history, 0.0) == {}


def test_the_lowest_planned_headroom_looks_no_further_than_asked(world: Any) -> None:
    report = world.board.report
    model, outlook = report.cycle.snapshot.model("edit-check"), outlook_of(report, "edit-check")
    near, far = (lowest_ratio(model, outlook, report.cycle.at_s + hours * 3600) for hours in (2, 90))
    assert near is not None
    assert far is not None
    assert far[0] <= near[0]
    assert lowest_ratio(model, replace(outlook, points=()), 9e9) is None


def test_a_week_of_cycles_is_thinned_to_what_a_screen_can_show(world: Any) -> None:
    report = world.board.report
    many = [replace(world.board.history[-1], at_s=report.cycle.at_s - step) for step in range(4000, 0, -1)]
    coverage = coverage_of(report, world.site.policy)
    points = gpu_points(report, many, coverage, Window.around(report.cycle.at_s, 48 * 3600))
    past = [point for point in points if point.actual is not None]
    assert MOST_PAST_POINTS / 2 < len(past) <= MOST_PAST_POINTS


def test_the_same_report_is_judged_once(world: Any) -> None:
    assert coverage_of(world.board.report, world.site.policy) is coverage_of(world.board.report, world.site.policy)
