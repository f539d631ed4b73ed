"""A raw counter is told from a load by its name and by what it does; a load that rises for a while is no counter."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.errors import ConfigError
from scheduler.telemetry.counters import asks_for_a_counter, looks_counted, rated
from scheduler.telemetry.replay import ReplayTraffic

HOUR_S = 3600.0


def load(hours: int, seed: int = 0, rps: float = 10.0) -> Any:
    """Return requests per hour of a load with days, weeks and chance."""
    at = np.arange(hours)
    usual = rps * (1 + 0.6 * np.sin(2 * np.pi * at / 24)) * (1 - 0.2 * (at // 24 % 7 >= 5))
    return np.random.default_rng(seed).poisson(usual * HOUR_S).astype(float)


def counter(hours: int, seed: int = 0, every: int = 0, rps: float = 10.0) -> Any:
    """Return what a counter of that load stands at after each hour; it begins anew every so many hours."""
    total, read = 0.0, []
    for hour, grown in enumerate(load(hours, seed, rps)):
        total = grown / 2 if every and hour % every == every - 1 else total + grown
        read.append(total)
    return np.array(read)


@given(st.integers(0, 10**6), st.sampled_from([0, 24, 60, 150]), st.sampled_from([72, 24 * 14, 24 * 42]))
def test_counters_are_recognised_with_and_without_resets(seed: int, every: int, hours: int) -> None:
    assert looks_counted(counter(hours, seed, every), HOUR_S)


@given(st.integers(0, 10**6), st.integers(2, 8))
def test_several_counters_added_up_are_one(seed: int, instances: int) -> None:
    total = sum(counter(24 * 21, seed + i, every=97 + 31 * i) for i in range(instances))
    assert looks_counted(total, HOUR_S)


@given(st.integers(0, 10**6), st.floats(0.5 / HOUR_S, 3 / HOUR_S))
def test_a_slow_counter_with_gaps_is_one(seed: int, rps: float) -> None:
    values = counter(24 * 42, seed, rps=rps)
    values[np.random.default_rng(seed).random(len(values)) < 0.1] = np.nan
    assert looks_counted(values, HOUR_S)


@given(st.integers(0, 10**6), st.sampled_from([0.0001, 0.001, 0.1, 10.0]), st.sampled_from([24, 48, 24 * 14, 24 * 42]))
def test_loads_are_none(seed: int, rps: float, hours: int) -> None:
    assert not looks_counted(load(hours, seed, rps), HOUR_S)


@pytest.mark.parametrize(
    ("values", "step_s"),
    [
        (np.arange(10.0), HOUR_S),  # the ramp of a morning
        (100 * 1.02 ** np.arange(40), HOUR_S),  # a launch, not two days ago
        (np.linspace(5, 50, 600), 60.0),  # minutes of a morning
        (np.full(1000, 7.0), HOUR_S),
        (np.r_[np.full(500, 5.0), np.full(500, 9.0)], HOUR_S),
        (np.r_[np.zeros(500), load(200)], HOUR_S),
        (np.full(100, np.nan), HOUR_S),
        (np.empty(0), HOUR_S),
    ],
)
def test_what_only_rises_for_a_while_or_hardly_changes_is_none(values: Any, step_s: float) -> None:
    assert not looks_counted(values, step_s)


@pytest.mark.parametrize(
    ("query", "is_one"),
    [
        ("http_requests_total", True),
        ('sum(http_requests_total{job="x"})', True),
        ("sum(rate(http_requests_total[5m]))", False),
        ("sum by (x) (increase(http_requests_total[1h])) / 3600", False),
        ("job:requests:rate5m", False),
        ("requests_in_flight", False),
        ("latency_seconds_count", True),
        ("histogram_quantile(0.9, latency_seconds_bucket)", False),
    ],
)
def test_a_query_that_names_a_counter_needs_little_more(query: str, *, is_one: bool) -> None:
    assert asks_for_a_counter(query, np.array([5.0, 7.0, 9.0, 12.0])) is is_one
    assert not asks_for_a_counter(query, np.array([5.0, 7.0, 3.0, 6.0, 2.0]))


@pytest.mark.parametrize(
    ("query", "better"),
    [
        ("http_requests_total", "sum(rate(http_requests_total[5m]))"),
        ('sum(http_requests_total{job="x"})', 'sum(rate(http_requests_total{job="x"}[5m]))'),
        ("sum by (code) (a_total)", "sum by (code)(rate(a_total[5m]))"),
        ("a_total + b_total", "rate(…[5m]) around the counter, inside of sum(…)"),
    ],
)
def test_the_query_to_write_is_said(query: str, better: str) -> None:
    assert rated(query) == better


def test_a_file_with_a_counter_is_refused_before_it_is_played(tmp_path: Path) -> None:
    rows = [f"2024-01-{1 + h // 24:02}T{h % 24:02}:00:00Z,{v:.0f}" for h, v in enumerate(counter(24 * 20, every=90))]
    file = tmp_path / "counter.csv"
    file.write_text("\n".join(["timestamp,requests", *rows]))
    with pytest.raises(ConfigError, match="requests is a counter, not requests per bin") as caught:
        ReplayTraffic.from_file(file)
    assert "rate(requests[5m])" in caught.value.faults[0].help
    rows = [f"2024-01-{1 + h // 24:02}T{h % 24:02}:00:00Z,{v:.0f}" for h, v in enumerate(load(24 * 20))]
    file.write_text("\n".join(["timestamp,requests", *rows]))
    assert len(ReplayTraffic.from_file(file).series) == 24 * 20
