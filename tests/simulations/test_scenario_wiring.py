"""Promises of the way from a scenario to a run."""

from pathlib import Path

import numpy as np
import pytest

from scheduler.config.scenario import Scenario
from scheduler.model.errors import ConfigError
from scheduler.model.hosts import devices_offered
from simulations.wiring import setup_of


def scenario(**changes: object) -> Scenario:
    plain = {
        "scenario": "small",
        "start": "2012-06-04T02:00:00+02:00",
        "days": 2,
        "hosts": [{"name": "g", "count": 2, "cpus": 8, "memory": "16Gi", "gpus": 4, "gpu_model": "MI210"}],
        "jobs": {"streams": [{"name": "s", "per_day": 20, "duration": "1h", "resources": {"gpus": 2}, "workers": 2}]},
    }
    return Scenario.model_validate({**plain, **changes})


def test_times_hosts_and_numbers_arrive() -> None:
    setup = setup_of(scenario(control={"period": "2m"}, lead_in="1h", idle_period="10m"), seed=1)
    assert (setup.start_s, setup.end_s) == (1338768000.0, 1338768000.0 + 2 * 86400)
    assert (setup.lead_in_s, setup.idle_period_s, setup.settings.period_s) == (3600.0, 600.0, 120.0)
    assert [(host.name, host.cpu_milli, len(host.devices), host.gpu_model) for host in setup.hosts] == [
        ("g1", 8000, 4, "MI210"),
        ("g2", 8000, 4, "MI210"),
    ]
    assert all(setup.start_s < arrival.at_s < setup.end_s for arrival in setup.arrivals)


def test_partitioned_accelerators_arrive_as_their_parts() -> None:
    host = {"name": "p", "gpus": 2, "gpu_model": "MI300X", "gpu_memory": "192Gi", "gpu_partitions": 8}
    (made,) = setup_of(scenario(hosts=[host], jobs={"streams": []}), seed=1).hosts
    assert made.devices == devices_offered(2, 192 * 1024, 8)


def test_reactive_is_said_by_the_file() -> None:
    assert not setup_of(scenario(), seed=1).settings.reactive
    assert setup_of(scenario(control={"reactive": True}), seed=1).settings.reactive


def test_a_gang_that_never_fits_is_refused_as_it_would_be_live() -> None:
    stream = {"name": "huge", "per_day": 20, "duration": "1h", "resources": {"gpus": 8}}
    with pytest.raises(ConfigError, match="huge-1: this gang can never run"):
        setup_of(scenario(jobs={"streams": [stream]}), seed=1)


def test_the_load_is_the_traffic_of_the_file(tmp_path: Path) -> None:
    rows = [f"2012-06-0{day} {hour:02}:00:00,{3600 * (10 * day + hour)}" for day in (4, 5) for hour in range(24)]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,requests", *rows]) + "\n")
    traffic = {"t": {"kind": "replay", "file": tmp_path / "t.csv", "scale": 2.0}}
    setup = setup_of(scenario(traffic=traffic, noise={"poisson": False}), seed=1)
    half_past = setup.start_s + np.array([1800.0, 2 * 3600.0])
    assert setup.loads["t"](half_past) == pytest.approx([80.0, 83.0])
    assert setup.sources["t"].read(setup.start_s + 7200.0).latest_rps == pytest.approx(83.0, rel=1e-3), (
        "of the minute before"
    )
