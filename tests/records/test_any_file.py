"""Whatever a file holds: reading it gives the numbers that were written, or a refusal; never others, no traceback."""

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.packing.workload import read_hosts, read_pods
from forecasting.arrivals import read_arrivals
from forecasting.calendars import read_holidays
from forecasting.reading import read_series
from forecasting.series import Series, SeriesError
from records.form import Form
from scheduler.config.scenario import JobTrace
from scheduler.model.errors import ConfigError
from simulations.traces import from_trace

PRIORITIES = {"normal": 50}
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
GOOD = "timestamp,requests,duration,num_gpus\n" + "".join(
    f"2024-03-{day:02} {hour:02}:00:00,{1000 + 37 * hour},{60 * hour + 1},{1 + hour % 3}\n"
    for day in (1, 2)
    for hour in range(24)
)


def outcome(read: Callable[[], object]) -> object:
    """Return what is read, or the error that people are shown; any other comes out as it is."""
    try:
        return read()
    except (SeriesError, ConfigError) as error:
        return error


def read_in_every_way(path: Path) -> None:
    """Read a file as all kinds of files."""
    ways: list[Callable[[], object]] = [
        lambda: read_series(path),
        lambda: read_arrivals(path, 3600),
        lambda: list(from_trace(JobTrace(file=path), PRIORITIES, 0.0, 9e9, seed=1)),
        lambda: read_hosts(path),
        lambda: read_pods(path),
        lambda: read_holidays(path),
    ]
    for way in ways:
        found = outcome(way)
        if isinstance(found, SeriesError):
            assert (found.file, bool(found.help)) == (str(path), True)
        if isinstance(found, ConfigError):
            assert found.faults[0].file == str(path)


@RELAXED
@given(content=st.binary(max_size=300))
def test_any_bytes(content: bytes, tmp_path: Path) -> None:
    for name in ("t.csv", "t.json", "t.parquet"):
        path = tmp_path / name
        path.write_bytes(content)
        read_in_every_way(path)


@RELAXED
@given(data=st.data())
def test_any_change_of_a_good_file(data: st.DataObject, tmp_path: Path) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = data.draw(st.integers(at, min(at + 12, len(text))))
        odd = ["", ",", ";", "\r", "\n", '"', "\0", "-", "inf", "9" * 30, "\u0663", "2024-", "#", "%"]
        text = text[:at] + data.draw(st.sampled_from(odd) | st.text(max_size=6)) + text[end:]
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    read_in_every_way(path)


TIMES = {
    "iso": ("%Y-%m-%dT%H:%M:%S", ""),
    "with an offset": ("%Y-%m-%dT%H:%M:%S+00:00", ""),
    "fractions": ("%Y-%m-%d %H:%M:%S.000", ""),
    "day first": ("%d/%m/%Y %H:%M", "day-first"),
    "month first": ("%m/%d/%Y %I:%M %p", "month-first"),
    "points": ("%d.%m.%Y %H:%M", "day-first"),
    "names": ("%d %b %Y %H:%M", ""),
    "digits": ("%Y%m%d%H%M", ""),
    "short years": ("%d.%m.%y %H:%M", "%d.%m.%y %H:%M"),
}
NUMBERS = {
    "plain": (lambda value: f"{value:.3f}".rstrip("0").rstrip("."), "."),
    "english": (lambda value: f"{value:,.3f}", "."),
    "german": (lambda value: f"{value:,.3f}".translate(str.maketrans(",.", ".,")), ","),
    "french": (lambda value: f"{value:,.2f}".translate(str.maketrans(",.", "\u202f,")), ","),
    "swiss": (lambda value: f"{value:,.1f}".replace(",", "\u2019"), "."),
    "whole with points": (lambda value: f"{value:,.0f}".replace(",", "."), ","),
    "whole with commas": (lambda value: f"{value:,.0f}", "."),
}


@st.composite
def series_as_written(draw: st.DrawFn) -> tuple[str, list[float], list[float], Form]:
    """Draw a file's text, its moments and values, and what would be said of it by somebody who knows."""
    begin = datetime(2024, draw(st.integers(1, 12)), draw(st.integers(1, 28)), tzinfo=UTC)
    minutes = draw(st.sampled_from([15, 60, 1440]))
    values = draw(st.lists(st.integers(0, 10**7).map(lambda n: n / 100), min_size=3, max_size=40))
    time_format, named = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    written, decimal = NUMBERS[draw(st.sampled_from(sorted(NUMBERS)))]
    cut = draw(st.sampled_from([",", ";", "\t", "|"]))
    moments = [begin + timedelta(minutes=minutes * n) for n in range(len(values))]
    rows = [f'"{at.strftime(time_format)}"{cut}"{written(value)}"' for at, value in zip(moments, values, strict=True)]
    if draw(st.booleans()):
        rows = draw(st.permutations(rows))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(
        [f"timestamp{cut}requests", *rows, *[""] * draw(st.integers(0, 2))]
    )
    places = {"french": 2, "swiss": 1, "whole with points": 0, "whole with commas": 0}
    name = next(name for name, (way, _) in NUMBERS.items() if way is written)
    rounded = [float(f"{value:.{places.get(name, 3)}f}") for value in values]
    return text, [at.timestamp() for at in moments], rounded, Form(named, local_times=False, decimal=decimal)


@RELAXED
@given(drawn=series_as_written(), packed=st.booleans(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_series_written_in_any_way_is_read_as_it_was_or_refused(
    drawn: tuple[str, list[float], list[float], Form], encoding: str, tmp_path: Path, *, packed: bool
) -> None:
    text, moments, values, said = drawn
    data = text.encode(encoding)
    path = tmp_path / "t.csv"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    step = moments[1] - moments[0]
    for form in (said, Form()):
        found = outcome(lambda form=form: read_series(path, per_bin=False, form=form))  # type: ignore[misc]  # bound at once
        if form == said:
            assert isinstance(found, Series), f"all was said: {found}"
        if isinstance(found, Series):
            assert (found.start_s, found.step_s) == (moments[0], step)
            np.testing.assert_allclose(found.values, values)


@RELAXED
@given(
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia"]),
    begin=st.integers(1_104_537_600, 1_735_689_600),
    minutes=st.sampled_from([30, 60]),
    hours=st.integers(2, 24 * 20),
)
def test_local_times_in_order_are_read_as_the_moments_that_they_were(
    zone: str, begin: int, minutes: int, hours: int, tmp_path: Path
) -> None:
    first = datetime.fromtimestamp(begin // 3600 * 3600, UTC)
    moments = [first + timedelta(minutes=minutes * n) for n in range(hours * 60 // minutes)]
    shown = [at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M") for at in moments]
    rows = [f"{at},{n}" for n, at in enumerate(shown)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["timestamp,requests", *rows]))
    found = outcome(lambda: read_series(path, per_bin=False, form=Form(local_times=True, zone=zone)))
    if zone == "Australia/Lord_Howe" and minutes == 60 and isinstance(found, SeriesError):
        return  # clocks go back by half an hour there: of two hours one begins at a time that comes once
    assert isinstance(found, Series)
    assert (found.start_s, found.step_s) == (moments[0].timestamp(), minutes * 60)
    np.testing.assert_array_equal(found.values, np.arange(len(moments)))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.json"])
def test_a_folder_is_no_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    read_in_every_way(tmp_path / name)
