"""The board and its history: one report at a time, and a balance of devices that adds up."""

import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.control.reports.board import Board, RequestCounts
from scheduler.control.reports.unheard import Unheard
from scheduler.model.resources import Shape


def test_waiters_get_the_next_report_and_nobody_waits_for_ever(lab: Any) -> None:
    assert lab.board.wait_beyond(0, timeout_s=0.0) is None
    found: list[Any] = []
    waiter = threading.Thread(target=lambda: found.append(lab.board.wait_beyond(1, timeout_s=60.0)))
    lab.turns(1)
    waiter.start()
    lab.turns(1)
    waiter.join(timeout=60)
    assert found[0].cycle.number == 2
    assert lab.board.wait_beyond(99, timeout_s=0.0).cycle.number == 2


def test_a_board_begins_by_starting_and_a_report_clears_what_was_wrong(lab: Any) -> None:
    board: Board = lab.board
    assert (board.report, board.degraded) == (None, "starting")
    board.degrade("Ray does not answer")
    assert board.degraded == "Ray does not answer"
    lab.turns(1)
    assert board.degraded == ""


def test_the_age_of_the_last_plan_is_told_in_wall_seconds(lab: Any) -> None:
    now_s = [100.0]
    board: Board = lab.board
    board.timer = lambda: now_s[0]
    assert board.plan_age_s is None
    lab.turns(1)
    now_s[0] = 190.0
    board.degrade("Ray does not answer")
    assert board.plan_age_s == 90.0
    lab.turns(1)
    assert board.plan_age_s == 0.0


@pytest.mark.parametrize(
    ("waiting", "sentence"),
    [
        (Unheard(), ""),
        (Unheard((), 7), ""),
        (Unheard(("a", "b"), 7), "waits for traffic of 2 of 7 sources: a, b"),
        (Unheard(("a",), 1), "waits for traffic of 1 of 1 source: a"),
        (Unheard(tuple("abcd"), 7, ("S",)), "waits for traffic of 4 of 7 sources, from S"),
        (Unheard(tuple("abcd"), 7, tuple("STUVW")), "waits for traffic of 4 of 7 sources, from S, T, U and 2 more"),
    ],
)
def test_what_is_waited_for_is_one_sentence(waiting: Unheard, sentence: str) -> None:
    board = Board()
    board.wait_for(waiting)
    assert str(board.unheard) == sentence


def test_listeners_hear_every_report(lab: Any) -> None:
    heard: list[int] = []
    lab.board.listeners.append(lambda report: heard.append(report.cycle.number))
    lab.turns(3)
    assert heard == [1, 2, 3]


def test_every_device_is_counted_once_in_every_turn(build_lab: Callable[..., Any]) -> None:
    lab = build_lab(hosts=3)
    begin_s = lab.clock.at_s
    lab.serve("edit-check", lambda at_s: 35.0 if begin_s + 20 <= at_s < begin_s + 60 else 5.0)
    lab.submit("low", workers=2, priority=25)
    lab.submit("half", shape=Shape(1000, 1024, 1, 500))
    lab.turns(30)
    for shares in lab.board.history:
        total = shares.serving + shares.training + shares.held + shares.reserved + shares.free + shares.drained
        assert total == pytest.approx(6.0)
        assert shares.ready <= shares.serving
        assert min(shares.held, shares.reserved, shares.free, shares.drained) >= 0
    assert {shares.demand for shares in lab.board.history} == {0.5, 3.5}


def test_devices_of_a_cordoned_host_are_drained_and_of_a_stopped_router_uncounted(lab: Any) -> None:
    from scheduler.control.records import HostMark  # noqa: PLC0415  # only here
    from scheduler.model.hosts import HostState  # noqa: PLC0415  # only here

    lab.store.mark_host(HostMark("a", HostState.CORDONED, "", 0.0))
    lab.cycle.request_counts = lambda: {"edit-check": RequestCounts(10, 1, 0)}
    lab.turns(1)
    assert (lab.board.history[-1].drained, lab.board.history[-1].free) == (2.0, 2.0)
    assert (
        lab.board.history[-1].request_counts
        == lab.board.report.request_counts
        == (("edit-check", RequestCounts(10, 1, 0)),)
    )


def test_what_was_forecast_for_a_moment_is_remembered_until_it_comes(lab: Any) -> None:
    lab.serve("edit-check", lambda at_s: 20.0 + 10.0 * math.sin(at_s / 86400 * 2 * math.pi), warm_up_s=600.0)
    lab.turns(40, pause_s=60.0)
    lead_turns = math.ceil((600.0 + lab.settings.preemption_grace_s + lab.settings.period_s) / 60.0)
    history = list(lab.board.history)
    assert all(math.isnan(shares.p50) for shares in history[: lead_turns - 1])
    for shares in history[lead_turns:]:
        assert shares.p50 == pytest.approx(shares.demand, rel=0.05)
        assert shares.p50 <= shares.p99


def test_a_model_without_a_forecast_leaves_the_past_unforecast(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 20.0)
    lab.sources["edit-check"].history_s = 7200.0
    lab.turns(10, pause_s=60.0)
    assert all(math.isnan(shares.p99) for shares in lab.board.history)


def test_a_published_report_stays_what_it_was_and_is_told_from_others_at_no_cost(lab: Any) -> None:
    from scheduler.control.records import AttemptRecord, DesiredState, JobRecord, Outcome  # noqa: PLC0415  # only here
    from scheduler.model.jobspec import JobSpec  # noqa: PLC0415  # likewise
    from scheduler.model.resources import Shape, Slot  # noqa: PLC0415  # likewise
    from scheduler.model.workloads import Gang, JobId, JobState  # noqa: PLC0415  # likewise

    lab.turns(1)
    report = lab.board.report
    spec = JobSpec("train", "true", Gang(1, Shape(gpu_count=1)), owner="ada")
    took = AttemptRecord(JobId("9"), 1, (Slot("a", (0,)),), 0.0, 100.0, 700.0, Outcome.SUCCEEDED)
    over = JobRecord(JobId("9"), spec, JobState.SUCCEEDED, DesiredState.RUN, 0.0, attempts=(took,))
    lab.cycle.experience.run_times.learn([over] * 3)
    assert lab.cycle.experience.run_times.expected_s(over) is not None
    assert report.run_times.expected_s(over) is None
    assert hash(report) == object.__hash__(report)
