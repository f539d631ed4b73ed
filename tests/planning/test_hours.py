"""When a waiting job has room while serving needs more by day: what a rise takes, whom it stops, and who goes first."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, Level, ModelDemand
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.planner import decide
from scheduler.planning.start_estimates.estimate import StartEstimate

HOUR_S = 3600.0
POLICY = policy_from_names(queue_order="fifo")
BY_DAY = ((1.0, 4), (5.0, 1))


def course(say: Any, changes: tuple[tuple[float, int], ...], more: int = 0) -> tuple[Level, ...]:
    return tuple(Level(say.now_s + hours * HOUR_S, number, number + more) for hours, number in changes)


def world(
    say: Any, jobs: list[TrainingJob], changes: tuple[tuple[float, int], ...], gpus: int = 4, **model: Any
) -> Any:
    """Return a snapshot of one host with one replica of chat, and what chat will want."""
    parts = {"hosts": [say.host("h0", gpus)], "models": [say.model("chat", **model)], "jobs": jobs}
    snapshot = say.snapshot(replicas=[say.replica("chat", 0, "h0:0")], **parts)
    return snapshot, Demand((ModelDemand("chat", 1, 1, 1, course=course(say, changes)),))


def start_h(say: Any, snapshot: Snapshot, demand: Demand, left_h: dict[str, float], *, high: bool = False) -> float:
    """Return in how many hours job 9 has room, when each of the others has so many left, or takes so many."""
    prospect = StartEstimate.of(decide(snapshot, demand, POLICY), snapshot.by_id["9"])
    assert prospect is not None
    ends_s = np.array([say.now_s + left_h[job.job_id] * HOUR_S for job in snapshot.running.jobs])
    lengths_s = {name: hours * HOUR_S for name, hours in left_h.items()}
    return (prospect.start_s(ends_s, lengths_s, high=high) - say.now_s) / HOUR_S


def test_who_is_stopped_for_the_day_goes_on_first_where_the_queue_has_it_first(say: Any) -> None:
    older, younger = say.running("1", "h0:1,2,3"), say.running("11", "h0:1,2,3")
    waits = say.waiting("9", say.gpus(3))

    assert start_h(say, *world(say, [older, waits], BY_DAY), {"1": 2.0}) == 6.0, "one hour was left to do"
    assert start_h(say, *world(say, [younger, waits], BY_DAY), {"11": 2.0}) == 5.0


def test_a_rise_that_finds_room_stops_nobody(say: Any) -> None:
    runs, waits = say.running("1", "h0:1,2,3"), say.waiting("9", say.gpus(3))

    assert start_h(say, *world(say, [runs, waits], ((1.0, 2), (5.0, 1)), gpus=6), {"1": 2.0}) == 2.0


def test_who_finds_room_before_the_rise_starts_before_it(say: Any) -> None:
    runs, waits = say.running("1", "h0:1,2,3"), say.waiting("9", say.gpus(3))

    assert start_h(say, *world(say, [runs, waits], BY_DAY), {"1": 0.5}) == 0.5
    assert start_h(say, *world(say, [runs, waits], BY_DAY), {"1": 1.0}) == 5.0, "then the room is serving's"


def test_who_may_not_be_stopped_keeps_its_room(say: Any) -> None:
    runs = say.running("1", "h0:1,2,3", preemptible=False)

    found = start_h(say, *world(say, [runs, say.waiting("9", say.gpus(2))], ((1.0, 3), (1.5, 2))), {"1": 2.0})
    assert found == 2.0


def test_who_starts_meanwhile_may_be_stopped_itself(say: Any) -> None:
    runs = say.running("1", "h0:1,2,3")
    jobs = [runs, say.waiting("8", say.gpus(3)), say.waiting("9", say.gpus(3))]

    assert start_h(say, *world(say, jobs, BY_DAY), {"1": 0.5, "8": 2.0}) == 6.5, "an hour and a half was left to do"


def test_two_models_take_and_leave_room_each_in_its_hours(say: Any) -> None:
    runs, waits = say.running("1", "h0:2,3,4"), say.waiting("9", say.gpus(3))
    models, sits = [say.model("a"), say.model("b")], [say.replica("a", 0, "h0:0"), say.replica("b", 0, "h0:1")]
    snapshot = say.snapshot(hosts=[say.host("h0", 5)], models=models, replicas=sits, jobs=[runs, waits])
    wants = [ModelDemand(name, 1, 1, 1) for name in "ab"]
    changes = (((1.0, 3), (4.0, 1)), ((3.0, 2), (7.0, 1)))
    demand = Demand(tuple(replace(d, course=course(say, t)) for d, t in zip(wants, changes, strict=True)))

    assert start_h(say, snapshot, demand, {"1": 0.5}) == 0.5
    assert start_h(say, snapshot, demand, {"1": 2.0}) == 8.0, "the one stopped for a goes on when b has left"


def test_more_by_the_quantile_than_by_the_middle_is_a_later_start(say: Any) -> None:
    runs, waits = say.running("1", "h0:1,2,3"), say.waiting("9", say.gpus(2))
    snapshot, demand = world(say, [runs, waits], ())
    changes = (Level(say.now_s + HOUR_S, 1, 3), Level(say.now_s + 5 * HOUR_S, 1, 1))
    demand = Demand((replace(demand.models[0], course=changes),))

    assert start_h(say, snapshot, demand, {"1": 2.0}) == 2.0
    assert start_h(say, snapshot, demand, {"1": 2.0}, high=True) == 6.0


@given(
    hours=st.lists(st.floats(0.1, 24.0), min_size=1, max_size=6, unique=True),
    levels=st.lists(st.integers(0, 5), min_size=6, max_size=6),
    left_h=st.lists(st.floats(0.05, 12.0), min_size=2, max_size=2),
    workers=st.integers(1, 4),
)
def test_nobody_is_said_to_start_when_what_is_foreseen_needs_the_room(
    say: Any, hours: list[float], levels: list[int], left_h: list[float], workers: int
) -> None:
    changes = tuple(zip(sorted(hours), levels, strict=False))
    jobs = [say.running("1", "h0:1,2"), say.running("2", "h0:3"), say.waiting("9", say.gpus(), workers)]

    found = start_h(say, *world(say, jobs, changes), {"1": left_h[0], "2": left_h[1]})

    if found < np.inf:
        level = [1, *(number for at_h, number in changes if at_h <= found + 1e-9)][-1]
        assert min(level, 4) + workers <= 4
    last = changes[-1][1]
    assert found < np.inf or last + workers > 4


@pytest.mark.parametrize(("losses", "expected_h"), [(0, 2.0), (1, 5.0)])
def test_replicas_that_outlive_lost_hosts_stay_beside_those_wanted(say: Any, losses: int, expected_h: float) -> None:
    sits = [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h1:0")]
    models = [say.model("chat", survive_host_losses=losses)]
    jobs = [say.running("1", "h0:1", "h1:1"), say.waiting("9", say.gpus(), 3)]
    snapshot = say.snapshot(hosts=[say.host("h0", 2), say.host("h1", 2)], models=models, replicas=sits, jobs=jobs)
    demand = Demand((ModelDemand("chat", 1, 1 + (not losses), 2 - losses, course=course(say, ((2.0, 1), (5.0, 0)))),))

    assert start_h(say, snapshot, demand, {"1": 1.0}) == expected_h
