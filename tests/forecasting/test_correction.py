"""A load above the forecast corrects it at once: where it was measured, for hours after it, and hardly a day later."""

import numpy as np
import pytest

from forecasting.fitted import Fitted
from forecasting.forecaster import Forecaster
from forecasting.series import Series

HOUR_S = 3600
HOURS = np.arange(8 * 168)
NOISE = 0.05 * np.random.default_rng(1).standard_normal(len(HOURS))
SERIES = Series(0, HOUR_S, 100 * np.exp(0.5 * np.sin(2 * np.pi * HOURS / 24) + NOISE))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return Forecaster(horizon_s=48 * HOUR_S).fit(SERIES)


@pytest.mark.parametrize("hours_in", [0.0, 0.1, 0.4, 0.5, 0.6, 2.0, 2.3, 5.5])
def test_the_forecast_is_what_was_measured_where_it_was_measured(fitted: Fitted, hours_in: float) -> None:
    at_s = SERIES.end_s + hours_in * HOUR_S
    rate = 2.0 * fitted.median_at(at_s)
    assert fitted.corrected(rate, at_s).median_at(at_s) == pytest.approx(rate, rel=0.04)


@pytest.mark.parametrize("hours_in", [0.0, 0.6, 5.5])
def test_a_correction_fades_over_hours_and_lowers_nothing(fitted: Fitted, hours_in: float) -> None:
    at_s = SERIES.end_s + hours_in * HOUR_S
    raised = fitted.corrected(2.0 * fitted.median_at(at_s), at_s)
    later = [raised.median_at(at_s + h * HOUR_S) / fitted.median_at(at_s + h * HOUR_S) for h in range(1, 30)]
    assert np.all(np.diff(later) < 0)
    assert later[2] == pytest.approx(2.0 ** np.exp(-3 / 6), rel=0.05)
    assert 1.0 < later[23] < 1.03
    assert np.all(raised.quantiles(48, (0.1, 0.5, 0.99)) >= fitted.quantiles(48, (0.1, 0.5, 0.99)))
