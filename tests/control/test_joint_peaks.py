"""Joint peaks: what many models need at once is held, no less than one needs and no more than all of them add up to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.flashcrowd import FlashCrowds
from forecasting.forecaster import Forecaster
from forecasting.series import Series
from forecasting.shares import Share
from policies.capacity import ErlangA, ErlangC, TargetRate
from scheduler.control.demand.joint_peaks import Member, kind_of, name_of, outlooks_of, pools_of, replicas_for
from scheduler.control.demand.traffic import SourceState
from scheduler.control.isolation.bulkheads import Bulkheads
from scheduler.control.ports import Traffic
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import ModelDemand
from scheduler.model.resources import Shape
from scheduler.model.workloads import ServingModel

HOUR_S = 3600
MONDAY_S = 1_325_462_400
SETTINGS = Settings(quantile=0.99)
GPU = Shape(cpu_milli=1000, gpu_count=1, gpu_models=frozenset({"MI300X"}))


def known(seed: int, weeks: int = 10, level: float = 40.0) -> SourceState:
    """Return what is known of a noisy source that has been measured for weeks."""
    random, hours = np.random.default_rng(seed), np.arange(weeks * 168)
    noise = np.convolve(random.standard_normal(len(hours) + 11), np.full(12, 0.1), "valid")
    values = level * np.exp(0.5 * np.sin(2 * np.pi * (hours - 9) / 24) + 0.5 * noise)
    series = Series(MONDAY_S, HOUR_S, values)
    fitted = Forecaster(horizon_s=52 * HOUR_S).fit(series)
    return SourceState(
        Traffic(series, float(values[-1]), series.end_s), fitted, fitted, crowds=FlashCrowds((2.0, 3.0), 1e6)
    )


KNOWN = [known(seed) for seed in range(4)]
NOW_S = MONDAY_S + 10 * 168 * HOUR_S


def member(index: int, source: int, *, window_s: float = 6 * HOUR_S, shape: Shape = GPU, **more: float) -> Member:
    """Return a model of a source with what it needs by itself."""
    rate, limit = more.pop("rate", 3.0), int(more.pop("limit", 60))
    served = Served(ServingModel(f"m{index}", shape, max_replicas=limit), f"s{source}", 1.0, TargetRate(rate), **more)  # type: ignore[arg-type]  # only the surge is set
    forecast = KNOWN[source].fitted
    assert forecast is not None
    soon, later = (forecast.peak_within(NOW_S, s, (0.99,)).values[0] for s in (1800.0, window_s))
    wanted, held = (min(served.rule.replicas(x), limit) for x in (soon, max(soon, later)))
    return Member(served, ModelDemand(f"m{index}", wanted, wanted, held), KNOWN[source], Share(1.0), window_s)


def test_sources_that_err_apart_need_less_together_than_added_up() -> None:
    (pool,) = pools_of([member(i, i, rate=1.0) for i in range(4)], SETTINGS, NOW_S, Bulkheads())
    assert 0 < pool.replicas_peak < pool.replicas_apart
    assert pool.name == "MI300X"
    assert pool.models == ("m0", "m1", "m2", "m3")


def test_models_of_one_source_rise_together_so_that_nothing_is_saved() -> None:
    (pool,) = pools_of([member(i, 0, rate=0.25, limit=1000) for i in range(4)], SETTINGS, NOW_S, Bulkheads())
    assert pool.replicas_peak == pytest.approx(pool.replicas_apart, rel=0.03)


@settings(max_examples=25)
@given(
    sources=st.lists(st.integers(0, 3), min_size=1, max_size=6),
    rate=st.sampled_from([0.5, 2.0, 9.0]),
    limit=st.integers(1, 90),
)
def test_the_joint_peak_lies_between_the_highest_and_the_sum(sources: list[int], rate: float, limit: int) -> None:
    members = [member(i, source, rate=rate, limit=limit) for i, source in enumerate(sources)]
    (pool,) = pools_of(members, SETTINGS, NOW_S, Bulkheads())
    own = [one.demand.replicas_held - one.demand.replicas_wanted for one in members]
    assert max(own) <= pool.replicas_peak <= sum(own) == pool.replicas_apart


def test_the_room_held_suffices_for_all_of_them_as_often_as_promised() -> None:
    """Played on paths drawn apart from those that the room was counted from."""
    members = [member(i, i, rate=1.0, limit=1000) for i in range(4)]
    (pool,) = pools_of(members, SETTINGS, NOW_S, Bulkheads())
    total = np.zeros((4000, 6))
    for one in members:
        assert one.known.fitted is not None
        loads = one.known.fitted.paths(6, 4000, seed=5)
        total += np.maximum(np.ceil(loads) - one.demand.replicas_wanted, 0)
    assert np.mean(total.max(axis=1) <= pool.replicas_peak) >= 0.98


def test_a_model_alone_holds_its_own_peak_and_pools_can_be_switched_off() -> None:
    members = [member(i, i) for i in range(3)]
    apart = pools_of(members, replace(SETTINGS, joint_peak=False), NOW_S, Bulkheads())
    assert [pool.replicas_peak for pool in apart] == [
        one.demand.replicas_held - one.demand.replicas_wanted for one in members
    ]


def test_only_models_whose_room_serves_each_other_share_it() -> None:
    other = replace(GPU, gpu_models=frozenset({"MI210"}))
    slim, two = replace(GPU, cpu_milli=500), replace(GPU, gpu_count=2)
    shapes = [GPU, other, slim, two, Shape(1000), Shape(2000), Shape(1000)]
    pools = pools_of([member(i, 0, shape=shape) for i, shape in enumerate(shapes)], SETTINGS, NOW_S, Bulkheads())
    assert [pool.models for pool in pools] == [("m0", "m2"), ("m1",), ("m3",), ("m4", "m6"), ("m5",)]
    assert [pool.name for pool in pools] == ["MI300X", "MI210", "2×MI300X", "1 CPU", "2 CPU"]
    assert kind_of(GPU) == kind_of(slim) != kind_of(other)
    half = Shape(gpu_count=1, gpu_milli=500, device_memory_mib=24 * 1024)
    assert name_of(half) == "0.5×GPU ≥ 24 GiB"


def test_a_reserve_for_a_flash_crowd_is_that_of_one_source_and_comes_on_top() -> None:
    members = [member(0, 0), member(1, 0), member(2, 1)]
    (without,) = pools_of(members, SETTINGS, NOW_S, Bulkheads())
    (pool,) = pools_of(members, replace(SETTINGS, flash_crowd=1.0), NOW_S, Bulkheads())
    assert without.replicas_flash_crowd == 0
    assert pool.replicas_peak == without.replicas_peak
    usual = members[0].known.fitted.peak_within(NOW_S, 6 * HOUR_S, (0.5,)).values[0]  # type: ignore[union-attr]
    each = members[0].served.rule.replicas(3.0 * usual) - members[0].demand.replicas_held
    assert pool.replicas_flash_crowd == 2 * each
    assert pool.replicas_held == pool.replicas_peak + pool.replicas_flash_crowd


def test_room_for_one_rolling_update_at_a_time() -> None:
    (pool,) = pools_of([member(0, 0, surge=1), member(1, 0, surge=3), member(2, 0)], SETTINGS, NOW_S, Bulkheads())
    assert pool.replicas_surge == 3


def test_a_share_that_is_learned_adds_its_own_uncertainty() -> None:
    sure = [member(i, 0, rate=0.5, limit=1000) for i in range(2)]
    unsure = [replace(one, share=Share(1.0, spread=0.3)) for one in sure]
    more = [replace(one, demand=replace(one.demand, replicas_held=one.demand.replicas_held + 200)) for one in unsure]
    assert (
        pools_of(more, SETTINGS, NOW_S, Bulkheads())[0].replicas_peak
        > pools_of(sure, SETTINGS, NOW_S, Bulkheads())[0].replicas_peak
    )


def test_people_are_shown_the_joint_peak_beside_the_sum_in_devices() -> None:
    members = [member(i, i, rate=1.0, shape=replace(GPU, gpu_count=2), limit=1000) for i in range(3)]
    pools = pools_of(members, SETTINGS, NOW_S, Bulkheads())
    (shown,) = outlooks_of(members, pools, NOW_S)
    assert [peak.window_s / HOUR_S for peak in shown.peaks] == [1, 6, 24, 48]
    for peak in shown.peaks:
        assert peak.p50 <= peak.p99 <= peak.apart_p99
        assert peak.p99 % 2 == 0
    assert shown.peaks[2].p99 < shown.peaks[2].apart_p99
    (again,) = outlooks_of(members, pools, NOW_S + 60.0, (shown,))
    assert again.peaks is shown.peaks


RULES = st.one_of(
    st.builds(TargetRate, st.floats(0.1, 9.0)),
    st.builds(ErlangC, st.just(0.2), st.floats(0.3, 2.0)),
    st.builds(ErlangA, st.just(0.2), st.floats(0.3, 2.0), st.floats(0.2, 9.0)),
)


@settings(max_examples=40)
@given(rule=RULES, most=st.integers(1, 12), rps=st.lists(st.just(0.0) | st.floats(1e-3, 60.0), min_size=1, max_size=30))
def test_many_loads_at_once_take_the_replicas_that_the_rule_says(rule: TargetRate, most: int, rps: list[float]) -> None:
    found = replicas_for(rule, most, np.array(rps)).tolist()
    lower = [min(rule.replicas(load * (1 - 1e-6)), most) for load in rps]
    higher = [min(rule.replicas(load * (1 + 1e-6)), most) for load in rps]
    assert all(low <= here <= high for low, here, high in zip(lower, found, higher, strict=True))
