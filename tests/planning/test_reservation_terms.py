"""How long room is kept for whom it was freed: its term counts from when the room is free."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.plan import PreemptJob, Reservation, StartJob
from scheduler.model.workloads import UNTRUSTED_S, JobState

TERM_S = policy_from_names().reservation_s


def leaving(say: Any, job_id: str, *at: str, grace_s: float = 1800.0) -> Any:
    return say.running(job_id, *at, state=JobState.PREEMPTING, grace_period_s=grace_s)


def promised(say: Any, holder: str, *at: str, since_s: float, left_s: float) -> Reservation:
    return Reservation(holder, tuple(map(say.slot, at)), say.now_s - since_s, say.now_s + left_s)


@pytest.mark.parametrize("left_s", [-300.0, 0.0, 5.0])
def test_a_term_has_not_begun_while_the_room_is_being_freed(say: Any, left_s: float) -> None:
    big = say.waiting("2", say.gpus(), workers=2, priority=75)
    promise = promised(say, "2", "h0:0", "h1:0", since_s=1200.0, left_s=left_s)
    small = say.waiting("3", say.gpus())
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    made = say.plan(hosts=hosts, jobs=[leaving(say, "1", "h1:0"), big, small], reservations=[promise])
    assert made.actions == ()
    assert made.reservations == (replace(promise, expires_s=say.now_s + TERM_S),)


def test_a_term_runs_once_the_room_is_free(say: Any) -> None:
    big = say.waiting("2", say.gpus(), workers=2, priority=75, not_before_s=say.now_s + 60)
    promise = promised(say, "2", "h0:0", "h1:0", since_s=1200.0, left_s=300.0)
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    assert say.plan(hosts=hosts, jobs=[big], reservations=[promise]).reservations == (promise,)
    over = replace(promise, expires_s=say.now_s)
    assert say.plan(hosts=hosts, jobs=[big], reservations=[over]).reservations == ()


def test_who_should_have_left_long_ago_is_waited_for_no_longer(say: Any) -> None:
    big = say.waiting("2", say.gpus(), workers=2, priority=75)
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    stuck = leaving(say, "1", "h1:0", grace_s=600.0)
    for since_s, kept in ((600.0 + TERM_S - 1, True), (600.0 + TERM_S, False)):
        promise = promised(say, "2", "h0:0", "h1:0", since_s=since_s, left_s=0.0)
        made = say.plan(hosts=hosts, jobs=[stuck, big, say.waiting("3", say.gpus())], reservations=[promise])
        assert bool(made.reservations) == kept
        assert [start.job_id for start in say.of(made, StartJob)] == ([] if kept else ["3"])


def test_other_room_has_a_term_of_its_own(say: Any) -> None:
    model = say.model("chat")
    promise = promised(say, "chat", "h0:0", since_s=800.0, left_s=100.0)
    hosts = [say.host("h0", 1), say.host("h1", 1)]
    jobs = [leaving(say, "1", "h0:0", grace_s=30.0), leaving(say, "2", "h1:0", grace_s=30.0)]
    made = say.plan(say.demand(chat=2), hosts=hosts, models=[model], jobs=jobs, reservations=[promise])
    (kept,) = made.reservations
    assert len(kept.slots) == 2
    assert (kept.since_s, kept.expires_s) == (say.now_s, say.now_s + TERM_S)


def test_nobody_is_stopped_for_a_job_that_could_not_start(say: Any) -> None:
    jobs = [say.running("1", "h0:0"), say.waiting("2", say.gpus(), priority=75, failed_starts=1, not_before_s=1.0)]
    made = say.plan(hosts=[say.host("h0", 1)], jobs=jobs)
    assert made.actions == ()
    assert "its last start failed" in made.reason_for("2").message
    trusted = replace(jobs[1], failed_starts=0)
    assert [stop.job_id for stop in say.of(say.plan(hosts=[say.host("h0", 1)], jobs=[jobs[0], trusted]), PreemptJob)]


def test_it_still_starts_where_there_is_room_and_others_may_still_have_somebody_stopped(say: Any) -> None:
    failed = say.waiting("2", say.gpus(), priority=75, failed_starts=3)
    other = say.waiting("3", say.gpus(), priority=75)
    made = say.plan(hosts=[say.host("h0", 1), say.host("h1", 1)], jobs=[say.running("1", "h0:0"), failed, other])
    assert [start.job_id for start in say.of(made, StartJob)] == ["2"]
    assert [(stop.job_id, stop.beneficiary) for stop in say.of(made, PreemptJob)] == [("1", "3")]


@pytest.mark.parametrize(("failed", "days"), [(1, 1), (2, 2), (3, 4), (7, 64), (20, 64)])
def test_the_right_returns_after_days_that_double(say: Any, failed: int, days: int) -> None:
    began_s = say.now_s - days * UNTRUSTED_S
    for early_s, stopped in ((1.0, 0), (0.0, 1)):
        job = say.waiting("2", say.gpus(), priority=75, failed_starts=failed, not_before_s=began_s + early_s)
        made = say.plan(hosts=[say.host("h0", 1)], jobs=[say.running("1", "h0:0"), job])
        assert len(say.of(made, PreemptJob)) == stopped
