"""The chart's numbers: nothing lost between report and picture, names that do not cover each other."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from scheduler.api.access import Guard
from scheduler.api.captions import LEAST_GAP, SHARES
from scheduler.api.chart import chart_document, library_folder
from scheduler.api.coming_starts import ComingStarts
from scheduler.api.picture import Picture, picture_of
from scheduler.api.recent import Recent
from scheduler.api.series import Chart
from scheduler.api.site import Parts


@pytest.fixture
def parts(world: Any) -> Parts:
    return Parts(
        world.service,
        world.board,
        world.site,
        Guard("127.0.0.1"),
        None,
        None,
        Recent(world.service),
        ComingStarts(world.site.policy),
    )


@pytest.fixture
def picture(parts: Parts) -> Picture:
    found = picture_of(parts, "48h")
    assert found is not None
    return found


@pytest.fixture
def chart(picture: Picture) -> Chart:
    return picture.chart


def test_every_table_has_columns_of_one_length(chart: Chart) -> None:
    for name, table in chart.tables.items():
        assert len({len(column) for column in table.values()}) == 1, name


def test_time_runs_forward_and_now_parts_it(chart: Chart) -> None:
    (now,) = chart.tables["now"]["t"]
    for name in ("past", "future", "ready", "planned", "shares"):
        times = chart.tables[name]["t"]
        assert times == sorted(times), name
    assert max(chart.tables["past"]["t"]) <= now <= min(chart.tables["future"]["t"])
    assert chart.start < now < chart.end < chart.label_end


def test_quantiles_are_nested_and_below_the_top(chart: Chart) -> None:
    future = chart.tables["future"]
    for low, mid, high, top in zip(future["p10"], future["p50"], future["p90"], future["p99"], strict=True):
        assert low <= mid <= high <= top < chart.top


def test_the_forecast_opens_from_the_demand_of_now(chart: Chart) -> None:
    future, past = chart.tables["future"], chart.tables["past"]
    assert {future[name][0] for name in ("p10", "p50", "p90", "p99")} == {past["actual"][-1]}
    assert future["t"][0] == past["t"][-1]


def test_the_planned_steps_begin_where_the_ready_ones_end(chart: Chart) -> None:
    assert chart.tables["planned"]["planned"][0] == chart.tables["ready"]["ready"][-1]


def test_the_shares_fill_the_cluster_at_every_moment(chart: Chart) -> None:
    shares = chart.tables["shares"]
    assert chart.devices == 38
    assert all(value == pytest.approx(38, abs=0.01) for value in shares[f"{SHARES[-1]}_to"])
    for below, above in pairwise(SHARES):
        assert shares[f"{below}_to"] == shares[f"{above}_from"]


def test_names_at_the_right_do_not_touch(chart: Chart) -> None:
    heights = chart.tables["labels"]["y"]
    assert len(heights) == 3
    assert all(a - b >= chart.top * LEAST_GAP * 0.999 for a, b in pairwise(heights))


def test_preemptions_are_marked_where_they_were(chart: Chart) -> None:
    assert len(chart.tables["preemptions"]["t"]) == 2


def test_the_lowest_headroom_is_marked_only_where_it_is_in_the_picture(parts: Parts, picture: Picture) -> None:
    assert picture.chart.tables["lowest"]["text"][0].startswith("lowest headroom 1.00")
    near = picture_of(parts, "6h")
    assert near is not None
    assert near.capacity.lowest_at == picture.capacity.lowest_at
    assert near.chart.tables["lowest"]["t"] == []


def test_one_model_is_drawn_in_requests_with_its_own_lowest(parts: Parts) -> None:
    found = picture_of(parts, "24h", "edit-check")
    assert found is not None
    chart = found.chart
    assert (found.capacity.unit, chart.devices) == ("requests/s", 0)
    ratios = [p.planned / p.p99 for p in found.capacity.points if p.p99 and p.planned]
    assert chart.tables["lowest"]["brief"] == [f"lowest {min(ratios):.2f}"]
    assert chart.tables["past"]["actual"]
    assert chart.tables["shares"]["t"] == []


def test_the_table_has_as_many_rows_as_can_be_read(picture: Picture) -> None:
    assert 20 <= len(picture.rows) <= 41


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("narrow", [False, True])
def test_everything_that_is_updated_has_a_name_in_the_document(chart: Chart, theme: Any, *, narrow: bool) -> None:
    document = chart_document(chart, theme, narrow=narrow)
    names = set(names_in(json.loads(json.dumps(document))))
    used = set(chart.tables) - ({"labels", "share-labels"} if narrow else set())
    assert used <= names
    assert set(chart.axes) <= names
    assert "http" not in json.dumps(document)


def test_the_library_comes_out_of_its_package() -> None:
    assert (library_folder() / "bokeh.min.js").stat().st_size > 1_000_000


def names_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("name"), str):
            yield value["name"]
        for one in value.values():
            yield from names_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from names_in(one)


def test_in_the_first_hour_words_stand_where_nothing_cuts_them(parts: Parts, world: Any) -> None:
    now_s = world.board.report.cycle.at_s
    recent = [point for point in world.board.history if point.at_s > now_s - 1800]
    whole = picture_of(parts, "48h").chart.tables
    world.board.history.clear()
    world.board.history.extend(recent)
    first = picture_of(parts, "48h").chart.tables
    assert whole["notes"]["align"] == ["center", "center"]
    assert (whole["now"]["align"], whole["now"]["offset"]) == (["right"], [-4.0])
    assert first["notes"]["text"] == ["ready", "demand"]
    assert first["notes"]["align"] == ["left", "left"]
    ready_y, demand_y = first["notes"]["y"]
    soon_ms = first["notes"]["t"][0] + 4 * 3_600_000
    planned = zip(first["planned"]["t"], first["planned"]["planned"], strict=True)
    assert ready_y > max(y for t, y in planned if t < soon_ms)
    assert demand_y < min(y for t, y in zip(first["future"]["t"], first["future"]["p50"], strict=True) if t < soon_ms)
    assert (first["now"]["align"], first["now"]["offset"]) == (["left"], [4.0])


def test_devices_of_lost_hosts_are_not_called_drained(parts: Parts) -> None:
    for name in ("6h", "48h", "7d"):
        assert "drained" not in picture_of(parts, name).chart.tables["share-labels"]["text"]
