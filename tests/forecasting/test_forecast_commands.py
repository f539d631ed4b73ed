"""`headroom forecast FILE` and `headroom backtest`: output, pictures, and what is said of bad input."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting import Series
from scheduler.cli.main import run


@pytest.fixture
def file(hourly: Series, tmp_path: Path) -> Path:
    """A CSV of the shared series."""
    stamps = pd.to_datetime(hourly.start_s + 3600 * np.arange(len(hourly)), unit="s")
    path = tmp_path / "traffic.csv"
    pd.DataFrame({"timestamp": stamps, "requests": 3600 * np.asarray(hourly.values)}).to_csv(path, index=False)
    return path


def test_forecast_of_a_file_for_people(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--utc", "forecast", str(file), "--horizon", "3h"]) == 0
    out = capsys.readouterr().out
    assert "rests on 84 days of history" in out
    assert "P10\tP50\tP90\tP99\tLIKELY AT (UTC)" in out
    assert [line.split("\t")[0] for line in out.splitlines()[-3:]] == ["00:00", "01:00", "02:00"]


def test_forecast_of_a_file_for_programs(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", str(file), "--horizon", "12h", "--quantiles", "0.5,0.99", "-o", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    item = found["item"]
    assert len(item["points"]) == 12
    assert item["points"][0]["at"] == found["observedAt"] == "2012-03-26T00:00:00Z"
    assert [p["window_s"] for p in item["peaks"]] == [3600, 21600, 86400, 604800]
    assert all(p["p50"] <= p["p99"] for p in item["points"] + item["peaks"])
    assert item["basis"]["history_s"] == 84 * 86400


def test_pictures_are_drawn(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    one, two = tmp_path / "f.png", tmp_path / "b.png"
    assert run(["forecast", str(file), "--plot", str(one)]) == 0
    flags = ["--models", "headroom,seasonal-naive", "--every", "200h", "--plot", str(two)]
    assert run(["backtest", str(file), *flags]) == 0
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in (one, two))
    assert f"picture in {one}" in capsys.readouterr().err


def test_backtest_prints_scores_and_progress(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--models", "headroom,seasonal-naive", "--every", "100h", "--horizons", "6h,24h"]
    assert run(["backtest", str(file), *flags]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split("\t")[:3] == ["MODEL", "PEAK 6h", "PEAK 24h"]
    assert [line.split("\t")[0] for line in out.splitlines()[2:4]] == ["headroom", "seasonal-naive"]
    assert "headroom  10 of 10 origins" in err


def test_backtest_as_json_from_a_date(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--models", "headroom", "--every", "100h", "--train-until", "2012-03-10", "--json"]
    assert run(["backtest", str(file), *flags]) == 0
    assert set(json.loads(capsys.readouterr().out)["models"]) == {"headroom"}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--value", "hits"], "traffic.csv: hits: there is no such column"),
        (["--zone", "Mars/Olympus"], "Mars/Olympus"),
        (["--models", "oracle"], 'no model "oracle"'),
        (["--every", "soon"], "--every"),
        (["--horizons", "0s"], "no time at all"),
        (["--train-until", "easter"], "not a date"),
        (["--train-until", "2030-01-01"], "too short"),
    ],
)
def test_bad_input_of_a_backtest(file: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backtest", str(file), *flags]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("levels", ["0.5,high", "1.5", "0"])
def test_quantiles_that_are_none(file: Path, levels: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["forecast", str(file), "--quantiles", levels]) == 2
    assert "--quantiles" in capsys.readouterr().err


def test_a_file_with_a_fault_says_the_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("timestamp,requests\n2012-01-01,1\n2012-01-02,one\n", encoding="utf-8")
    assert run(["forecast", str(path)]) == 2
    err = capsys.readouterr().err
    assert 'bad.csv:3: requests: "one" is not a number' in err
    assert "help: correct or remove the row" in err


def test_a_calendar_changes_its_days_and_no_other(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = tmp_path / "days.txt"
    days.write_text("2012-03-28 a Wednesday\n", encoding="utf-8")
    middles = []
    for flags in ([], ["--holidays", str(days)]):
        assert run(["forecast", str(file), "--horizon", "96h", *flags, "-o", "json"]) == 0
        points = json.loads(capsys.readouterr().out)["item"]["points"]
        middles.append(np.array([point["p50"] for point in points]))
    usual, known = middles
    changed = np.flatnonzero(known != usual)
    assert (changed[0], changed[-1]) == (48, 71)
    flags = ["--models", "headroom", "--every", "300h", "--holidays", str(days)]
    assert run(["backtest", str(file), *flags]) == 0
    days.write_text("soon\n", encoding="utf-8")
    assert run(["forecast", str(file), "--holidays", str(days)]) == 2
    assert 'days.txt:1: "soon" is not a date' in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["parquet", "json"])
def test_other_forms_of_the_same_file_give_the_same_forecast(
    file: Path, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(file)
    other = tmp_path / f"traffic.{ending}"
    if ending == "parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(other)
    else:
        stamps = pd.to_datetime(table["timestamp"]).dt.strftime("%Y%m%d%H")
        items = [{"timestamp": at, "views": views} for at, views in zip(stamps, table["requests"], strict=True)]
        other.write_text(json.dumps({"items": items}), encoding="utf-8")
    found = []
    for path in (file, other):
        assert run(["forecast", str(path), "-o", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["item"])
    assert found[0]["points"] == found[1]["points"]
    assert found[0]["peaks"] == found[1]["peaks"]


def test_a_fleet_is_forecast_and_timed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--series", "3", "--weeks", "6", "--horizon", "24h", "--workers", "1"]
    assert run(["bench", "forecast-fleet", str(file), *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["series"], found["workers"], found["horizon_s"]) == (3, 1, 86400)
    assert found["cpu_s"] > 0
    assert run(["bench", "forecast-fleet", str(file), *flags]) == 0
    assert "3 series of 6 weeks, 24 h ahead, 1 processes" in capsys.readouterr().out
    assert run(["bench", "forecast-fleet", str(file), "--weeks", "99"]) == 2
    assert "ask for fewer --weeks" in capsys.readouterr().err


def test_a_forecast_from_a_moment_of_the_past_knows_nothing_of_later(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.read_csv(file)
    early = tmp_path / "early.csv"
    table[table["timestamp"] < "2012-03-12"].to_csv(early, index=False)
    found = []
    for path, flags in ((file, ["--from", "2012-03-12"]), (early, [])):
        assert run(["forecast", str(path), *flags, "-o", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["item"]["points"])
    assert found[0] == found[1]
    pytest.importorskip("matplotlib")
    picture = tmp_path / "past.svg"
    assert run(["forecast", str(file), "--from", "2012-03-12", "--plot", str(picture)]) == 0
    assert "p99 of the peak" not in capsys.readouterr().out
    assert picture.stat().st_size > 10_000
    assert run(["forecast", str(file), "--from", "easter"]) == 2


def test_several_series_in_one_run(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(file.read_bytes())
    sources = [f"{file}@Europe/Berlin", f"{other}@2012-01-10..2012-03-20"]
    flags = ["--models", "headroom,seasonal-naive", "--every", "150h", "--horizons", "6h,24h"]
    assert run(["backtest", *sources, *flags]) == 0
    out = capsys.readouterr().out
    assert "2 series" in out
    assert "headroom over the others, below 1 is better" in out
    assert "traffic.csv@Europe/Berlin: " in out
    assert "other.csv@2012-01-10..2012-03-20: " in out
    assert run(["backtest", *sources, *flags, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    each = found["series"]
    assert list(each) == sources
    assert found["origins"] == sum(part["origins"] for part in each.values())
    own = [part["models"]["headroom"]["mase_24h"] for part in each.values()]
    assert own[0] != own[1]
    assert found["models"]["headroom"]["mase_24h"] == pytest.approx(np.mean(own))


def test_a_quarter_of_an_hour_ahead_of_traffic_drawn_finer(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--finer", "5m", "--rate", "20", "--horizons", "15m,1h", "--models", "headroom,seasonal-naive"]
    assert run(["backtest", str(file), *flags, "--every", "97h", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["models"]
    assert set(scores["headroom"]["peak_wql"]) == {"15m", "1h"}
    assert scores["headroom"]["peak_wql"]["15m"] < 0.5 * scores["seasonal-naive"]["peak_wql"]["15m"]


@pytest.mark.parametrize(
    ("source", "flags", "said"),
    [
        ("@2012-02-30..", [], "2012-02-30"),
        ("@Mars/Olympus", [], "Mars/Olympus"),
        ("@2020-01-01..", [], "too short"),
        ("", ["--finer", "7m"], "cannot be drawn"),
        ("", ["--finer", "2h"], "cannot be drawn"),
    ],
)
def test_stretches_and_steps_that_cannot_be(
    file: Path, source: str, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backtest", f"{file}{source}", "--models", "headroom", *flags]) == 2
    assert said in capsys.readouterr().err
