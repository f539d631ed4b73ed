"""Demand: ahead of the peak by the lead time, corrected at once, slow to give back, honest about what it rests on."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasting.series import Series
from policies.capacity import ErlangC, TargetRate
from scheduler.control.demand.demand import DemandMemory, demand_of, requests_of
from scheduler.control.demand.forecast_summary import peaks_of, quantiles_until
from scheduler.control.demand.listening import Crews, SourceListeners
from scheduler.control.demand.traffic import SourceState
from scheduler.control.isolation.bulkheads import Bulkheads
from scheduler.control.ports import Traffic
from scheduler.control.records import EventRecord
from scheduler.control.reports.board import ModelOutlook
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import Basis, ModelDemand
from scheduler.model.errors import Unreachable
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Replica, ReplicaId, ServingModel

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
MONDAY_S = 1_350_259_200.0
SETTINGS = Settings(period_s=30.0, preemption_grace_s=60.0, scale_down_after_s=600.0, min_runtime_s=1800.0, margin=0.2)


class Source:
    """History and rate of now by a function of time; counts its readers."""

    def __init__(self, rate: Callable[[float], float], history_s: float = 42 * DAY_S) -> None:
        self.rate, self.history_s, self.silent, self.lag_s = rate, history_s, False, 0.0

    def read(self, now_s: float) -> Traffic:
        """Return what is known, or fail."""
        if self.silent:
            raise Unreachable("no answer")
        end_s = int(now_s // HOUR_S * HOUR_S)
        start_s = end_s - int(self.history_s // HOUR_S * HOUR_S)
        values = np.array([self.rate(at_s + 1800.0) for at_s in range(start_s, end_s, 3600)])
        return Traffic(Series(start_s, 3600, values), self.rate(now_s - self.lag_s), now_s - self.lag_s)


def evenings(at_s: float) -> float:
    """Return 8 requests per second, and up to 48 around 20:00."""
    hour = at_s % DAY_S / HOUR_S
    return 8.0 + 40.0 * math.exp(-((hour - 20.0) ** 2) / 2)


class Planner:
    """Asks for the demand of one model again and again, as the cycle does."""

    def __init__(self, source: Source, settings: Settings = SETTINGS, **more: Any) -> None:
        model = ServingModel("edit-check", Shape(1000), **{"max_replicas": 9, "warm_up_s": 600.0, **more})
        self.served = [Served(model, "wiki", 1.0, TargetRate(10.0))]
        self.sources, self.settings, self.memory = {"wiki": source}, settings, DemandMemory()
        self.walls = Bulkheads()
        self.listeners: tuple[dict[str, Any], SourceListeners] | None = None
        self.replicas: list[Replica] = []
        self.outlooks: tuple[ModelOutlook, ...] = ()
        self.said: list[EventRecord] = []

    def heard(self, at_s: float) -> dict[str, SourceState]:
        """Ask all sources."""
        if self.listeners is None or self.listeners[0] is not self.sources:
            requests = requests_of(self.served, self.sources, self.settings)
            self.listeners = self.sources, SourceListeners(self.sources, requests, Crews(), 1.0, {})
        self.walls.begin(at_s, 1)
        self.listeners[1].ask(at_s)
        return self.listeners[1].known(at_s, self.walls)

    def at(self, at_s: float) -> ModelDemand:
        """Take one turn at a moment."""
        world = Snapshot.of(version=1, taken_at_s=at_s, models=[s.model for s in self.served], replicas=self.replicas)
        self.known = known = self.heard(at_s)
        demand, self.outlooks, self.memory = demand_of(
            self.served, known, self.memory, world, self.settings, self.walls
        )
        self.said.extend(self.walls.news)
        self.walls.told(self.walls.news)
        return demand.models[0]


def test_replicas_for_the_peak_are_wanted_one_lead_time_before_it_and_held_earlier() -> None:
    planner = Planner(Source(evenings), warm_up_s=2 * HOUR_S)
    demands = {hour: planner.at(MONDAY_S + hour * HOUR_S) for hour in (12, 14, 17, 17.75, 18.5)}
    assert [demands[hour].replicas_now for hour in (12, 14, 17)] == [1, 1, 1]
    assert demands[12].replicas_wanted <= 2
    assert demands[17.75].replicas_held > demands[17].replicas_wanted
    assert demands[18.5].replicas_wanted >= 5 > demands[18.5].replicas_now
    assert demands[18.5].basis is Basis.FORECAST
    assert demands[18.5].peak_at_s == pytest.approx(MONDAY_S + 20 * HOUR_S, abs=2 * HOUR_S)


def test_the_lead_time_is_warm_up_and_grace_and_period() -> None:
    planner = Planner(Source(evenings))
    planner.at(MONDAY_S)
    assert planner.outlooks[0].lead_time_s == 600.0 + 60.0 + 30.0


def test_a_load_above_the_forecast_corrects_it_at_once() -> None:
    source = Source(evenings)
    planner = Planner(source)
    calm = planner.at(MONDAY_S + 12 * HOUR_S)
    source.rate = lambda at_s: 3.0 * evenings(at_s) if at_s > MONDAY_S + 12 * HOUR_S else evenings(at_s)
    surprised = planner.at(MONDAY_S + 12 * HOUR_S + 30.0)
    assert surprised.basis is Basis.CORRECTED
    assert surprised.replicas_wanted >= 3 > calm.replicas_wanted
    assert surprised.rps_wanted >= surprised.rps_now == pytest.approx(24.0, rel=0.01)


def test_without_history_the_load_of_now_with_a_margin_decides_and_it_says_so() -> None:
    planner = Planner(Source(lambda _: 30.0, history_s=5 * HOUR_S))
    demand = planner.at(MONDAY_S)
    assert (demand.basis, demand.rps_wanted) == (Basis.COLD_START, 30.0 * 1.2)
    assert (demand.replicas_now, demand.replicas_wanted, demand.replicas_held) == (3, 4, 4)
    assert planner.outlooks[0].points == ()
    assert [event.title for event in planner.said] == [
        "traffic wiki has too little history; planned by the load now with a margin"
    ]


def test_reactive_is_the_load_of_now_with_a_margin_whatever_the_history() -> None:
    planner = Planner(Source(evenings), replace(SETTINGS, reactive=True), warm_up_s=2 * HOUR_S)
    demand = planner.at(MONDAY_S + 18.5 * HOUR_S)
    assert demand.basis is Basis.REACTIVE
    assert demand.rps_wanted == pytest.approx(1.2 * evenings(MONDAY_S + 18.5 * HOUR_S))


def test_a_silent_source_is_said_once_and_the_last_load_with_margin_is_the_least() -> None:
    source = Source(lambda _: 30.0)
    planner = Planner(source)
    planner.at(MONDAY_S)
    source.silent = True
    demands = [planner.at(MONDAY_S + minutes * 60.0) for minutes in (1, 2, 3)]
    assert {demand.basis for demand in demands} == {Basis.SILENT}
    assert all(demand.rps_wanted >= 36.0 for demand in demands)
    source.silent = False
    assert planner.at(MONDAY_S + 240.0).basis is Basis.FORECAST
    assert [event.title for event in planner.said] == [
        "traffic wiki is silent; planned by the last load with a margin",
        "traffic wiki answers again",
    ]
    assert planner.said[0].detail == "no answer"


def test_a_value_that_grows_old_is_silence_too() -> None:
    source = Source(lambda _: 30.0)
    source.lag_s = SETTINGS.silent_after_s + 1
    assert Planner(source).at(MONDAY_S).basis is Basis.SILENT


def test_a_source_that_never_answered_leaves_the_least_replicas() -> None:
    source = Source(lambda _: 30.0)
    source.silent = True
    demand = Planner(source, min_replicas=2).at(MONDAY_S)
    assert (demand.basis, demand.rps_now, demand.replicas_wanted) == (Basis.SILENT, 0.0, 2)


def test_replicas_go_only_when_not_needed_for_a_while() -> None:
    settings = replace(SETTINGS, reactive=True, margin=0.0)
    begin_s = MONDAY_S
    planner = Planner(Source(lambda at_s: 45.0 if at_s < begin_s + 60 else 15.0), settings)
    wanted = {after_s: planner.at(begin_s + after_s).replicas_wanted for after_s in range(0, 900, 30)}
    assert wanted[30] == 5
    assert all(wanted[after_s] == 5 for after_s in range(60, 630, 30))
    assert all(wanted[after_s] == 2 for after_s in range(660, 900, 30))


def test_a_restart_does_not_give_back_at_once_what_runs() -> None:
    planner = Planner(Source(lambda _: 15.0), replace(SETTINGS, reactive=True, margin=0.0))
    planner.replicas = [Replica(ReplicaId(str(n)), "edit-check", Slot("a")) for n in range(6)]
    assert planner.at(MONDAY_S).replicas_wanted == 6
    assert [planner.at(MONDAY_S + after_s).replicas_wanted for after_s in (601.0, 631.0)] == [3, 2]


def test_models_of_one_source_share_one_fit_and_it_is_made_anew_when_a_bin_closes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = []
    from forecasting.forecaster import Forecaster  # noqa: PLC0415  # patched here only

    real = Forecaster.fit
    monkeypatch.setattr(Forecaster, "fit", lambda self, *args, **named: fits.append(1) or real(self, *args, **named))
    planner = Planner(Source(evenings))
    half = replace(planner.served[0], share=0.5, model=replace(planner.served[0].model, name="half"))
    planner.served.append(half)
    for minutes in range(0, 60, 10):
        planner.at(MONDAY_S + minutes * 60.0)
    assert len(fits) == 1
    planner.at(MONDAY_S + HOUR_S)
    assert len(fits) == 2
    whole, part = planner.outlooks
    assert part.rps_now == pytest.approx(whole.rps_now / 2)
    assert part.points[5].p99 == pytest.approx(whole.points[5].p99 / 2)


def test_the_outlook_reaches_two_days_and_its_quantiles_and_peaks_are_in_order() -> None:
    planner = Planner(Source(lambda at_s: evenings(at_s) * (1 + 0.1 * math.sin(at_s))))
    planner.at(MONDAY_S + 1234.0)
    outlook = planner.outlooks[0]
    assert outlook.points[-1].at_s >= MONDAY_S + 47 * HOUR_S
    assert all(point.p10 <= point.p50 <= point.p90 <= point.p99 for point in outlook.points)
    assert [peak.window_s for peak in outlook.peaks] == [3600.0, 21600.0, 86400.0, 604800.0]
    assert all(a.p99 <= b.p99 for a, b in zip(outlook.peaks, outlook.peaks[1:], strict=False))
    assert len(outlook.replicas) == len(outlook.points)
    assert outlook.recent[0][0] < MONDAY_S - 47 * HOUR_S
    assert outlook.recent[-1][0] == MONDAY_S + 1234.0
    assert outlook.source_age_s == 0.0


def test_whether_people_look_changes_nothing_of_the_demand() -> None:
    shown, unseen = Planner(Source(evenings)), Planner(Source(evenings), replace(SETTINGS, outlooks=False))
    for at_s in (MONDAY_S + n * HOUR_S for n in range(20)):
        assert shown.at(at_s) == unseen.at(at_s)
    assert (len(shown.outlooks), unseen.outlooks) == (1, ())


def test_a_queueing_rule_decides_as_well_as_a_rate() -> None:
    planner = Planner(Source(lambda _: 30.0, history_s=0.0), replace(SETTINGS, margin=0.0))
    rule = ErlangC(service_time_s=0.1, latency_objective_s=0.5)
    planner.served = [replace(planner.served[0], rule=rule)]
    assert planner.at(MONDAY_S).replicas_wanted == rule.replicas(30.0) > 3


def test_a_model_that_promises_more_is_planned_by_a_higher_quantile() -> None:
    def wanted(within: float, quantile: float) -> float:
        uneven = lambda at_s: evenings(at_s) * (1.0 + 0.2 * math.sin(at_s / 3600.0) ** 3)  # noqa: E731  # one line
        planner = Planner(Source(uneven), replace(SETTINGS, quantile=quantile), max_replicas=99)
        rule = ErlangC(service_time_s=0.1, latency_objective_s=0.5, within=within)
        planner.served = [replace(planner.served[0], rule=rule)]
        return planner.at(MONDAY_S + 18 * HOUR_S).rps_wanted

    assert wanted(0.9999, 0.9) == wanted(0.9999, 0.999) == wanted(0.99, 0.999) > wanted(0.99, 0.9)


@given(rate=st.floats(0, 500), least=st.integers(0, 3), most=st.integers(3, 6), reactive=st.booleans())
def test_limits_are_kept_and_the_three_numbers_are_in_order(
    rate: float, least: int, most: int, *, reactive: bool
) -> None:
    planner = Planner(
        Source(lambda _: rate, history_s=3 * DAY_S),
        replace(SETTINGS, reactive=reactive),
        min_replicas=least,
        max_replicas=most,
    )
    demand = planner.at(MONDAY_S)
    assert least <= demand.replicas_now <= demand.replicas_wanted <= demand.replicas_held <= most
    assert demand.rps_wanted >= demand.rps_now


def test_a_model_whose_own_requests_are_measured_learns_its_share() -> None:
    """Declared 1.0, really 0.25: the demand follows what is measured, with the share's own uncertainty."""
    planner = Planner(Source(evenings), max_replicas=99)
    own = Source(lambda at_s: evenings(at_s) * 0.25 * (1 + 0.2 * math.sin(at_s / HOUR_S * 2.4)))
    declared = planner.at(MONDAY_S)
    planner.sources = {**planner.sources, "own": own}
    planner.served = [replace(planner.served[0], own_source="own")]
    planner.memory = DemandMemory()
    learned = planner.at(MONDAY_S)
    share = planner.outlooks[0].share
    assert share.middle == pytest.approx(0.25, rel=0.05)
    assert share.spread > 0.08
    assert learned.rps_wanted == pytest.approx(0.25 * declared.rps_wanted, rel=0.5)
    assert learned.rps_wanted > 0.25 * declared.rps_wanted
    assert learned.rps_now == pytest.approx(own.rate(MONDAY_S))
    own.lag_s = SETTINGS.silent_after_s + 1
    assert planner.at(MONDAY_S + 30.0).rps_now == pytest.approx(evenings(MONDAY_S + 30.0) * share.middle)
    own.silent = True
    silent = planner.at(MONDAY_S + 60.0)
    assert planner.outlooks[0].share == share
    assert silent.rps_now == pytest.approx(evenings(MONDAY_S + 60.0) * share.middle)


