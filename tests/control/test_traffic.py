"""What is known of a source: the newest value and its age, and a forecast only where there is ground for one."""

import numpy as np
import pytest

from forecasting.series import Series
from scheduler.control.demand.listening import SourceListener
from scheduler.control.demand.traffic import ForecastRequest, SourceState
from scheduler.control.isolation.crews import AtOnce
from scheduler.control.ports import Traffic
from scheduler.model.errors import Unreachable

HOUR_S = 3600
START_S = 1_350_259_200


class Said:
    """A source that says what it is given, or fails."""

    def __init__(self, *answers: Traffic | None) -> None:
        self.answers = list(answers)

    def read(self, now_s: float) -> Traffic:
        """Return the next answer."""
        answer = self.answers.pop(0)
        if answer is None:
            raise Unreachable(f"no answer at {now_s:g}")
        return answer


def traffic(values: list[float], latest: float = np.nan, at_s: float = 0.0) -> Traffic:
    return Traffic(Series(START_S, HOUR_S, np.array(values)), latest, at_s)


def listened(listener: SourceListener, now_s: float) -> SourceState:
    """Ask a source and return what is known then."""
    listener.ask(AtOnce(), now_s)
    listener.take(AtOnce(), now_s)
    return listener.known


def ear_of(source: Said, horizon_s: float = 60.0, *, forecasts: bool = True) -> SourceListener:
    return SourceListener("wiki", source, ForecastRequest(horizon_s, forecasts), 1.0)


@pytest.mark.parametrize(
    ("said", "rate", "age_s"),
    [
        (traffic([1.0, 2.0], 7.0, START_S + 2.0 * HOUR_S - 5), 7.0, 5.0),
        (traffic([1.0, 2.0], 7.0, START_S + 3.0 * HOUR_S), 7.0, 0.0),
        (traffic([1.0, 2.0]), 2.0, 0.0),
        (traffic([1.0, np.nan]), 1.0, HOUR_S),
        (traffic([np.nan, np.nan]), 0.0, np.inf),
        (traffic([]), 0.0, np.inf),
        (None, 0.0, np.inf),
    ],
)
def test_the_newest_value_counts_wherever_it_stands(said: Traffic | None, rate: float, age_s: float) -> None:
    assert SourceState(traffic=said).rate_at(START_S + 2.0 * HOUR_S) == (rate, age_s)


def test_a_source_that_fails_leaves_what_was_known_and_says_why() -> None:
    first = traffic([5.0] * 100, 5.0, START_S + 100.0 * HOUR_S)
    source = Said(first, None)
    listener = ear_of(source)
    known, later = (listened(listener, START_S + 100.0 * HOUR_S + late_s) for late_s in (0, 30))
    assert later.traffic == known.traffic
    assert later.failure.startswith("no answer at")
    assert later.fitted is known.fitted


@pytest.mark.parametrize(("hours", "enough"), [(0, False), (5, False), (72, True), (24 * 40, True)])
def test_a_forecast_needs_more_than_a_day(hours: int, *, enough: bool) -> None:
    now_s = START_S + float(hours * HOUR_S)
    known = listened(ear_of(Said(traffic([5.0] * hours, 5.0, now_s))), now_s)
    assert known.has_history is enough


def test_no_forecast_is_made_when_none_is_wanted() -> None:
    now_s = START_S + 100.0 * HOUR_S
    known = listened(ear_of(Said(traffic([5.0] * 100, 5.0, now_s)), forecasts=False), now_s)
    assert (known.fitted, known.corrected, known.has_history) == (None, None, False)


def test_a_load_far_above_the_forecast_is_a_surprise_and_raises_it() -> None:
    now_s = START_S + 1000.0 * HOUR_S
    values = [10.0 + (hour % 24) / 10 for hour in range(1000)]
    source = Said(traffic(values, 10.5, now_s), traffic(values, 40.0, now_s))
    listener = ear_of(source)
    calm, raised = listened(listener, now_s), listened(listener, now_s)
    assert (calm.surprised, raised.surprised) == (False, True)
    assert raised.fitted is calm.fitted
    assert raised.corrected.median_at(now_s + HOUR_S) > 2 * calm.corrected.median_at(now_s + HOUR_S)


def test_the_forecast_reaches_as_far_as_the_longest_lead_time() -> None:
    now_s = START_S + 100.0 * HOUR_S
    known = listened(ear_of(Said(traffic([5.0] * 100, 5.0, now_s)), 90.0 * HOUR_S), now_s)
    assert known.fitted.end_s >= now_s + 90 * HOUR_S
