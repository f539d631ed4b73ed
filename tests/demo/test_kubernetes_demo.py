"""The demo on Kubernetes: its programme fits its cluster, it plays, and leaves nothing running."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli import demo_kubernetes
from scheduler.config.loading import load_config
from scheduler.config.schema import Config
from scheduler.control.clocks import ReplayClock
from scheduler.demo.kubernetes.double import DoubleCluster
from scheduler.demo.kubernetes.programme import (
    APPLICATIONS,
    BY_KNATIVE,
    CONFIG,
    DEVICES_A_HOST,
    DEVICES_A_WORKER,
    ENDS_AT,
    GPU_HOSTS,
)
from scheduler.demo.kubernetes.report import Applied, KubernetesReport, Scaled, preempted_at
from scheduler.demo.programme import SPEED, STARTS_AT
from scheduler.demo.report import JobOutcome, Peak
from tests.leftovers import descendants

ROOT = Path(__file__).parents[2]
WITHIN_S = 240.0


@pytest.fixture(scope="module")
def config() -> Config:
    return load_config(CONFIG)


def test_clock_of_programme_and_configuration_are_the_same(config: Any) -> None:
    assert datetime.fromisoformat(config.replay.start) == STARTS_AT
    assert config.replay.speed == SPEED
    assert all(STARTS_AT < each.at < ENDS_AT for each in APPLICATIONS)


def test_fifty_hosts_four_models_ten_jobs_of_three_priorities_and_more_wanted_than_there_is(config: Config) -> None:
    devices = GPU_HOSTS * DEVICES_A_HOST
    wanted = sum(each.workers * DEVICES_A_WORKER for each in APPLICATIONS)
    most = sum((model.max_replicas or 0) * model.resources.gpus for model in config.models)
    assert (len(config.models), len(APPLICATIONS), len({each.priority for each in APPLICATIONS})) == (4, 10, 3)
    assert most <= devices < wanted + most
    assert {model.name for model in config.models} >= BY_KNATIVE != frozenset()


@pytest.fixture
def cluster(config: Config, tmp_path: Path) -> Iterator[DoubleCluster]:
    with DoubleCluster(config, ReplayClock.kept_in(tmp_path / "replay.json", STARTS_AT.timestamp(), SPEED)) as made:
        yield made


def test_its_jobs_are_there_suspended_and_untold_until_a_control_plane_looks(
    cluster: DoubleCluster, tmp_path: Path
) -> None:
    for application in APPLICATIONS:
        cluster.apply(application)
    assert [cluster.status_of(each.name) for each in APPLICATIONS] == [""] * len(APPLICATIONS)
    assert not cluster.told_of(APPLICATIONS[0].name)
    jobs = cluster.rest.list("/apis/ray.io/v1/rayjobs")
    assert len(jobs) == len(APPLICATIONS)
    assert all(job["spec"]["suspend"] for job in jobs)
    assert all(job["metadata"]["creationTimestamp"].startswith("2012") for job in jobs), "it goes by the world's clock"
    written = load_config(cluster.write_files(tmp_path))
    assert [model.name for model in written.models] == [model.name for model in load_config(CONFIG).models]
    assert cluster.revisions() == len(BY_KNATIVE)


@pytest.mark.timeout(300)
def test_it_scales_and_starts_a_gang_and_its_end_leaves_nothing_running(tmp_path: Path) -> None:
    before, log = descendants(), tmp_path / "log"
    words = [sys.executable, "-m", "scheduler.cli", "demo", "--kubernetes", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with log.open("wb") as told:
        demo = subprocess.Popen(
            words, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
            start_new_session=True,
        )  # fmt: skip
    try:
        until_s = time.monotonic() + WITHIN_S
        while "started · on ml-gpu" not in log.read_text(errors="replace"):
            assert demo.poll() is None, log.read_text()
            assert time.monotonic() < until_s, log.read_text()
            time.sleep(0.5)
    finally:
        demo.send_signal(signal.SIGTERM)  # tests that run in the background inherit that SIGINT is ignored
        demo.wait(90.0)
    said = log.read_text()
    assert "starting a double of the Kubernetes API: no pod is real" in said
    assert not {process for process in descendants() - before if process.is_alive}, said


def outcome(name: str, *preempted: str) -> JobOutcome:
    return JobOutcome(
        name, "low", "Succeeded", 12.0, 1 + len(preempted), None, None, None, preempted, 60.0, 3600.0, 0.0
    )


def test_the_tables_say_who_was_suspended_when_and_what_the_objects_say() -> None:
    stopped = outcome("wikitext-lm", "2012-10-01T05:14:00+00:00")
    jobs = (
        Applied(stopped, "Succeeded: job 5", ("Admitted: job 5 on ml-gpu01:0,1", "Succeeded: job 5")),
        Applied(outcome("addlink-all"), "Succeeded: job 1", ()),
    )
    report = KubernetesReport(
        "a double", "forecast", 540.0, 300.0, 50, 168, 1.19, 1, 1, Peak("2012-10-01T19:00:00+00:00", 248.0, 261.5), 1,
        jobs, (Scaled("edit-check", 8, 41, 1.19),),
    )  # fmt: skip
    shown = report.as_json()
    assert preempted_at(jobs) == ["2012-10-01T05:14:00+00:00"]
    rows = demo_kubernetes._job_table(shown).rows
    assert [str(cell) for cell in rows[0]][5:] == ["01. 05:14", "Succeeded: job 5"]
    assert rows[1][5] == "-"
    assert demo_kubernetes._told_table(shown).rows[0] == ("Admitted: job 5 on ml-gpu01:0,1",)
    assert "WIKITEXT-LM" in str(demo_kubernetes._told_table(shown).columns[0]).upper()
