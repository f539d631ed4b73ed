"""What a fitted forecast promises, whatever the series."""

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from forecasting import Fitted, Forecaster, Series
from forecasting.provenance import Footing

HOUR_S = 3600


def test_shapes_order_and_units(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    quantiles = fitted.quantiles(48, (0.1, 0.5, 0.99))
    assert quantiles.shape == (3, 48)
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert fitted.paths(24, 10).shape == (10, 24)
    assert fitted.start_s == hourly.end_s
    assert fitted.end_s == hourly.end_s + 7 * 86400
    assert np.nanmin(hourly.values) / 2 < quantiles.min()
    assert quantiles.max() < 2 * np.nanmax(hourly.values)


def test_equal_series_give_equal_forecasts_and_seeds_decide_paths(hourly: Series) -> None:
    one, two = Forecaster().fit(hourly), Forecaster().fit(hourly)
    np.testing.assert_array_equal(one.quantiles(24, (0.5, 0.9)), two.quantiles(24, (0.5, 0.9)))
    np.testing.assert_array_equal(one.paths(24, 50, seed=3), two.paths(24, 50, seed=3))
    assert (one.paths(24, 50, seed=3) != one.paths(24, 50, seed=4)).any()


def test_fitted_is_immutable(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    with pytest.raises(FrozenInstanceError):
        fitted.start_s = 0  # type: ignore[misc]


def test_peak_is_that_of_paths_not_of_hourly_quantiles(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    peak = fitted.peak(24, (0.5, 0.99))
    assert peak.values[0] >= fitted.quantiles(24, (0.5,)).max()
    assert fitted.start_s <= peak.between_s[0] <= peak.between_s[1] <= fitted.start_s + 24 * HOUR_S
    assert peak.between_s[0] <= peak.at_s <= peak.between_s[1]
    longer = [fitted.peak(window, (0.9,)).values[0] for window in (1, 6, 24, 168)]
    assert longer == sorted(longer)


def test_peak_of_part_of_an_hour_lies_between_the_centres(hourly: Series) -> None:
    fitted = replace(Forecaster().fit(hourly), last=np.nan)
    first, second = fitted.quantiles(2, (0.5,))[0]
    middle = fitted.peak_within(fitted.start_s + HOUR_S, 0.0, (0.5,)).values[0]
    assert middle == pytest.approx((first + second) / 2, rel=0.02)
    assert fitted.peak_within(fitted.start_s, 600.0, (0.5,)).values[0] == pytest.approx(first)


def test_peak_within_grows_with_the_window_and_stays_inside_it(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    from_s = fitted.start_s + 777.0
    peaks = [fitted.peak_within(from_s, window, (0.99,)) for window in (60, 900, 5000, 50_000)]
    assert [p.values[0] for p in peaks] == sorted(p.values[0] for p in peaks)
    assert all(from_s <= p.at_s <= from_s + p.window_s for p in peaks)


def test_a_horizon_beyond_the_forecast_is_refused(hourly: Series) -> None:
    with pytest.raises(ValueError, match="169 bins"):
        Forecaster().fit(hourly).quantiles(169, (0.5,))


def test_a_rate_above_the_forecast_corrects_it_at_once_and_fades(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    now = fitted.start_s + 1200.0
    usual = fitted.median_at(now)
    raised = fitted.corrected(1.5 * usual, now)
    assert raised.median_at(now) == pytest.approx(1.5 * usual, rel=0.1)
    ratio = raised.quantiles(48, (0.5,))[0] / fitted.quantiles(48, (0.5,))[0]
    assert ratio[0] > 1.4
    assert (np.diff(ratio[1:]) < 0).all()
    assert ratio[-1] < 1.01
    assert raised.basis.correction == pytest.approx(1.5)
    assert fitted.basis.correction == 1.0
    assert "raised by 50%" in str(raised.basis)


def test_a_rate_below_the_forecast_changes_nothing(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly)
    assert fitted.corrected(0.5 * fitted.median_at(fitted.start_s), fitted.start_s) is fitted
    assert fitted.corrected(float("nan"), fitted.start_s) is fitted


def test_the_interval_widens_with_the_age_of_the_last_value(hourly: Series) -> None:
    def width(age_h: int) -> float:
        fitted = Forecaster().fit(hourly, now_s=hourly.end_s + age_h * HOUR_S)
        low, high = fitted.quantiles(1, (0.05, 0.95))[:, 0]
        assert fitted.basis.age_s == age_h * HOUR_S
        assert fitted.start_s == hourly.end_s + age_h * HOUR_S
        return float(np.log(high / low))

    widths = [width(age) for age in (0, 12, 24)]
    assert widths == sorted(widths)
    assert widths[2] > 1.2 * widths[0]


def test_silent_for_months_still_answers(hourly: Series) -> None:
    fitted = Forecaster().fit(hourly, now_s=hourly.end_s + 90 * 86400)
    assert np.isfinite(fitted.quantiles(24, (0.01, 0.99))).all()
    assert "90 days old" in str(fitted.basis)


def test_values_absent_at_the_end_are_a_silent_source(hourly: Series) -> None:
    values = hourly.values.copy()
    values[-10:] = np.nan
    fitted = Forecaster().fit(replace(hourly, values=values))
    assert fitted.start_s == hourly.end_s
    assert fitted.basis.age_s == 10 * HOUR_S


@pytest.mark.parametrize(
    ("hours", "footing"),
    [(0, Footing.NOTHING), (1, Footing.HOURS), (2, Footing.HOURS), (48, Footing.DAYS), (24 * 42, Footing.WEEKS)],
)
def test_any_history_gives_a_sane_forecast_that_says_its_footing(hourly: Series, hours: int, footing: Footing) -> None:
    fitted = Forecaster().fit(replace(hourly, values=hourly.values[:hours]))
    assert fitted.basis.footing is footing
    assert fitted.basis.history_s == hours * HOUR_S
    quantiles = fitted.quantiles(168, (0.01, 0.5, 0.99))
    assert np.isfinite(quantiles).all()
    assert (quantiles >= 0).all()


def test_more_history_means_a_narrower_interval(hourly: Series) -> None:
    def width(hours: int) -> float:
        values = hourly.values[-hours:]
        low, high = Forecaster().fit(replace(hourly, values=values)).peak(24, (0.05, 0.99)).values
        return high / low

    widths = [width(hours) for hours in (2, 48, 42 * 24)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("value", [0.0, 5.0])
def test_constant_series(value: float) -> None:
    peak = Forecaster().fit(Series(0, HOUR_S, np.full(2016, value))).peak(24, (0.5, 0.99))
    assert peak.values == pytest.approx((value, value), abs=1e-6)


def test_three_requests_an_hour() -> None:
    counts = np.random.default_rng(5).poisson(3, 2016)
    low, middle, high = Forecaster().fit(Series(0, HOUR_S, counts / HOUR_S)).quantiles(24, (0.01, 0.5, 0.99)) * HOUR_S
    assert (low < 1.5).all()
    assert ((middle > 1.2) & (middle < 5)).all()
    assert ((high > 5) & (high < 14)).all()


def test_importing_is_light() -> None:
    import subprocess  # noqa: PLC0415  # only here
    import sys  # noqa: PLC0415

    code = "import sys, forecasting; print([m for m in ('numpy', 'scipy', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
    heavy = "('numba', 'torch', 'lightgbm', 'statsforecast', 'pandas')"
    code = f"import sys; from forecasting import Forecaster; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_public_names() -> None:
    import forecasting  # noqa: PLC0415  # the lazy names themselves

    assert {getattr(forecasting, name).__name__ for name in forecasting.__all__} == set(forecasting.__all__)
    assert isinstance(Forecaster().fit(Series(0, HOUR_S, np.ones(3))), Fitted)
    with pytest.raises(AttributeError):
        forecasting.Nothing  # noqa: B018  # the access is the test