def test_any_quantiles_of_a_served_model_can_be_asked_for() -> None:
    planner = Planner(Source(lambda at_s: evenings(at_s) * (1 + 0.1 * math.sin(at_s))))
    planner.at(MONDAY_S)
    outlook = planner.outlooks[0]
    steps = quantiles_until(outlook, MONDAY_S + 100 * HOUR_S, (0.5, 0.95))
    assert len(steps) == 100
    assert all(middle <= high for _, (middle, high) in steps)
    usual = {point.at_s: point.p50 for point in outlook.points}
    assert [middle for at_s, (middle, _) in steps if at_s in usual] == pytest.approx(list(usual.values()), rel=0.03)
    peaks = peaks_of(outlook, MONDAY_S, (0.5, 0.95))
    assert [peak.window_s / HOUR_S for peak in peaks] == [1, 6, 24, 168]
    unsure = replace(outlook, share=replace(outlook.share, spread=0.3))
    wider = peaks_of(unsure, MONDAY_S, (0.5, 0.95))
    assert all(b.values[1] > a.values[1] for a, b in zip(peaks, wider, strict=True))
    assert quantiles_until(replace(outlook, forecast=None), MONDAY_S, (0.5,)) == ()


def test_the_demand_carries_pools_and_people_see_them() -> None:
    planner = Planner(Source(evenings))
    other = replace(planner.served[0], model=replace(planner.served[0].model, name="tone"))
    planner.served = [*planner.served, other]
    planner.at(MONDAY_S)
    (pool,) = planner.memory.pools
    assert pool.demand.models == ("edit-check", "tone")
    assert [peak.window_s / HOUR_S for peak in pool.peaks] == [1, 6, 24, 48]
    planner.settings = replace(SETTINGS, outlooks=False)
    planner.at(MONDAY_S)
    assert planner.memory.pools == ()


