"""Recorded traffic: nothing from the future, exact rates, and files that are wrong are named."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.series import Series
from scheduler.model.errors import ConfigError
from scheduler.telemetry.replay import ReplayTraffic

HOUR_S = 3600
RATES = np.array([10.0, 20.0, np.nan, 40.0, 30.0])
START_S = 1_350_259_200


@pytest.fixture
def played() -> ReplayTraffic:
    """Play five hours, of which one is missing."""
    return ReplayTraffic(Series(START_S, HOUR_S, RATES, "Europe/Berlin"))


@given(st.floats(-7200, 6 * HOUR_S))
def test_nothing_from_the_future_is_known(after_s: float) -> None:
    traffic = ReplayTraffic(Series(START_S, HOUR_S, RATES)).read(START_S + after_s)
    assert traffic.series.end_s <= max(START_S, START_S + after_s)
    assert traffic.latest_at_s <= START_S + after_s
    np.testing.assert_array_equal(traffic.series.values, RATES[: len(traffic.series)])


def test_an_open_bin_is_not_in_the_history(played: ReplayTraffic) -> None:
    assert len(played.read(START_S + 2 * HOUR_S - 1.0).series) == 1
    assert len(played.read(START_S + 2.0 * HOUR_S).series) == 2
    assert played.read(START_S + 2.0 * HOUR_S).series.zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("hours", "rate"), [(0.5, 10.0), (1.0, 15.0), (1.5, 20.0), (2.5, 30.0), (4.5, 30.0), (4.9, 30.0)]
)
def test_the_rate_of_now_lies_between_the_centres_of_known_bins(
    played: ReplayTraffic, hours: float, rate: float
) -> None:
    assert played.rate_at(START_S + hours * HOUR_S) == pytest.approx(rate)
    assert played.read(START_S + hours * HOUR_S).latest_rps == pytest.approx(rate)


def test_before_and_after_the_record_nothing_is_measured_and_the_last_value_ages(played: ReplayTraffic) -> None:
    assert np.isnan(played.read(START_S - 1.0).latest_rps)
    after = played.read(START_S + 9.0 * HOUR_S)
    assert np.isnan(after.latest_rps)
    assert after.latest_at_s == START_S + 5 * HOUR_S


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_files_of_requests_per_bin_become_rates(tmp_path: Path, suffix: str) -> None:
    stamps = pd.date_range("2012-10-15", periods=3, freq="h", tz="UTC")
    table = pd.DataFrame({"at": stamps, "views": [3600, 7200, 10800]})
    path = tmp_path / f"traffic{suffix}"
    table.to_parquet(path) if suffix == ".parquet" else table.to_csv(path, index=False)
    played = ReplayTraffic.from_file(path, timestamp="at", value="views", scale=10.0, shift_s=7 * 86400)
    assert played.series.start_s == START_S + 7 * 86400
    np.testing.assert_allclose(played.series.values, [10.0, 20.0, 30.0])


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("timestamp,requests\n2012-10-15T00:00Z,1\n2012-10-15T01:00Z,oops\n", r"bad\.csv:3: "),
        ("timestamp,requests\n2012-10-15T00:00Z,1\nnoon,2\n", r"bad\.csv:3: "),
        ("timestamp,requests\n2012-10-15T00:00Z,1\n2012-10-15T01:00Z,-2\n", r"bad\.csv:3: "),
        ("timestamp,views\n2012-10-15T00:00Z,1\n", r"bad\.csv: requests: there is no such column"),
        ("", r"bad\.csv: "),
    ],
)
def test_a_corrupt_file_is_named_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=where) as caught:
        ReplayTraffic.from_file(path)
    assert caught.value.faults[0].file == str(path)


def test_a_torn_archive_and_an_absent_file_are_named(tmp_path: Path) -> None:
    torn = tmp_path / "torn.csv.gz"
    torn.write_bytes(gzip.compress(b"timestamp,requests\n" + b"2012-10-15T00:00Z,1\n" * 200)[:40])
    for path in (torn, tmp_path / "absent.csv"):
        with pytest.raises(ConfigError, match=path.name):
            ReplayTraffic.from_file(path)


def test_a_record_without_values_is_refused() -> None:
    with pytest.raises(ConfigError, match="without a single value"):
        ReplayTraffic(Series(START_S, HOUR_S, np.full(3, np.nan)))
