"""Files: what is read, and what is said of what cannot be."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.reading import read_series
from forecasting.series import SeriesError


def written(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_totals_become_rates_and_absent_hours_gaps(tmp_path: Path) -> None:
    rows = ("00:00:00,3600", "01:00:00,", "04:00:00,7200", "05:00:00,1")
    text = "timestamp,requests\n" + "".join(f"2012-01-02 {row}\n" for row in rows)
    series = read_series(written(tmp_path, text), zone="Europe/Berlin")
    assert (series.start_s, series.step_s, series.zone) == (1325462400, 3600, "Europe/Berlin")
    np.testing.assert_allclose(series.values, [1, np.nan, np.nan, np.nan, 2, 1 / 3600])


def test_rates_stay_rates_and_rows_may_be_out_of_order(tmp_path: Path) -> None:
    text = "at,rps\n2012-01-02T00:01:00Z,2\n2012-01-02T00:00:00Z,1\n2012-01-02T00:02:00Z,3\n"
    series = read_series(written(tmp_path, text), timestamp="at", value="rps", per_bin=False)
    assert (series.step_s, list(series.values)) == (60, [1, 2, 3])


def test_parquet_and_compressed_csv_read_alike(tmp_path: Path) -> None:
    frame = pd.DataFrame({"timestamp": pd.date_range("2012-01-02", periods=5, freq="h"), "requests": range(5)})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    a, b = read_series(tmp_path / "t.parquet"), read_series(tmp_path / "t.csv.gz")
    assert a.start_s == b.start_s
    np.testing.assert_array_equal(a.values, b.values)


def test_pageviews_json(tmp_path: Path) -> None:
    items = [{"project": "de.wikipedia", "timestamp": f"20160101{h:02}", "views": 3600 * h} for h in range(4)]
    series = read_series(written(tmp_path, json.dumps({"items": items}), "v.json"))
    assert series.start_s == 1451606400
    assert list(series.values) == [0, 1, 2, 3]


HEAD = "timestamp,requests\n2012-01-02 00:00:00,1\n2012-01-02 01:00:00,2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "2012-01-02 02:00:00,many\n", r't\.csv:4: requests: "many" is not a number'),
        (HEAD + "yesterday,3\n", r't\.csv:4: timestamp: "yesterday" is not a time'),
        (HEAD + "2012-01-02 02:00:00,-3\n", r't\.csv:4: requests: "-3" is not a number of 0 or more'),
        (
            HEAD + "2012-01-02 01:30:00,3\n2012-01-02 03:00:00,3\n2012-01-02 04:00:00,3\n",
            r't\.csv:4: timestamp: "2012-01-02 01:30:00" is a time off the step',
        ),
        (
            HEAD + "2012-01-02 01:00:00,3\n2012-01-02 02:00:00,1\n",
            r't\.csv:4: timestamp: "2012-01-02 01:00:00" is a time that was there before \(line 3\)',
        ),
        ("when,requests\n2012-01-02,1\n", r"t\.csv: timestamp: there is no such column"),
        ("timestamp,requests\n2012-01-02,1\n", r"t\.csv: 1 rows are too few"),
        ("", r"t\.csv: the file is empty"),
        ("timestamp,requests\n2010-01-01,1\n2011-01-01,1\n", r"t\.csv: the step is 31536000 s"),
    ],
)
def test_faults_name_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        read_series(written(tmp_path, text))


@pytest.mark.parametrize("text", ["{", "[]", '{"items": 3}'])
def test_json_that_is_no_answer_of_the_api(tmp_path: Path, text: str) -> None:
    with pytest.raises(SeriesError, match=r"v\.json"):
        read_series(written(tmp_path, text, "v.json"))


def test_corrupt_files_and_no_file(tmp_path: Path) -> None:
    for name in ("t.csv.gz", "t.parquet"):
        (tmp_path / name).write_bytes(b"\x1f\x8bnot really")
        with pytest.raises(SeriesError, match="not readable"):
            read_series(tmp_path / name)
    with pytest.raises(SeriesError, match="no such file"):
        read_series(tmp_path / "absent.csv")


def test_real_english_series_shows_its_missing_hours(data: Path) -> None:
    series = read_series(data / "wikipedia" / "enwiki_hourly_2010_2013.csv.gz")
    assert series.step_s == 3600
    assert (~series.known).sum() >= 744
