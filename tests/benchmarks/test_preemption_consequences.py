"""Victims when all that follows counts: the look-ahead counts right, misses no set, and the planner is close to it."""

import json
from dataclasses import replace
from itertools import combinations, islice
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.preemption.consequences import OURS, measure, policy, questions
from benchmarks.preemption.lookahead import BEAT_S, Course, sets_of
from benchmarks.preemption.report import OPTIMUM
from benchmarks.preemption.sites import FIRST, HOUR_S, LONG_S, NOW_S, Site, Task, sites
from scheduler.cli.bench import app
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import need_of

MANY = 8


def host(gpus: int) -> Host:
    return Host("h0", 64_000, 0, tuple(map(Device, range(gpus))), "A")


def task(job_id: str, devices: tuple[int, ...], *, priority: int = 25, left_s: float = LONG_S, **parts: Any) -> Task:
    job = TrainingJob(JobId(job_id), "work", Gang(1, Shape(1000, 0, len(devices))), priority=priority)
    runs = {"state": JobState.RUNNING, "attempt": 1, "slots": (Slot("h0", devices),), "started_at_s": NOW_S - HOUR_S}
    saves = {"checkpoint_interval_s": 600.0, "submitted_at_s": NOW_S - HOUR_S}
    return Task(replace(job, **{**runs, **saves, **parts}), left_s, save_s=5.0)


def first(gpus: int, left_s: float) -> Task:
    job = TrainingJob(FIRST, "first", Gang(1, Shape(1000, 0, gpus)), priority=75, submitted_at_s=NOW_S)
    return Task(job, left_s, save_s=5.0)


def test_what_is_lost_is_saving_restarts_and_idle_devices() -> None:
    site = Site((host(3),), (task("1", (0, 1, 2)), first(1, 2 * HOUR_S)))
    restart_s = site.tasks[0].job.restart_cost_s
    freed_after_s, held_s = BEAT_S, restart_s + 2 * HOUR_S
    lost = 3 * freed_after_s + (restart_s + 2 * held_s) + 3 * restart_s
    assert Course(site, policy()).lost_gpu_s({"1"}) == lost


def test_nobody_is_asked_about_where_there_is_room() -> None:
    site = Site((host(2),), (task("1", (0,)), first(1, HOUR_S)))
    assert list(sets_of(site, policy())) == []
    assert all(len(asked.sets) > 1 for asked in questions(3, 3, policy()))


def test_work_that_was_not_saved_is_lost() -> None:
    saving, other = task("1", (0,)), task("2", (1,), checkpoint_interval_s=None)
    site = Site((host(2),), (saving, other, first(1, HOUR_S)))
    lost = {name: Course(site, policy()).lost_gpu_s({name}) for name in ("1", "2")}
    assert lost["2"] - lost["1"] == HOUR_S - saving.job.restart_cost_s + other.job.restart_cost_s


def test_who_is_stopped_in_turn_counts_as_well() -> None:
    site = Site((host(2),), (task("1", (0,)), task("2", (1,), priority=50), first(1, HOUR_S)))
    course = Course(site, policy())
    direct, in_turn = Course(site, policy()).lost_gpu_s({"1"}), course.lost_gpu_s({"2"})
    assert course.first_stopped == ("2",)
    assert in_turn > direct + site.tasks[1].job.restart_cost_s - 1


def test_every_smallest_set_is_tried() -> None:
    decides = policy()
    for site in islice(sites(4), 8):
        snapshot, found = site.snapshot, set(sets_of(site, decides))
        gang = snapshot.by_id[FIRST].gang
        may = [j for j in snapshot.jobs if j.slots and j.preemptible and j.priority < 75]

        def makes_room(chosen: Any, snapshot: Any = snapshot, gang: Any = gang) -> bool:
            trial = CachedTrial(snapshot.ledger)
            for job in chosen:
                trial.give_all(job.slots, job.gang.shape)
            return need_of(gang).is_met_by(trial.units(gang.shape))

        for size in (1, 2):
            for chosen in combinations(may, size):
                smallest = makes_room(chosen) and not any(makes_room(set(chosen) - {one}) for one in chosen)
                assert (tuple(sorted(job.job_id for job in chosen)) in found) == smallest


@pytest.mark.parametrize("victim_cost", ["lost-work", "lost-work-and-wait"])
def test_the_planner_is_close_to_the_best_set_of_all(victim_cost: str) -> None:
    decides = policy(victim_cost)
    results = measure(questions(MANY, 3, decides), decides, lambda _: None)
    ratio = {name: result.ratios(results[OPTIMUM]) for name, result in results.items()}
    assert all((each >= 1).all() for each in ratio.values())
    assert ratio[OURS].mean() <= 1.05
    assert ratio["lost-work"].mean() > 1.1


def test_the_command_plays_sites_through() -> None:
    told = CliRunner().invoke(app, ["preemption", "--consequences", "--cases", "1", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["cases"] == 1
    assert found["policies"][OPTIMUM]["mean_ratio"] == 1.0
    assert set(found["policies"]) == {OPTIMUM, OURS, "lost-work", "newest-first"}
