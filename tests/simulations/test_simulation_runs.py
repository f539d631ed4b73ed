"""Promises of whole runs: the real loop over a simulated day."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from scheduler.control.records import Outcome as Ending
from scheduler.control.settings import Settings
from scheduler.model.workloads import JobState
from simulations.arrivals import DAY_S
from simulations.faults import Outage
from simulations.outcome import NUMBERS, Outcome, as_json, estimates
from simulations.run import Setup, Simulation

MakeSetup = Callable[..., Setup]


def test_no_job_is_lost_and_every_success_did_all_of_its_work(make_setup: MakeSetup) -> None:
    setup = make_setup(outages=(Outage("a", 20.15 * 86400, 20.25 * 86400), Outage("b", 20.8 * 86400, 20.9 * 86400)))
    simulation = Simulation(setup)
    outcome = simulation.run()
    world = simulation.world
    jobs = world.store.jobs(open_only=False)
    assert len(jobs) == len(setup.arrivals) == outcome.jobs
    assert outcome.jobs == outcome.jobs_succeeded + outcome.jobs_failed + outcome.jobs_unfinished
    assert outcome.attempts_lost > 0
    for job in jobs:
        assert [attempt.number for attempt in job.attempts] == list(range(1, len(job.attempts) + 1))
        if job.state is JobState.SUCCEEDED:
            assert world.cluster.saved_s(job.job_id) == pytest.approx(world.work(job.job_id).duration_s)
            assert [attempt.outcome for attempt in job.attempts].count(Ending.SUCCEEDED) == 1


def test_gpu_seconds_add_up(make_setup: MakeSetup) -> None:
    simulation = Simulation(make_setup(outages=(Outage("b", 20.4 * 86400, 20.6 * 86400),)))
    outcome = simulation.run()
    parts = ("serving", "starting", "training", "down", "idle")
    assert sum(getattr(outcome, f"{part}_gpu_s") for part in parts) == pytest.approx(8 * (86400 + 7200))
    assert outcome.idle_gpu_s >= 0.0
    assert outcome.down_gpu_s == pytest.approx(0.2 * 86400 * 4)
    into = outcome.trained_gpu_s + outcome.lost_gpu_s + outcome.overhead_gpu_s
    assert into == pytest.approx(outcome.training_gpu_s), "what runs in the end among it"


def test_a_run_drains_and_cuts_off_no_wait(make_setup: MakeSetup) -> None:
    setup = make_setup(per_day=150, served=(), sources={}, loads={})
    short, whole = Simulation(setup), Simulation(replace(setup, drain_s=7 * DAY_S))
    cut, drained = short.run(), whole.run()
    assert cut.jobs_unfinished > cut.jobs_never_started > 0
    assert cut.drained_s == 0.0
    assert (drained.jobs_unfinished, drained.jobs_never_started) == (0.0, 0.0)
    assert 0.0 < drained.drained_s < 7 * DAY_S, "it stops when all are over"
    assert whole.world.engine.now_s() == setup.end_s + drained.drained_s
    assert drained.wait_mean_s > cut.wait_mean_s
    assert drained.completion_mean_s > cut.completion_mean_s
    for use in ("serving", "training", "idle", "trained", "lost", "overhead"):
        name = f"{use}_gpu_s"
        assert getattr(drained, name) == getattr(cut, name), "devices are counted to the same moment"


def test_a_job_that_never_fits_ends_the_drain_and_is_counted(make_setup: MakeSetup) -> None:
    setup = make_setup(per_day=10, served=(), sources={}, loads={})
    first = setup.arrivals[0]
    many = replace(first, spec=replace(first.spec, gang=replace(first.spec.gang, workers=9)))
    outcome = Simulation(replace(setup, arrivals=(*setup.arrivals, many), drain_s=2 * DAY_S)).run()
    assert (outcome.jobs_unfinished, outcome.jobs_never_started) == (1.0, 1.0)
    assert outcome.drained_s == 2 * DAY_S


def test_equal_seeds_give_equal_runs_and_others_do_not(make_setup: MakeSetup) -> None:
    morning = make_setup().start_s + DAY_S / 3
    first, again, other = (Simulation(make_setup(seed, end_s=morning)).run() for seed in (1, 1, 2))
    assert as_json(first) == as_json(again)
    assert first.shortest == "m"
    assert first != other


def test_the_forecast_has_replicas_ready_before_the_load_and_the_reactive_loop_has_not(make_setup: MakeSetup) -> None:
    ahead, behind = Simulation(make_setup()).run(), Simulation(make_setup(reactive=True)).run()
    assert ahead.late_requests_share < 1e-5, "no queue is ever without waits"
    assert ahead.min_headroom_ratio >= 1.0
    assert behind.late_requests_share > 0.0
    assert behind.min_headroom_ratio < 1.0
    assert behind.violation_s > 0.0
    assert ahead.requests == behind.requests == pytest.approx(60.0 * 86400, rel=1e-4)


def test_training_makes_room_for_the_peak_and_loses_nothing_but_what_it_must(make_setup: MakeSetup) -> None:
    outcome = Simulation(make_setup(per_day=200)).run()
    assert outcome.preemptions > 0
    assert outcome.lost_gpu_s == 0.0, "all of them saved within their grace period"
    assert outcome.late_requests_share < 1e-5


def test_an_idle_world_is_looked_at_rarely_and_a_busy_one_at_each_beat(make_setup: MakeSetup) -> None:
    nothing = {"served": (), "sources": {}, "loads": {}, "arrivals": ()}
    idle = Simulation(make_setup(**nothing, idle_period_s=1800.0))
    outcome = idle.run()
    assert idle.turns == pytest.approx((86400 + 7200) / 1800, abs=1)
    assert outcome.jobs == 0
    assert math.isnan(outcome.wait_mean_s)
    assert math.isnan(outcome.late_requests_share)
    assert as_json(outcome)["late_requests_share"] is None
    endless = Simulation(make_setup(**nothing, idle_period_s=math.inf))
    endless.run()
    assert endless.turns == 1


def test_turns_keep_the_beat_of_the_period(make_setup: MakeSetup) -> None:
    setup = make_setup(per_day=20)
    simulation = Simulation(replace(setup, end_s=setup.start_s + 7200))
    simulation.run()
    at_s = [cycle.at_s for cycle in simulation.world.store.cycles()]
    assert all(
        (later - earlier) % 60.0 == 0.0 and 60.0 <= later - earlier <= 300.0 for earlier, later in pairwise(at_s)
    )


def test_progress_rises_to_the_end(make_setup: MakeSetup) -> None:
    shares: list[float] = []
    Simulation(make_setup(per_day=5)).run(shares.append)
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


def test_a_lost_host_s_jobs_go_on_from_their_checkpoint_elsewhere(make_setup: MakeSetup) -> None:
    setup = make_setup(outages=(Outage("a", 20.2 * 86400, 21 * 86400),), settings=Settings(period_s=60.0))
    simulation = Simulation(setup)
    simulation.run()
    lost = [
        (job, attempt)
        for job in simulation.world.store.jobs(open_only=False)
        for attempt in job.attempts
        if attempt.outcome is Ending.LOST
    ]
    assert lost
    resumed = [job.attempts[attempt.number] for job, attempt in lost if len(job.attempts) > attempt.number]
    assert any(attempt.resumed_from_step > 0 for attempt in resumed)
    assert all(slot.host == "b" for attempt in resumed for slot in attempt.slots)


def outcome_with(**values: float) -> Outcome:
    return Outcome(**{name: values.get(name, 0.0) for name in NUMBERS})


def test_estimates_are_means_with_student_s_interval() -> None:
    runs = [outcome_with(jobs=10), outcome_with(jobs=14), outcome_with(jobs=12)]
    found = estimates(runs)["jobs"]
    assert found.mean == 12.0
    assert found.half_width == pytest.approx(4.3027 * 2 / math.sqrt(3), rel=1e-4)
    assert estimates(runs[:1])["jobs"].half_width == 0.0


def test_numbers_that_do_not_exist_do_not_count() -> None:
    runs = [outcome_with(wait_mean_s=math.nan), outcome_with(wait_mean_s=6.0)]
    assert estimates(runs)["wait_mean_s"].mean == 6.0
    assert math.isnan(estimates(runs[:1])["wait_mean_s"].mean)


def test_the_loop_plans_by_what_it_has_seen_asked_for(make_setup: MakeSetup) -> None:
    setup = make_setup(per_day=60)
    simulation = Simulation(setup)
    simulation.run()
    works = [cycle.snapshot.work for cycle in simulation.world.store.cycles()]
    workers, served = sum(arrival.spec.gang.workers for arrival in setup.arrivals), setup.served[0].model
    assert 0.9 * workers <= sum(works[-1].seen) <= workers + served.max_replicas
    assert sum(works[-1].running) >= served.min_replicas
    assert works[-1].usual
