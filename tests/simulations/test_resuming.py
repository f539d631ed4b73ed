"""A simulation that goes on from a snapshot plans first what the loop planned there, and then goes on by itself."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scheduler.config.scenario_loading import load_scenario
from scheduler.control.records import CycleRecord
from scheduler.control.snapshots.parts import training_job
from scheduler.model.hosts import HostState
from scheduler.model.observation import RunState
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import JobState, ReplicaState, TrainingJob
from simulations.resuming import record_of, world_of
from simulations.run import Knowledge, Setup, Simulation
from simulations.wiring import setup_of
from simulations.work import Work

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
HOUR_S = 3600.0
Turn = tuple[CycleRecord, Knowledge]


def turns_of(setup: Setup, hours: float) -> list[Turn]:
    """Return the turns of the first hours, each with what the loop knew: of demand before, of jobs when it planned."""
    simulation = Simulation(setup)
    turns: list[Turn] = []
    while simulation.world.engine.now_s() < setup.start_s - setup.lead_in_s + hours * HOUR_S:
        memory, cycle = simulation.cycle.memory, simulation.cycle.turn().cycle
        turns.append((cycle, replace(Knowledge.of(simulation.cycle), memory=memory)))
        simulation.world.engine.run_until(simulation._next_turn_s(cycle))
    return turns


def an_hour_more(_: TrainingJob) -> Work:
    return Work(duration_s=2 * HOUR_S)


def resumed(setup: Setup, turn: Turn) -> Simulation:
    cycle, known = turn
    going_on = replace(setup, start_s=cycle.at_s, end_s=cycle.at_s + HOUR_S, lead_in_s=0.0, arrivals=())
    return Simulation(going_on, world_of(cycle.snapshot, an_hour_more), known)


def assert_same_first_plan(setup: Setup, turns: list[Turn]) -> None:
    for turn in turns:
        cycle, again = turn[0], resumed(setup, turn).cycle.turn().cycle
        assert again.number == cycle.number
        assert again.snapshot.jobs == cycle.snapshot.jobs
        assert again.snapshot.replicas == cycle.snapshot.replicas
        assert again.snapshot == cycle.snapshot
        assert again.demand == cycle.demand
        assert again.plan == cycle.plan


def test_the_first_plan_is_the_one_that_was_made_there(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup(per_day=200.0)
    turns = turns_of(setup, 16.0)[::3]
    states = {job.state for cycle, _ in turns for job in cycle.snapshot.jobs}
    assert {JobState.RUNNING, JobState.PREEMPTED, JobState.PENDING} <= states
    assert any(r.state is ReplicaState.STARTING for cycle, _ in turns for r in cycle.snapshot.replicas)
    assert any(cycle.snapshot.reservations for cycle, _ in turns)
    assert_same_first_plan(setup, turns)


def test_so_it_is_in_a_fleet_with_queues_and_shares() -> None:
    scenario = load_scenario(SCENARIOS / "fair-share.yaml").model_copy(update={"days": 5 / 24, "drain": 0.0})
    setup = setup_of(scenario, seed=scenario.seed)
    assert_same_first_plan(setup, turns_of(setup, 5.0)[::20])


def test_an_hour_goes_on_without_a_refused_action(make_setup: Callable[..., Setup]) -> None:
    setup = make_setup(per_day=200.0)
    turn = turns_of(setup, 7.0)[-1]
    simulation = resumed(setup, turn)
    outcome = simulation.run()
    assert simulation.world.cluster.refused == 0
    assert simulation.world.engine.now_s() == turn[0].at_s + HOUR_S
    assert outcome.requests > 0
    ran = {job.job_id for job in turn[0].snapshot.running.jobs}
    done = {job.job_id for job in simulation.world.store.jobs(open_only=False) if job.state is JobState.SUCCEEDED}
    assert done & ran, "some had run for nearly two hours"


def test_jobs_are_part_way_and_hosts_as_operators_left_them(make_setup: Callable[..., Setup]) -> None:
    cycle, _ = turns_of(make_setup(per_day=200.0), 6.0)[-1]
    hosts = [replace(host, state=HostState.CORDONED, reason="fan", since_s=5.0) for host in cycle.snapshot.hosts]
    world = world_of(cycle.snapshot.otherwise({}, hosts), an_hour_more)
    assert [(mark.host, mark.reason) for mark in world.store.host_marks()] == [("a", "fan"), ("b", "fan")]
    runs = [run for run in world.cluster.observe().runs if run.state is RunState.RUNNING]
    assert {(run.job_id, run.started_at_s) for run in runs} == {
        (job.job_id, job.started_at_s) for job in cycle.snapshot.running.jobs if job.state is JobState.RUNNING
    }
    newest = max(runs, key=lambda run: run.started_at_s)
    world.engine.run_until(newest.started_at_s + 3 * HOUR_S)
    ended = {run.job_id: run.ended_at_s for run in world.cluster.observe().runs}
    assert ended[newest.job_id] == pytest.approx(newest.started_at_s + 60.0 + 2 * HOUR_S)


def test_one_that_was_told_to_stop_is_gone_within_its_grace(make_setup: Callable[..., Setup]) -> None:
    cycle, _ = turns_of(make_setup(per_day=200.0), 6.0)[-1]
    job = cycle.snapshot.running.jobs[0]
    stopping = {job.job_id: replace(job, state=JobState.PREEMPTING)}
    world = world_of(cycle.snapshot.otherwise(stopping), an_hour_more)
    states = {run.job_id: run.state for run in world.cluster.observe().runs}
    assert states[job.job_id] is RunState.STOPPING
    world.engine.run_until(cycle.at_s + job.grace_period_s)
    states = {run.job_id: run.state for run in world.cluster.observe().runs}
    assert states[job.job_id] is RunState.STOPPED


def test_strays_and_silent_hosts_are_where_they_were(make_setup: Callable[..., Setup]) -> None:
    cycle, _ = turns_of(make_setup(per_day=200.0), 6.0)[-1]
    running = {job.job_id for job in cycle.snapshot.running.jobs}
    empty = cycle.snapshot.otherwise(dict.fromkeys(running))
    lost = replace(empty.hosts[1], state=HostState.LOST, reason="no heartbeat", since_s=cycle.at_s - 30.0)
    held = ((Slot("a", (3,)), Shape(1000, 100, 1)),)
    seen = replace(empty.otherwise({}, (empty.hosts[0], lost)), foreign=held)
    observed = world_of(seen, an_hour_more).cluster.observe()
    assert observed.hosts[1] == lost
    assert [stray.held for stray in observed.strays] == [held]


def test_a_record_made_up_for_a_job_shows_the_planner_the_same_job(make_setup: Callable[..., Setup]) -> None:
    jobs = {job for cycle, _ in turns_of(make_setup(per_day=200.0), 14.0) for job in cycle.snapshot.jobs}
    assert len({job.stops for job in jobs}) > 1
    for job in jobs:
        made = training_job(record_of(job), job.restart_cost_s, job.expected_runtime_s, job.doubt)
        assert made == job
