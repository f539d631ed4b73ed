"""A job runs for as long as it said it would at most: then it is told to save and stop, whatever else is true of it."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.hosts import HostState
from scheduler.model.plan import Cause, PreemptJob, StartJob
from scheduler.model.workloads import Gang, JobState


def stops(say: Any, made: Any) -> dict[str, Cause]:
    return {action.job_id: action.cause for action in say.of(made, PreemptJob)}


@given(
    limit_s=st.floats(1.0, 20_000.0),
    ran_s=st.floats(0.0, 20_000.0),
    ran_on_s=st.floats(0.0, 5_000.0),
    more=st.fixed_dictionaries(
        {"preemptible": st.booleans(), "state": st.sampled_from([JobState.ADMITTED, JobState.RUNNING])}
    ),
)
def test_a_job_is_stopped_from_its_limit_on_and_not_before(
    say: Any, limit_s: float, ran_s: float, ran_on_s: float, more: dict[str, Any]
) -> None:
    said = {"max_runtime_s": limit_s, "ran_on_s": ran_on_s, **more}
    job = say.running("1", "h0:0", started_at_s=say.now_s - ran_s, **said)
    made = say.plan(hosts=[say.host("h0")], jobs=[job])
    assert stops(say, made) == ({"1": Cause.TIME_LIMIT} if job.limit_s <= say.now_s else {})
    assert job.limit_s == pytest.approx(say.now_s - ran_s - ran_on_s + limit_s)


def test_what_was_never_said_limits_nothing(say: Any) -> None:
    job = say.running("1", "h0:0", started_at_s=1.0, expected_runtime_s=10.0)
    assert job.limit_s == inf
    assert stops(say, say.plan(hosts=[say.host("h0")], jobs=[job])) == {}


def test_its_room_goes_to_who_waits(say: Any) -> None:
    over = say.running("1", "h0:0,1,2,3", started_at_s=0.0, max_runtime_s=600.0, preemptible=False)
    made = say.plan(hosts=[say.host("h0")], jobs=[over, say.waiting("2", say.gpus(4))])
    assert [promise.holder for promise in made.reservations] == ["2"]
    leaving = replace(over, state=JobState.PREEMPTING)
    assert stops(say, say.plan(hosts=[say.host("h0")], jobs=[leaving])) == {}, "it is told once"


def test_it_is_over_for_its_limit_also_where_its_host_is_drained_and_its_owner_s_word_goes_first(say: Any) -> None:
    host = say.host("h0", state=HostState.DRAINING)
    over = say.running("1", "h0:0", started_at_s=0.0, max_runtime_s=600.0)
    asked = replace(say.running("2", "h0:1", started_at_s=0.0, max_runtime_s=600.0), stop_asked=True)
    drained = say.running("3", "h0:2", started_at_s=0.0)
    made = say.plan(hosts=[host], jobs=[over, asked, drained])
    assert stops(say, made) == {"1": Cause.TIME_LIMIT, "2": Cause.STOP_ASKED, "3": Cause.DRAIN}


def test_an_elastic_one_that_is_over_its_limit_goes_on_with_nothing(say: Any) -> None:
    gang = Gang(1, say.gpus(1), max_workers=4)
    over = replace(
        say.running("1", "h0:0", "h0:1", "h0:2", started_at_s=0.0, max_runtime_s=600.0), gang=gang, preemptible=True
    )
    made = say.plan(hosts=[say.host("h0")], jobs=[over, say.waiting("2", say.gpus(3))])
    (stop,) = say.of(made, PreemptJob)
    assert (stop.cause, stop.goes_on_with) == (Cause.TIME_LIMIT, 0)


def test_a_word_that_is_doubted_counts_as_longer_while_the_job_waits_and_holds_once_it_runs(say: Any) -> None:
    """A gang of 4 has the host from when 1 ends; who says 10 minutes goes first, unless such words were broken."""
    runs = say.running("1", "h0:0,1,2", started_at_s=say.now_s - 60.0, max_runtime_s=960.0)
    gang, says = say.waiting("2", say.gpus(4)), say.waiting("3", say.gpus(1), max_runtime_s=600.0)
    parts = {"hosts": [say.host("h0")]}
    made = say.plan(**parts, jobs=[runs, gang, says])
    assert [start.job_id for start in say.of(made, StartJob)] == ["3"]
    made = say.plan(**parts, jobs=[runs, gang, replace(says, doubt=2.0)])
    assert say.of(made, StartJob) == []
    doubted = replace(runs, doubt=4.0)
    assert doubted.ends_s == runs.ends_s
    assert say.plan(**parts, jobs=[doubted, gang]).reason_for("2").until_s == runs.limit_s


def test_who_is_stopped_for_its_limit_is_nobodys_victim(say: Any) -> None:
    over = say.running("1", "h0:0", priority=25, started_at_s=say.now_s - 700.0, max_runtime_s=600.0)
    jobs = [over, say.running("2", "h0:1", priority=25), say.waiting("3", say.gpus(2), priority=75)]
    made = say.plan(hosts=[say.host("h0", 2)], jobs=jobs)
    assert sorted(order.job_id for order in say.of(made, PreemptJob)) == ["1", "2"]
