"""A forecast that does not keep its word is widened, said so once, shown where people look, and trusted again later."""

import math
from dataclasses import replace

import pytest

from forecasting.shares import Share
from forecasting.track_record import REMEMBERED_S, WIDEST, WINDOW_S, Outcome, TrackRecord
from scheduler.api.presenting.models import forecast_view
from scheduler.control.demand.loads import load_of
from scheduler.control.demand.traffic import SourceState
from tests.control.conftest import Lab
from tests.control.test_demand import DAY_S, HOUR_S, MONDAY_S, SETTINGS, Planner, Source

CALM_AGAIN_S = MONDAY_S + 3 * DAY_S


def crowds(at_s: float) -> float:
    """Return a day's swing, and in three days an hour of the double in every six, each time another one."""
    window = (at_s - MONDAY_S) // WINDOW_S
    struck = (at_s - MONDAY_S) % WINDOW_S // HOUR_S == window * 5 % 6
    return calm(at_s) * (2.2 if struck and MONDAY_S <= at_s < CALM_AGAIN_S else 1.0)


def calm(at_s: float) -> float:
    """Return a day's swing."""
    return 20.0 + 4.0 * math.sin(2 * math.pi * at_s / DAY_S)


def asked(planner: Planner, from_s: float, to_s: float) -> None:
    """Take a turn every six hours, five minutes past."""
    for at_s in range(int(from_s), int(to_s), WINDOW_S):
        planner.at(at_s + 300.0)


def test_it_is_widened_told_once_and_comes_back() -> None:
    planner = Planner(Source(crowds, 12 * DAY_S))
    asked(planner, MONDAY_S - DAY_S, MONDAY_S)
    assert planner.known["wiki"].record.held == 1.0
    asked(planner, MONDAY_S, CALM_AGAIN_S)
    known = planner.known["wiki"]
    assert known.record.is_failing
    assert known.record.width > 1.5
    assert known.fitted is not None
    assert known.corrected is not None
    plain, wide = (one.peak(6, (0.5, 0.99)).values for one in (known.fitted, known.corrected))
    assert wide[1] / wide[0] > 1.2 * plain[1] / plain[0]
    assert "as its p99 has not held lately" in str(known.corrected.basis)
    asked(planner, CALM_AGAIN_S, CALM_AGAIN_S + REMEMBERED_S + DAY_S)
    again = planner.known["wiki"]
    assert not again.record.is_failing
    assert again.fitted is not None
    assert again.corrected is not None
    assert again.corrected.basis.widened == 1.0
    titles = [event.title for event in planner.said if event.title.startswith("the forecast of wiki")]
    assert titles == ["the forecast of wiki is widened", "the forecast of wiki holds again and is widened no more"]


def doubtful(planner: Planner, stretch: float) -> SourceState:
    """Return what is known of the source, had each second window come so many times as far as was said."""
    known = planner.known["wiki"]
    said = known.record.outcomes[-1].said
    outcomes = tuple(Outcome(said, said.high, stretch if i % 2 else 0.0) for i in range(20))
    return replace(known, record=TrackRecord(outcomes=outcomes, is_failing=True))


@pytest.mark.parametrize(("stretch", "gives_way"), [(2.0, False), (WIDEST + 1, True)])
def test_one_that_cannot_be_widened_enough_gives_way_to_the_load_now_with_a_margin(
    stretch: float,
    gives_way: bool,  # noqa: FBT001  # what is to be seen
) -> None:
    planner = Planner(Source(calm, 12 * DAY_S))
    noon_s = MONDAY_S + DAY_S / 2  # the load falls from then on
    asked(planner, noon_s - 2 * DAY_S, noon_s + HOUR_S)
    known = doubtful(planner, stretch)
    assert known.record.gives_way == gives_way
    low = replace(known, corrected=known.fitted.widened(1e-3) if known.fitted else None)
    load = load_of(planner.served[0], {"wiki": low}, Share(1.0), SETTINGS, noon_s + 300)
    assert (load.wanted >= load.now * (1 + SETTINGS.margin)) == gives_way


def recorded(lab: Lab) -> TrackRecord:
    """Return the record of the only model in the last report."""
    report = lab.board.report
    assert report is not None
    return report.outlooks[0].record


def test_its_record_goes_on_after_a_restart(lab: Lab) -> None:
    lab.serve("wiki", calm)
    for _ in range(4):
        lab.turns(1, WINDOW_S)
    before = recorded(lab).outcomes
    assert len(before) == 3
    lab.restart()
    lab.turns(1)
    assert recorded(lab).outcomes[:3] == before
    assert len(recorded(lab).outcomes) == 4, "what was said before the restart is judged after it"


def test_its_record_is_shown_beside_it() -> None:
    planner = Planner(Source(crowds, 12 * DAY_S))
    planner.at(MONDAY_S - 2 * DAY_S)
    assert forecast_view(planner.outlooks[0], MONDAY_S, MONDAY_S + DAY_S).record is None
    asked(planner, MONDAY_S - 2 * DAY_S, MONDAY_S)
    record = forecast_view(planner.outlooks[0], MONDAY_S, MONDAY_S + DAY_S).record
    assert record is not None
    assert (record.windows, record.p99_held, record.widened, record.gives_way) == (7, 1.0, 1.0, False)
    assert record.says.startswith("p99 held in 7 of 7 windows of 6 h")
