"""What if: nothing otherwise is as it is, equal seeds say the same, nothing live is touched, and changes tell."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.control.reports.board import Report
from scheduler.control.settings import Settings
from scheduler.control.whatif.question import NewHosts, Question, Rules, Spike
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.planner import plan
from simulations.run import Setup, Simulation
from simulations.whatif.answering import answer_of
from simulations.whatif.coming import Coming, Paths
from simulations.whatif.counting import Run
from simulations.whatif.errands import Asked
from simulations.whatif.moment import Moment
from simulations.whatif.playing import play

HOUR_S = 3600.0
TWELVE_HOURS = 12 * HOUR_S


@pytest.fixture(scope="module")
def built() -> dict[str, Moment]:
    """Return moments that were made already."""
    return {}


@pytest.fixture
def moment(make_setup: Callable[..., Setup], built: dict[str, Moment]) -> Moment:
    """Return a busy morning: six hours in, jobs run and wait, and the peak of noon is ahead."""
    if "busy" not in built:
        setup = make_setup(per_day=120.0, settings=Settings(period_s=300.0))
        built["busy"] = Moment.of(_report_at(setup, setup.start_s + 6 * HOUR_S), setup.policy, setup.settings)
    return built["busy"]


def _report_at(setup: Setup, at_s: float) -> Report:
    """Return what a loop shows that has run up to a moment, with what people are shown of the coming load."""
    simulation = Simulation(setup)
    simulation.go_on(at_s)
    simulation.cycle.settings = setup.settings
    return simulation.cycle.turn()


def runs_of(moment: Moment, question: Question) -> list[tuple[Run, Run]]:
    asked = Asked.of(moment, question)
    for _ in range(question.runs):
        asked.play()
    return asked.pairs


def test_the_moment_has_jobs_that_run_and_wait_and_a_peak_ahead(moment: Moment) -> None:
    assert len(moment.snapshot.running.jobs) >= 2
    assert len(moment.snapshot.waiting) >= 2
    assert moment.forecasts["wave"].bins > 48
    assert moment.snapshot.replicas


@given(seed=st.integers(0, 1000), hours=st.integers(1, 12))
@settings(max_examples=5, deadline=None)
def test_nothing_otherwise_is_as_it_is_and_equal_seeds_say_the_same(
    built: dict[str, Moment], seed: int, hours: int
) -> None:
    moment = built["busy"]
    question = Question(hours * HOUR_S, runs=2, seed=seed)
    pairs = runs_of(moment, question)
    assert all(as_is == what_if for as_is, what_if in pairs)
    assert pairs == runs_of(moment, question)
    answer = answer_of(moment, question, pairs)
    assert answer.as_is == answer.what_if
    assert all(job.as_is == job.what_if and job.start_moves_s == job.end_moves_s == 0 for job in answer.jobs)


def test_as_it_is_begins_with_the_plan_that_the_loop_made(moment: Moment) -> None:
    question = Question(HOUR_S, runs=1)
    played = play(moment, question, Coming(moment, question, Paths.drawn(moment, question, 1)), 0)
    first = played.world.store.cycles(limit=100)[1]
    assert first.at_s == moment.now_s
    assert first.snapshot == moment.snapshot
    assert first.plan == plan(moment.snapshot, moment.demand, moment.policy)


def test_nothing_live_is_touched(moment: Moment) -> None:
    before = pickle.dumps(moment)
    runs_of(moment, Question(HOUR_S, 1, lost_hosts=("a",), new_hosts=(NewHosts("b", 2),), traffic=1.5))
    assert pickle.dumps(moment) == before


def test_a_moment_goes_to_another_process_whole(moment: Moment) -> None:
    again = pickle.loads(pickle.dumps(moment))  # noqa: S301  # just written
    assert again.snapshot == moment.snapshot
    assert again.snapshot.work == moment.snapshot.work
    assert plan(again.snapshot, again.demand, again.policy) == plan(moment.snapshot, moment.demand, moment.policy)
    question = Question(2 * HOUR_S, runs=1)
    assert runs_of(again, question) == runs_of(moment, question)


def test_no_action_is_refused(moment: Moment) -> None:
    question = Question(TWELVE_HOURS, 2, traffic=1.3, lost_hosts=("b",), spikes=(Spike(moment.now_s, HOUR_S, 2.0),))
    assert [run.refused for pair in runs_of(moment, question) for run in pair] == [0, 0, 0, 0]


def test_a_lost_host_makes_jobs_later_and_serving_short_and_a_host_covers_it(moment: Moment) -> None:
    asked = Asked.of(moment, Question(TWELVE_HOURS, 2, lost_hosts=("b",)))
    for _ in range(2):
        asked.play()
    answer = asked.covered()
    assert answer.as_is.short == ()
    assert answer.what_if.lowest_ratio < 1 <= answer.as_is.lowest_ratio
    short = answer.what_if.short[0]
    assert (short.model, short.runs, short.lacks_room) == ("m", 2, True)
    assert answer.what_if.late + answer.what_if.failed > answer.as_is.late + answer.as_is.failed
    assert answer.cover.startswith("Would cover it: 1 more host like "), answer.cover
    assert any(job.end_moves_s > HOUR_S for job in answer.jobs)


def test_hosts_more_let_jobs_start_sooner_and_nobody_later(moment: Moment) -> None:
    answer = answer_of(
        moment, Question(TWELVE_HOURS, 1), runs_of(moment, Question(TWELVE_HOURS, 1, new_hosts=(NewHosts("a", 4),)))
    )
    waiting = [job for job in answer.jobs if not job.runs_now]
    assert all(job.start_moves_s <= 0 for job in waiting)
    assert any(job.start_moves_s < -HOUR_S for job in waiting)
    assert answer.what_if.preemptions <= answer.as_is.preemptions


def test_a_spike_that_nobody_foresees_makes_requests_late_and_no_host_would_help(moment: Moment) -> None:
    question = Question(6 * HOUR_S, 1, spikes=(Spike(moment.now_s + 2 * HOUR_S, HOUR_S, 2.5),))
    asked = Asked.of(moment, question)
    answer = asked.play()
    assert answer.as_is.late + answer.as_is.failed < 0.001 * answer.as_is.requests
    assert answer.what_if.late + answer.what_if.failed > 0.01 * answer.what_if.requests
    assert all(one.from_s >= moment.now_s + 2 * HOUR_S for one in answer.what_if.short)
    assert answer.what_if.short


def test_a_submitted_job_starts_and_ends_and_a_more_important_one_sooner(moment: Moment) -> None:
    ends = []
    for priority in (100, 25):
        spec = JobSpec("asked", "x", Gang(1, Shape(1000, 100, 1)), priority=priority, max_runtime_s=HOUR_S)
        asked = Asked.of(moment, Question(TWELVE_HOURS, 1, job=spec))
        job = asked.play().jobs[-1]
        assert (job.job_id, job.name, job.as_is) == ("", "asked", None)
        assert job.what_if.start is not None
        ends.append(job.what_if.end.p50_s)
    assert ends[0] < ends[1]


def test_a_deployed_model_takes_its_room_from_training(moment: Moment) -> None:
    served = moment.served[0]
    model = replace(served, model=replace(served.model, name="new", min_replicas=2, max_replicas=2), share=0.1)
    (as_is, what_if), *_ = runs_of(moment, Question(6 * HOUR_S, 1, model=model))
    assert "new" not in as_is.models
    assert what_if.models["new"].requests > 0
    assert what_if.trained_gpu_s < as_is.trained_gpu_s


def test_other_rules_decide_otherwise(moment: Moment) -> None:
    reactive = Rules(policy_from_names(), replace(moment.settings, reactive=True))
    (as_is, what_if), *_ = runs_of(moment, Question(TWELVE_HOURS, 1, rules=reactive))
    assert what_if.models["m"].lowest_ratio < as_is.models["m"].lowest_ratio
