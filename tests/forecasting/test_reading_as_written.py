"""Traffic as other tools write it: the same forecast as of the plain file, or the true reason."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.reading import read_series
from forecasting.series import SeriesError
from records.form import Form
from scheduler.cli.main import run
from scheduler.config.schema import ReplayTraffic as Section
from scheduler.telemetry.replay import ReplayTraffic

HOURS = pd.date_range("2024-03-01", periods=72, freq="h", tz="UTC")
VALUES = [round(40000 + 35000 * np.sin(2 * np.pi * (hour.hour - 9) / 24)) for hour in HOURS]


def written(folder: Path, lines: list[str], head: str = "timestamp,requests", name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    return path


def lines_of(time_format: str) -> list[str]:
    return [f"{at:{time_format}},{value}" for at, value in zip(HOURS, VALUES, strict=True)]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    return written(tmp_path, lines_of("%Y-%m-%dT%H:%M:%SZ"), name="plain.csv")


def forecast(path: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str, str]:
    code = run(["forecast", str(path), "--horizon", "2h", "-o", "json", *flags])
    out, err = capsys.readouterr()
    return code, json.dumps(json.loads(out)["item"]["points"]) if out else "", err


def test_days_first_are_refused_until_they_are_said(
    plain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, lines_of("%d/%m/%Y %H:%M"))
    code, _, err = forecast(path, capsys)
    assert code == 2
    fault = json.loads(err)["error"]
    assert (fault["line"], fault["field"]) == (2, "timestamp")
    assert '"01/03/2024 00:00" is 1 March or 3 January' in fault["message"]
    assert "--time-format day-first or month-first" in fault["help"]
    assert forecast(path, capsys, "--time-format", "day-first", "--utc-times") == forecast(plain, capsys)
    assert forecast(path, capsys, "--time-format", "%H:%M")[0] == 2
    assert forecast(path, capsys, "--decimal", ".", "--thousands", ".")[0] == 2


def test_several_series_in_one_file_are_told_by_the_column_that_differs(tmp_path: Path) -> None:
    doubled = [
        f"{line.split(',')[0]},{wiki},{line.split(',')[1]}" for line in lines_of("%F %T") for wiki in ("de", "en")
    ]
    with pytest.raises(SeriesError, match=r'another "project": several series in one file \(de, en\)') as refused:
        read_series(written(tmp_path, doubled, "timestamp,project,requests"))
    assert refused.value.line == 3
    assert "keep the rows of one project" in refused.value.help


def test_rows_that_come_again_alike_are_one_and_rows_in_no_order_sorted(plain: Path, tmp_path: Path) -> None:
    said: list[str] = []
    lines = lines_of("%Y-%m-%dT%H:%M:%SZ")
    found = read_series(written(tmp_path, [*lines[40:], *lines[:41]]), say=said.append)
    np.testing.assert_array_equal(found.values, read_series(plain).values)
    assert said == [
        "t.csv: 1 row came before, alike in all columns: taken once",
        "t.csv: rows are in no order of time: sorted",
    ]
    with pytest.raises(SeriesError, match=r"there before \(line 2\), with another value"):
        read_series(written(tmp_path, [*lines, lines[0] + "1"]))


def test_a_row_from_another_century_does_not_make_millions_of_bins(tmp_path: Path) -> None:
    lines = [f"2024-03-01T00:{minute:02}:00Z,1" for minute in range(60)]
    with pytest.raises(SeriesError, match=r"54\.2 years after the one before it") as refused:
        read_series(written(tmp_path, ["1970-01-01T00:00:00Z,1", *lines]))
    assert refused.value.line == 3


def test_every_other_hour_may_be_missing(tmp_path: Path) -> None:
    lines = lines_of("%Y-%m-%dT%H:%M:%SZ")
    kept = [line for number, line in enumerate(lines) if number % 2 == 0 or number < 20]
    assert read_series(written(tmp_path, kept)).step_s == 3600


@pytest.mark.parametrize("day", ["2024-03-30", "2024-10-26"])
def test_local_times_are_those_of_the_zone_through_both_changes_of_clocks(
    day: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moments = pd.date_range(day, periods=72, freq="h", tz="UTC")
    rows = [f"{at.tz_convert('Europe/Berlin'):%F %T},{n}" for n, at in enumerate(moments)]
    path = written(tmp_path, rows)
    found = read_series(path, zone="Europe/Berlin", form=Form(local_times=True, zone="Europe/Berlin"))
    assert found.start_s == moments[0].timestamp()
    np.testing.assert_allclose(np.asarray(found.values) * 3600, np.arange(72))
    code, _, err = forecast(path, capsys, "--zone", "Europe/Berlin")
    if day == "2024-03-30":
        assert "times without an offset are taken for UTC" in err
        assert "the hour is missing that clocks of Europe/Berlin go over in spring" in err
    else:
        assert code == 2
        assert "it is the hour that comes twice when clocks of Europe/Berlin go back: --local-times" in err


def test_local_days_are_days_though_clocks_make_two_of_them_longer_and_shorter(tmp_path: Path) -> None:
    said: list[str] = []
    days = pd.date_range("2024-03-20", periods=20, freq="D")
    path = written(tmp_path, [f"{day:%F},{86400 * n}" for n, day in enumerate(days)])
    found = read_series(path, form=Form(local_times=True, zone="Europe/Berlin"), say=said.append)
    np.testing.assert_allclose(found.values, np.arange(20))
    assert "days begin an hour earlier or later" in said[0]


def test_the_pageviews_api_is_in_utc_and_its_refusal_is_passed_on(tmp_path: Path) -> None:
    said: list[str] = []
    items = [{"timestamp": f"{at:%Y%m%d%H}", "views": value} for at, value in zip(HOURS, VALUES, strict=True)]
    path = tmp_path / "v.json"
    path.write_text(json.dumps({"items": items}), encoding="utf-8")
    assert read_series(path, say=said.append).start_s == HOURS[0].timestamp()
    assert not [text for text in said if "taken for UTC" in text]
    path.write_text(json.dumps({"title": "Not found.", "detail": "no data for those dates"}), encoding="utf-8")
    with pytest.raises(SeriesError, match="no data for those dates"):
        read_series(path)


def test_days_that_the_pageviews_api_leaves_out_are_told(tmp_path: Path) -> None:
    said: list[str] = []
    items = [{"timestamp": f"202401{day:02}00", "views": day} for day in (1, 2, 4, 5, 6, 9, 10)]
    path = tmp_path / "v.json"
    path.write_text(json.dumps({"items": items}), encoding="utf-8")
    assert int(np.isnan(read_series(path, say=said.append).values).sum()) == 3
    assert any("3 of 10 bins are not in the answer" in text for text in said)


def test_a_row_without_a_time_is_left_out_and_told(plain: Path, tmp_path: Path) -> None:
    said: list[str] = []
    lines = lines_of("%Y-%m-%dT%H:%M:%SZ")
    found = read_series(written(tmp_path, [*lines, ",99999"]), say=said.append)
    np.testing.assert_array_equal(found.values, read_series(plain).values)
    assert said == [f"t.csv: left out: 1 row without timestamp (line {len(lines) + 2})"]


def test_a_configuration_says_the_same_as_the_flags(plain: Path, tmp_path: Path) -> None:
    path = written(
        tmp_path, [line.replace(",", ";") + ",0" for line in lines_of("%d.%m.%Y %H:%M")], "timestamp;requests"
    )
    keys = {"time_format": "day-first", "local_times": False, "decimal": ",", "thousands": "none"}
    section = Section.model_validate({"kind": "replay", "file": path, **keys})
    found = ReplayTraffic.from_file(section.file, form=section.form)
    np.testing.assert_array_equal(found.series.values, read_series(plain).values)
    assert found.series.start_s == HOURS[0].timestamp()
