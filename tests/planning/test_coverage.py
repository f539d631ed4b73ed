"""Headroom now and ahead, in numbers and in words."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.hosts import HostState
from scheduler.model.plan import Plan
from scheduler.model.workloads import JobState, ReplicaState
from scheduler.planning.planner import plan
from scheduler.planning.reasons.verdict import verdict
from scheduler.planning.serving.coverage import Coverage, CoveragePoint, Curve, coverage

POLICY = policy_from_names()
HOUR = 3600.0


def words(say: Any, snapshot: Any, covered: Coverage, demand: Demand = Demand(), made: Plan | None = None) -> Any:  # noqa: B008
    return verdict(
        snapshot,
        demand,
        made or Plan(1),
        covered,
        time=lambda at_s: f"+{(at_s - say.now_s) / HOUR:g}h",
        duration=lambda s: f"{s / HOUR:g} h",
    )


@pytest.fixture
def world(say: Any) -> dict[str, Any]:
    return {
        "hosts": [say.host("h0", 4)],
        "models": [say.model("chat"), say.model("tone", say.gpus(1, gpu_milli=500))],
        "replicas": [say.replica("chat", 0, "h0:0"), say.replica("chat", 1, "h0:1"), say.replica("tone", 0, "h0:2")],
    }


def test_the_model_with_least_headroom_decides(say: Any, world: dict[str, Any]) -> None:
    curves = [Curve("chat", 1.6, ((say.now_s + HOUR, 2.4),)), Curve("tone", 0.4, ((say.now_s + HOUR, 0.9),))]
    found = coverage(say.snapshot(**world), curves, POLICY)
    assert (found.now.ratio, found.now.model) == (2 / 1.6, "chat")
    assert (found.now.planned_gpus, found.now.needed_gpus) == (2.5, 1.6 + 0.2)
    (point,) = found.points
    assert (point.ratio, point.model) == (pytest.approx(1 / 0.9), "tone")
    assert (point.planned_gpus, point.needed_gpus) == (3.5, pytest.approx(2.4 + 0.45))
    assert found.lowest == point
    assert found.is_covered


def test_only_ready_replicas_count_now(say: Any, world: dict[str, Any]) -> None:
    world["replicas"][1] = replace(world["replicas"][1], state=ReplicaState.STARTING)
    found = coverage(say.snapshot(**world), [Curve("chat", 1.5)], POLICY)
    assert found.now.ratio == pytest.approx(1 / 1.5)
    assert not found.is_covered
    assert words(say, say.snapshot(**world), found).verdict == "Short now: chat has 0.67 of the replicas it needs."


def test_training_that_may_be_stopped_gives_way_to_a_peak_and_other_training_does_not(
    say: Any, world: dict[str, Any]
) -> None:
    curve = Curve("chat", 1.0, ((say.now_s + HOUR, 3.0),))
    job = say.running("1", "h0:3")
    assert coverage(say.snapshot(**world, jobs=[job]), [curve], POLICY).points[0].ratio == 1.0
    stuck = replace(job, preemptible=False)
    assert coverage(say.snapshot(**world, jobs=[stuck]), [curve], POLICY).points[0].ratio == pytest.approx(2 / 3)
    ending = replace(stuck, stop_asked=True)
    assert coverage(say.snapshot(**world, jobs=[ending]), [curve], POLICY).points[0].ratio == 1.0
    leaving = replace(stuck, state=JobState.PREEMPTING)
    assert coverage(say.snapshot(**world, jobs=[leaving]), [curve], POLICY).points[0].ratio == 1.0


def test_room_for_all_peaks_together_is_what_counts(say: Any, world: dict[str, Any]) -> None:
    at_s = say.now_s + HOUR
    curves = [Curve("chat", 1.0, ((at_s, 4.0),)), Curve("tone", 0.1, ((at_s, 3.0),))]
    (point,) = coverage(say.snapshot(**world), curves, POLICY).points
    assert (point.ratio, point.model) == (pytest.approx(2 / 3), "tone")
    assert point.planned_gpus == 3 + 2 * 0.5


def test_limits_of_a_model_bound_what_is_planned(say: Any, world: dict[str, Any]) -> None:
    world["models"][0] = say.model("chat", most=2)
    (point,) = coverage(say.snapshot(**world), [Curve("chat", 1.0, ((say.now_s + 1, 2.5),))], POLICY).points
    assert point.ratio == 2 / 2.5


def test_replicas_on_lost_hosts_do_not_count_and_those_on_draining_ones_move(say: Any, world: dict[str, Any]) -> None:
    curve = Curve("chat", 2.0, ((say.now_s + HOUR, 2.0),))
    world["hosts"] = [say.host("h0", 4, state=HostState.LOST, since_s=say.now_s - HOUR)]
    lost = coverage(say.snapshot(**world), [curve], POLICY)
    assert (lost.now.ratio, lost.points[0].ratio) == (0.0, 0.0)
    world["hosts"] = [say.host("h0", 4, state=HostState.DRAINING), say.host("h1", 1)]
    drained = coverage(say.snapshot(**world), [curve], POLICY)
    assert (drained.now.ratio, drained.points[0].ratio) == (1.0, 0.5)


def test_a_curve_holds_each_value_until_the_next() -> None:
    curve = Curve("chat", 9.0, ((100.0, 1.0), (200.0, 2.0)))
    assert [curve.at(at_s) for at_s in (50.0, 100.0, 150.0, 200.0, 999.0)] == [1.0, 1.0, 1.0, 2.0, 2.0]
    assert Curve("chat", 9.0).at(5.0) == 9.0


def test_nothing_needed_is_covered(say: Any, world: dict[str, Any]) -> None:
    found = coverage(say.snapshot(**world), [Curve("chat", 0.0)], POLICY)
    assert found.now == CoveragePoint(say.now_s, None, "", 2.0, 0.0)
    assert found.is_covered


def test_points_of_the_past_are_left_out(say: Any, world: dict[str, Any]) -> None:
    curve = Curve("chat", 1.0, ((say.now_s - 60, 9.0), (say.now_s + 60, 1.0)))
    assert [p.at_s for p in coverage(say.snapshot(**world), [curve], POLICY).points] == [say.now_s + 60]


def test_a_covered_site_says_for_how_long(say: Any, world: dict[str, Any]) -> None:
    snapshot = say.snapshot(**world)
    found = coverage(snapshot, [Curve("chat", 1.0, ((say.now_s + 48 * HOUR, 1.0),))], POLICY)
    told = words(say, snapshot, found)
    assert told.verdict == "Serving is covered for the next 48 h."
    assert (told.detail, told.notice, told.covered) == ("", "", True)
    assert words(say, snapshot, coverage(snapshot, [], POLICY)).verdict.endswith("there is no forecast yet.")


def test_a_short_site_says_when_how_much_and_which_model(say: Any, world: dict[str, Any]) -> None:
    snapshot = say.snapshot(**world)
    needed = tuple((say.now_s + hour * HOUR, need) for hour, need in ((1, 2.0), (2, 4.0), (3, 8.0), (4, 5.0), (5, 2.0)))
    told = words(say, snapshot, coverage(snapshot, [Curve("chat", 1.0, needed)], POLICY))
    assert told.verdict == "Short from +2h to +4h: chat has 0.38 of the replicas it needs at +3h."
    assert not told.covered


def test_the_detail_says_who_gives_way_for_whom_and_what_starts(say: Any) -> None:
    snapshot = say.snapshot(
        hosts=[say.host("h0", 2)], models=[say.model("chat"), say.model("tone")], jobs=[say.running("1", "h0:0")]
    )
    demand = Demand((ModelDemand("chat", 0, 1, 1, peak_at_s=say.now_s + 2 * HOUR), ModelDemand("tone", 0, 1, 1)))
    told = words(say, snapshot, coverage(snapshot, [], POLICY), demand, plan(snapshot, demand, POLICY))
    assert told.detail == (
        "One training job is being preempted now so that tone is ready. 1 replica is starting: 1 of chat."
    )
    more = replace(demand, models=(replace(demand.models[0], replicas_wanted=2, replicas_held=2),))
    told = words(say, snapshot, coverage(snapshot, [], POLICY), more, plan(snapshot, more, POLICY))
    assert told.detail.startswith("One training job is being preempted now so that chat is ready before the +2h peak.")


def test_a_job_that_others_give_way_to_is_named(say: Any) -> None:
    jobs = [say.running("1", "h0:0"), say.waiting("2", say.gpus(), priority=75)]
    snapshot = say.snapshot(hosts=[say.host("h0", 1)], models=[say.model("chat")], jobs=jobs)
    told = words(say, snapshot, coverage(snapshot, [], POLICY), Demand(), plan(snapshot, Demand(), POLICY))
    assert told.detail == "One training job is being preempted now for job-2."


def test_a_job_that_shrinks_is_not_named_as_one_that_others_give_way_to(say: Any) -> None:
    wide = say.running("1", "h0:0", "h0:1")
    wide = replace(wide, gang=replace(wide.gang, workers=1, max_workers=2))
    snapshot = say.snapshot(
        hosts=[say.host("h0", 2)], models=[say.model("chat")], jobs=[wide, say.waiting("2", say.gpus(), priority=75)]
    )
    told = words(say, snapshot, coverage(snapshot, [], POLICY), Demand(), plan(snapshot, Demand(), POLICY))
    assert told.detail == "One training job is being preempted now for job-2."


def test_a_job_that_grows_is_not_called_preempted(say: Any) -> None:
    small = replace(say.running("1", "h0:0"), checkpoint_interval_s=600.0)
    small = replace(small, gang=replace(small.gang, max_workers=2))
    snapshot = say.snapshot(hosts=[say.host("h0", 2)], models=[say.model("chat")], jobs=[small])
    told = words(say, snapshot, coverage(snapshot, [], POLICY), Demand(), plan(snapshot, Demand(), POLICY))
    assert told.detail == "One training job is about to go on with more workers."


def test_the_notice_names_hosts_and_sources_that_are_not_as_usual(say: Any) -> None:
    hosts = [
        say.host("h0", state=HostState.DRAINING),
        say.host("h1", state=HostState.LOST, since_s=say.now_s - HOUR),
        say.host("h2", state=HostState.CORDONED),
    ]
    snapshot = say.snapshot(hosts=hosts, models=[say.model("chat")])
    demand = Demand((ModelDemand("chat", 0, 0, 0, basis=Basis.SILENT),))
    told = words(say, snapshot, coverage(snapshot, [], POLICY), demand)
    assert told.notice == (
        "h0 is draining. h1 has been unreachable for 1 h. h2 takes no new work. "
        "The traffic source of chat is silent: planned by its last load, with a margin."
    )


def test_first_runs_say_what_is_missing(say: Any) -> None:
    nothing = Coverage(CoveragePoint(say.now_s, None, "", 0.0, 0.0), ())
    assert words(say, say.snapshot(), nothing).verdict == "No plan yet: no host has reported."
    assert words(say, say.snapshot(hosts=[say.host("h0")]), nothing).verdict.startswith("No model is served yet")
