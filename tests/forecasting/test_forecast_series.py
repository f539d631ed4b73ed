"""Series: what is refused, cut and resampled."""

import numpy as np
import pytest

from forecasting.series import Series, SeriesError


@pytest.mark.parametrize(
    ("step_s", "values", "zone", "word"),
    [
        (59, [1.0], "UTC", "step"),
        (86401, [1.0], "UTC", "step"),
        (3600, [1.0, -1.0], "UTC", "index 1 is negative"),
        (3600, [np.inf], "UTC", "index 0 is infinite"),
        (3600, [[1.0]], "UTC", "shape"),
        (3600, [1.0], "Mars/Olympus", "Mars/Olympus"),
    ],
)
def test_refuses_what_no_forecast_could_rest_on(step_s: int, values: list[float], zone: str, word: str) -> None:
    with pytest.raises(SeriesError, match=word):
        Series(0, step_s, np.array(values), zone)


def test_error_says_file_line_and_column() -> None:
    error = SeriesError("is not a number", file="a.csv", line=7, column="requests")
    assert str(error) == "a.csv:7: requests: is not a number"
    assert isinstance(error, ValueError)


def test_values_cannot_be_written_to_nor_changed_from_outside() -> None:
    mine = np.ones(3)
    series = Series(0, 3600, mine)
    mine[0] = 5
    assert series.values[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        series.values[0] = 2


def test_between_keeps_whole_bins_only() -> None:
    series = Series(0, 3600, np.arange(5.0))
    cut = series.between(1800, 4 * 3600 + 1800)
    assert (cut.start_s, cut.values.tolist()) == (3600, [1, 2, 3])
    assert len(series.between(-100, 10)) == 0
    assert len(series.between(10**6, 2 * 10**6)) == 0
    assert series.until(7200).values.tolist() == [0, 1]


def test_resample_to_longer_bins_is_the_mean_of_what_is_known() -> None:
    series = Series(0, 900, np.array([1.0, 2, 3, 4, 5, np.nan, np.nan, np.nan, 7, np.nan, 9, np.nan, 1]))
    hourly = series.resample(3600)
    assert hourly.step_s == 3600
    np.testing.assert_allclose(hourly.values, [2.5, np.nan, 8.0])


def test_resample_aligns_to_the_clock_and_keeps_totals() -> None:
    series = Series(420, 420, np.arange(1.0, 41.0))
    hourly = series.resample(3600)
    assert hourly.start_s == 3600
    minutes = np.repeat(series.values, 7)[53 : 53 + 60]
    assert hourly.values[0] == pytest.approx(minutes.mean())


def test_resample_to_shorter_bins_repeats_values() -> None:
    assert Series(0, 3600, np.array([1.0, 2.0])).resample(1800).values.tolist() == [1, 1, 2, 2]


def test_empty_series_is_a_series() -> None:
    assert Series(0, 3600, np.empty(0)).end_s == 0
