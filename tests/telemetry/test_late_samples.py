"""Samples that arrive late are asked for again until they settle, and what is not whole yet is not known yet."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from scheduler.model.errors import Unreachable
from scheduler.telemetry.prometheus import Answering, PrometheusTraffic

HOUR_S = 3600
NOW_S = 1_700_000_000 // HOUR_S * HOUR_S + 1800
DAY_S = 24 * HOUR_S


def rate(at_s: float) -> float:
    return float(10 + 5 * np.sin(2 * np.pi * at_s / DAY_S) + 3 * (at_s % HOUR_S) / HOUR_S)


class Server:
    """Answers from samples a minute apart, of which some are not there yet."""

    def __init__(self, arrived: Callable[[float], bool], value: Callable[[float], float] = rate) -> None:
        self.arrived, self.value, self.asked = arrived, value, list[int]()

    def custom_query_range(self, query: str, start: datetime, end: datetime, step: str) -> list[Any]:
        """Answer a range query, means over bins and single samples alike."""
        first_s, last_s, step_s = int(start.timestamp()), int(end.timestamp()), int(step)
        wide_s = int(query.rsplit("[", 1)[1].split("s:", maxsplit=1)[0]) if query.startswith("avg_over_time") else 0
        points = [(at_s, self.mean(at_s - wide_s, at_s)) for at_s in range(first_s, last_s + 1, step_s)]
        self.asked.append(len(points) if wide_s else 0)
        return [{"metric": {}, "values": [[at_s, repr(v)] for at_s, v in points if v is not None]}]

    def mean(self, from_s: int, to_s: int) -> float | None:
        """Return the mean of what has arrived of (from_s, to_s]; of a moment, the sample at it."""
        times = [at_s for at_s in range(from_s + 60, to_s + 1, 60) if self.arrived(at_s)] if from_s < to_s else []
        if from_s == to_s:
            times = [to_s] if self.arrived(to_s) else []
        return float(np.mean([self.value(at_s) for at_s in times])) if times else None


def source_of(server: Server, query: str = "q", history_s: float = 5 * DAY_S) -> PrometheusTraffic:
    source = PrometheusTraffic("http://127.0.0.1:1", query, history_s=history_s, answering=Answering(1.0, 0, 0.0))
    source._server = server
    return source


@pytest.mark.parametrize("cut_h", [1, 3, 20, 60])
def test_a_backlog_that_comes_at_last_is_read(cut_h: int) -> None:
    back = [False]
    source = source_of(Server(lambda at_s: back[0] or not NOW_S - cut_h * HOUR_S < at_s <= NOW_S))
    first = source.read(NOW_S).series
    assert np.isnan(first.values).sum() >= cut_h - 1
    for late_s in range(30, 2 * HOUR_S, 300):
        source.read(NOW_S + late_s)
    back[0] = True
    later = source.read(NOW_S + 4 * HOUR_S).series
    anew = source_of(Server(lambda _: True)).read(NOW_S + 4 * HOUR_S).series
    np.testing.assert_allclose(later.values, anew.values)


@pytest.mark.parametrize("late_s", [0, 300, 2400, 7000])
@pytest.mark.parametrize("every_s", [30, 600, HOUR_S])
def test_samples_that_always_come_late_leave_no_bin_too_low(late_s: int, every_s: int) -> None:
    now_s = [0]
    server = Server(lambda at_s: at_s <= now_s[0] - late_s)
    source = source_of(server, history_s=2 * DAY_S)
    for moment_s in range(NOW_S, NOW_S + 6 * HOUR_S, every_s):
        now_s[0] = moment_s
        series = source.read(moment_s).series
        truth = [np.mean([rate(s) for s in range(at + 60, at + HOUR_S + 1, 60)]) for at in _starts(series)]
        np.testing.assert_allclose(series.values[series.known], np.array(truth)[series.known], rtol=0.05)
        assert series.known[: -3 - late_s // HOUR_S].all()


def test_what_has_settled_is_not_asked_for_again() -> None:
    server = Server(lambda _: True)
    source = source_of(server)
    for late_s in range(0, 12 * HOUR_S, 300):
        source.read(NOW_S + late_s)
    assert server.asked[1] == 5 * 24
    assert max(server.asked[2:]) <= 4


def test_bins_that_never_come_are_asked_for_now_and_then() -> None:
    server = Server(lambda at_s: at_s % DAY_S > 5 * HOUR_S)
    source = source_of(server)
    for late_s in range(0, 12 * HOUR_S, 60):
        source.read(NOW_S + late_s)
    assert sum(count > 24 for count in server.asked) <= 14


def test_an_unrated_counter_is_said_with_the_query_to_write() -> None:
    source = source_of(Server(lambda _: True, lambda at_s: at_s - NOW_S + 1e7), "sum(requests_total)")
    with pytest.raises(Unreachable, match="is a counter, not a rate") as caught:
        source.read(NOW_S)
    assert caught.value.faults[0].help == "write sum(rate(requests_total[5m]))"
    with pytest.raises(Unreachable, match="is a counter, not a rate"):
        source_of(Server(lambda _: True, lambda at_s: at_s - NOW_S + 1e7), "requests").read(NOW_S)
    assert source_of(Server(lambda _: True), "requests").read(NOW_S).latest_rps == rate(NOW_S)


def _starts(series: Any) -> range:
    return range(series.start_s, series.end_s, series.step_s)
