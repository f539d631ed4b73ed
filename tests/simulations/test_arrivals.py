"""Promises of jobs that arrive at random, and of recorded ones."""

import csv
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scheduler.config.scenario import JobStream, JobTrace
from scheduler.config.schema import Resources
from scheduler.model.errors import ConfigError
from simulations.arrivals import DAY_S, from_stream
from simulations.traces import from_trace

PRIORITIES = {"high": 75, "normal": 50}
SHARED = Path(os.environ.get("HEADROOM_DATA", Path(__file__).parents[2] / "../shared/data"))


def stream(**changes: object) -> JobStream:
    return JobStream(**{"name": "tune", "per_day": 50, "duration": "1h", **changes})


def test_a_stream_is_a_poisson_process_of_its_rate() -> None:
    found = list(from_stream(stream(), PRIORITIES, 1000.0, 1000.0 + 100 * DAY_S, seed=5))
    gaps = np.diff([arrival.at_s for arrival in found])
    assert len(found) == pytest.approx(5000, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05), "exponential gaps"
    assert all(1000.0 < arrival.at_s < 1000.0 + 100 * DAY_S for arrival in found)


@pytest.mark.parametrize("durations", ["fixed", "exponential", "lognormal"])
def test_durations_have_the_mean_asked_for(durations: str) -> None:
    found = list(from_stream(stream(durations=durations, sigma=0.8), PRIORITIES, 0.0, 200 * DAY_S, seed=5))
    assert np.mean([arrival.work.duration_s for arrival in found]) == pytest.approx(3600, rel=0.05)


def test_a_share_of_jobs_breaks_before_its_end() -> None:
    works = [a.work for a in from_stream(stream(failing=0.3), PRIORITIES, 0.0, 100 * DAY_S, seed=5)]
    assert np.mean([work.breaks for work in works]) == pytest.approx(0.3, abs=0.03)
    assert not any(a.work.breaks for a in from_stream(stream(), PRIORITIES, 0.0, 10 * DAY_S, seed=5))


def test_jobs_carry_what_the_stream_says() -> None:
    asked = stream(
        workers=2, resources=Resources(gpus=4), priority="high", queue="q", says_runtime=True, save="20s", start_up="2m"
    )
    first = next(from_stream(asked, PRIORITIES, 0.0, DAY_S, seed=1))
    assert (first.spec.name, first.spec.priority, first.spec.queue) == ("tune-1", 75, "q")
    assert (first.spec.gang.workers, first.spec.gang.shape.gpu_count) == (2, 4)
    assert (first.work.save_s, first.work.start_up_s) == (20.0, 120.0)
    assert first.spec.max_runtime_s == pytest.approx(2 * (first.work.duration_s + 120.0))


def test_streams_do_not_disturb_each_other() -> None:
    alone = list(from_stream(stream(), PRIORITIES, 0.0, DAY_S, seed=1))
    assert alone == list(from_stream(stream(), PRIORITIES, 0.0, DAY_S, seed=1))
    other = list(from_stream(stream(name="other"), PRIORITIES, 0.0, DAY_S, seed=1))
    assert [a.at_s for a in alone] != [a.at_s for a in other]
    assert alone != list(from_stream(stream(), PRIORITIES, 0.0, DAY_S, seed=2))


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    rows = [
        ("2017-09-04 10:00:00", 100.0, 1),
        ("2017-09-04 12:00:00", 300.0, 12),
        ("2017-09-04 11:00:00", 200.0, 8),
        ("2017-09-04 11:30:00", 0.0, 1),
        ("2017-09-04 11:40:00", 50.0, 64),
        ("2017-09-06 12:00:00", 300.0, 1),
    ]
    path = tmp_path / "trace.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["timestamp", "duration", "num_gpus"])
        writer.writerows(rows)
    return path


def test_a_trace_plays_in_order_from_the_start_and_leaves_out_what_cannot_be(trace_file: Path) -> None:
    found = list(from_trace(JobTrace(file=trace_file, max_gpus=16), PRIORITIES, 5000.0, 5000.0 + DAY_S, seed=1))
    assert [arrival.at_s - 5000.0 for arrival in found] == [0.0, 3600.0, 7200.0]
    assert [arrival.work.duration_s for arrival in found] == [100.0, 200.0, 300.0]
    gangs = [arrival.spec.gang for arrival in found]
    assert [(gang.workers, gang.shape.gpu_count) for gang in gangs] == [(1, 1), (1, 8), (2, 6)]
    assert gangs[1].shape.cpu_milli == 8 * gangs[0].shape.cpu_milli


def test_a_trace_can_begin_in_its_middle(trace_file: Path) -> None:
    trace = JobTrace(file=trace_file, first="2017-09-04T11:00:00Z")
    found = list(from_trace(trace, PRIORITIES, 0.0, 3000.0, seed=1))
    assert [(arrival.at_s, arrival.work.duration_s) for arrival in found] == [(0.0, 200.0)]


@pytest.mark.parametrize("content", ["timestamp,duration\n2017-01-01,5\n", "", "timestamp,duration,num_gpus\nxx,5,1\n"])
def test_a_corrupt_trace_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"bad\.csv"):
        list(from_trace(JobTrace(file=path), PRIORITIES, 0.0, DAY_S, seed=1))


def test_the_philly_trace_plays() -> None:
    path = SHARED / "gpu/philly_jobs_201709_201710.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path}: set HEADROOM_DATA")
    trace = JobTrace(file=path, first="2017-10-02T00:00:00Z")
    whole = list(from_trace(trace, PRIORITIES, 0.0, 7 * DAY_S, seed=1))
    part = list(from_trace(trace.model_copy(update={"share": 0.25}), PRIORITIES, 0.0, 7 * DAY_S, seed=1))
    assert len(whole) > 1000
    assert len(part) == pytest.approx(len(whole) / 4, rel=0.1)
    assert all(a.at_s <= b.at_s for a, b in pairwise(whole))
