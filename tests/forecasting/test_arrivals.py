"""Records of single arrivals: counted in bins, and backtested."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.arrivals import read_arrivals
from forecasting.series import SeriesError
from scheduler.cli.main import run

BEGIN_S = 1_325_462_400
"""2012-01-02 00:00 UTC, a Monday."""


def written(folder: Path, moments: object, name: str = "jobs.csv.gz") -> Path:
    path = folder / name
    pd.DataFrame({"timestamp": moments, "gpus": 1}).to_csv(path, index=False)
    return path


def test_each_row_is_counted_in_its_bin_and_bins_without_any_are_nothing(tmp_path: Path) -> None:
    """The cut bins at both ends are left out: nobody knows what was before the first row."""
    after_s = np.array([1170, 60, 299, 300, 301, 899, 1800, 2000])
    series = read_arrivals(written(tmp_path, pd.to_datetime(BEGIN_S + after_s, unit="s")), 300, zone="Europe/Berlin")
    assert (series.start_s, series.step_s, series.zone) == (BEGIN_S + 300, 300, "Europe/Berlin")
    np.testing.assert_allclose(np.asarray(series.values) * 300, [2, 1, 1, 0, 0])


@pytest.mark.parametrize("step_s", [60, 300, 3600])
def test_no_arrival_is_lost_or_counted_twice(tmp_path: Path, step_s: int) -> None:
    after_s = np.sort(np.random.default_rng(0).uniform(0, 86400, 5000))
    series = read_arrivals(written(tmp_path, BEGIN_S + after_s), step_s)
    inside = (BEGIN_S + after_s >= series.start_s) & (BEGIN_S + after_s < series.end_s)
    assert np.sum(series.values) * step_s == pytest.approx(inside.sum())
    assert inside.sum() > 0.9 * 5000


def test_seconds_and_dates_say_the_same(tmp_path: Path) -> None:
    after_s = np.sort(np.random.default_rng(1).integers(0, 86400, 500))
    dates = pd.to_datetime(BEGIN_S + after_s, unit="s").strftime("%Y-%m-%dT%H:%M:%SZ")
    one = read_arrivals(written(tmp_path, dates), 300)
    other = read_arrivals(written(tmp_path, BEGIN_S + after_s, "seconds.csv"), 300)
    assert one.start_s == other.start_s
    np.testing.assert_array_equal(one.values, other.values)


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        (["2012-01-02T00:00:00Z", "soon"], r'jobs\.csv:3: timestamp: "soon" is not a time'),
        ([1.0, float("nan"), 2.0], r'jobs\.csv:3: timestamp: "" is not a time'),
        ([0.0, 100.0], "span less than two bins"),
        ([], "no rows"),
    ],
)
def test_what_is_no_record_of_arrivals_is_said(tmp_path: Path, moments: list[object], said: str) -> None:
    with pytest.raises(SeriesError, match=said):
        read_arrivals(written(tmp_path, moments, "jobs.csv"), 300)


def test_a_missing_column_or_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="no such file"):
        read_arrivals(tmp_path / "none.csv", 300)
    with pytest.raises(SeriesError, match="when: there is no such column"):
        read_arrivals(written(tmp_path, [1.0]), 300, timestamp="when")


def test_jobs_that_arrived_can_be_backtested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(2)
    after_s = np.sort(random.uniform(0, 30 * 86400, 9000))
    path = written(tmp_path, pd.to_datetime(BEGIN_S + after_s, unit="s"))
    flags = ["--arrivals", "5m", "--horizons", "15m", "--every", "70h", "--models", "headroom,seasonal-naive"]
    assert run(["backtest", str(path), *flags]) == 0
    assert "PEAK 15m" in capsys.readouterr().out