def test_a_reserve_for_flash_crowds_is_counted_from_those_of_the_history() -> None:
    def crowded(at_s: float) -> float:
        return evenings(at_s) * (5.0 if int(at_s // HOUR_S) % 97 == 0 else 1.0)

    planner = Planner(Source(crowded), replace(SETTINGS, flash_crowd=0.9), max_replicas=90)
    planner.at(MONDAY_S + 1800.0)
    known = planner.known["wiki"]
    assert known.crowds is not None
    assert known.crowd_factor(0.9) == pytest.approx(5.0, rel=0.4)
    assert planner.memory.pools[0].demand.replicas_flash_crowd > 0


@pytest.mark.parametrize("share", [0.25, 0.5, 3.0])
def test_a_declared_share_of_a_source_is_planned_as_a_source_of_that_size(share: float) -> None:
    part, alone = (
        Planner(Source(evenings), max_replicas=99),
        Planner(Source(lambda at_s: share * evenings(at_s)), max_replicas=99),
    )
    part.served = [replace(part.served[0], share=share)]
    for hour in (12, 17.75, 20):
        of_share, of_source = part.at(MONDAY_S + hour * HOUR_S), alone.at(MONDAY_S + hour * HOUR_S)
        assert of_share.basis is of_source.basis
        assert of_share.rps_now == pytest.approx(of_source.rps_now)
        assert of_share.rps_wanted == pytest.approx(of_source.rps_wanted, rel=0.01)


def test_more_is_held_than_wanted_while_the_peak_is_beyond_the_lead_time_and_within_a_run_of_training() -> None:
    demand = Planner(Source(evenings), replace(SETTINGS, min_runtime_s=3 * HOUR_S)).at(MONDAY_S + 17 * HOUR_S)
    assert demand.replicas_wanted <= 3
    assert demand.replicas_held >= 5
    short_runs = Planner(Source(evenings), replace(SETTINGS, min_runtime_s=0.0)).at(MONDAY_S + 17 * HOUR_S)
    assert short_runs.replicas_wanted == demand.replicas_wanted
    assert short_runs.replicas_held == short_runs.replicas_wanted


def test_a_share_is_learned_anew_when_a_bin_has_ended_and_not_before() -> None:
    planner = Planner(Source(evenings), max_replicas=99)
    own = Source(lambda at_s: evenings(at_s) * (0.25 if at_s < MONDAY_S else 0.75))
    planner.sources = {**planner.sources, "own": own}
    planner.served = [replace(planner.served[0], own_source="own")]
    shares = []
    for minutes in (0, 30, 59, 24 * 60 * 14):
        planner.at(MONDAY_S + minutes * 60.0)
        shares.append(planner.outlooks[0].share)
    assert shares[0] == shares[1] == shares[2]
    assert shares[0].middle == pytest.approx(0.25, rel=0.05)
    assert shares[3].middle == pytest.approx(0.75, rel=0.2)


def test_the_fewest_replicas_of_the_coming_day_are_foreseen_with_when() -> None:
    planner = Planner(Source(evenings))
    at_eight = MONDAY_S + 20 * HOUR_S
    demand = planner.at(at_eight)

    assert demand.replicas_low is not None
    assert demand.replicas_low < demand.replicas_wanted
    assert at_eight + SETTINGS.scale_down_after_s < demand.low_at_s <= at_eight + DAY_S
    assert evenings(demand.low_at_s - SETTINGS.scale_down_after_s) < 9.0, "after the evening's end"
    times, numbers = zip(*demand.falls, strict=True)
    assert list(times) == sorted(times), "fall after fall"
    assert list(numbers) == sorted(set(numbers), reverse=True), "each below all before it"
    assert numbers[-1] == demand.replicas_low


def test_the_course_of_the_coming_day_goes_down_for_the_night_and_up_again() -> None:
    at_eight = MONDAY_S + 20 * HOUR_S
    demand = Planner(Source(evenings)).at(at_eight)

    night = [level for level in demand.course if at_eight + 6 * HOUR_S < level.at_s < at_eight + 12 * HOUR_S]
    evening = [level for level in demand.course if at_eight + 22 * HOUR_S < level.at_s < at_eight + 25 * HOUR_S]
    lowest = min(level.replicas for level in demand.course)
    assert lowest == demand.replicas_low
    assert all(level.replicas == lowest for level in night)
    assert max(level.replicas for level in evening) >= demand.replicas_wanted
    assert all(level.replicas <= level.replicas_high for level in demand.course)


def test_a_steep_rise_that_is_foreseen_makes_the_night_after_it_no_higher() -> None:
    steps = Planner(Source(lambda at_s: 30.0 if 10 <= at_s % DAY_S / HOUR_S < 18 else 8.0))
    demand = steps.at(MONDAY_S + 10 * HOUR_S - 60.0)

    assert demand.replicas_wanted >= 2
    assert demand.replicas_low == 1
    assert min(level.replicas for level in demand.course) == 1


def test_nothing_is_foreseen_without_a_forecast() -> None:
    demand = Planner(Source(evenings), replace(SETTINGS, reactive=True)).at(MONDAY_S + 20 * HOUR_S)
    assert (demand.replicas_low, demand.low_at_s, demand.course) == (None, 0.0, ())
