"""The demo's programme fits the cluster it is played on."""

import ast
from datetime import datetime, timedelta
from typing import Any

import pytest

from scheduler.config.job import parse_job
from scheduler.config.loading import load_config
from scheduler.config.queues import queue_names
from scheduler.config.schema import Config, ReplayTraffic
from scheduler.config.wiring import served_of
from scheduler.demo.programme import CONFIG, ENDS_AT, EVENING_FROM, SPEED, STARTS_AT, SUBMISSIONS, TRAINING, Submission
from scheduler.model.workloads import Gang
from scheduler.telemetry.replay import ReplayTraffic as Replay


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(CONFIG)


def test_clock_of_programme_and_configuration_are_the_same(config: Any) -> None:
    assert datetime.fromisoformat(config.replay.start) == STARTS_AT
    assert config.replay.speed == SPEED


def test_it_plays_at_least_a_day_and_a_half_with_an_evening_inside_a_few_minutes() -> None:
    assert timedelta(hours=36) <= ENDS_AT - STARTS_AT
    assert STARTS_AT < EVENING_FROM < ENDS_AT
    assert (ENDS_AT - STARTS_AT).total_seconds() / SPEED < 270


def test_the_evening_holds_the_highest_load_of_the_replay(config: Any) -> None:
    source = Replay.from_file(config.traffic["dewiki"].file)
    hours = range(int(STARTS_AT.timestamp()), int(ENDS_AT.timestamp()), 1800)
    assert max(hours, key=source.rate_at) >= EVENING_FROM.timestamp()


def test_there_are_weeks_of_history_before_it(config: Any) -> None:
    source = Replay.from_file(config.traffic["dewiki"].file)
    assert STARTS_AT.timestamp() - source.series.start_s > 12 * 7 * 86400


@pytest.mark.parametrize("submission", SUBMISSIONS, ids=lambda submission: submission.job["name"])
def test_every_job_is_one_that_the_cluster_accepts(config: Any, submission: Submission) -> None:
    spec = parse_job(
        dict(submission.job),
        priorities=config.priorities,
        queues=queue_names(config.queues),
        max_grace_s=config.control.preemption_grace,
        owner="me",
    )
    assert spec.checkpoint_interval_s is not None
    assert STARTS_AT <= submission.at < ENDS_AT


def test_some_jobs_are_gangs_and_priorities_differ(config: Any) -> None:
    specs = [
        parse_job(dict(s.job), priorities=config.priorities, queues=queue_names(config.queues), owner="me")
        for s in SUBMISSIONS
    ]
    gangs: list[Gang] = [spec.gang for spec in specs if spec.gang.workers > 1]
    assert len(gangs) >= 2
    assert len({spec.priority for spec in specs}) >= 3


def test_four_models_are_served_one_of_them_by_the_community(config: Any) -> None:
    assert [model.community for model in config.models].count(True) == 1
    assert len(config.models) == 4


def test_the_peak_fits_on_the_gpus_with_room_for_surprises(config: Any) -> None:
    gpus = sum(host.gpus for host in config.backend.hosts)
    source = Replay.from_file(config.traffic["dewiki"].file)
    hours = range(int(STARTS_AT.timestamp()), int(ENDS_AT.timestamp()), 1800)
    peak_rps = max(source.rate_at(at_s) for at_s in hours)
    needed = sum(served.rule.replicas(peak_rps * served.share * 1.1) for served in served_of(config.models))
    assert needed <= gpus


def test_traffic_is_shipped_with_the_package(config: Any) -> None:
    section = config.traffic["dewiki"]
    assert isinstance(section, ReplayTraffic)
    assert section.file.is_file()
    assert section.file.is_relative_to(CONFIG.parent)


def test_the_training_script_needs_nothing_but_the_environment() -> None:
    tree = ast.parse((TRAINING / "train.py").read_text())
    roots = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert roots <= {"argparse", "functools", "numpy", "os", "pathlib", "ray", "scheduler", "sys", "time"}
