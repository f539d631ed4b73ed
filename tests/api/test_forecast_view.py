"""The forecast of a served model on the wire: any quantiles, as far as asked, and what it rests on."""

import numpy as np
import pytest

from forecasting.forecaster import Forecaster
from forecasting.series import Series
from forecasting.shares import Share
from scheduler.api.presenting.models import forecast_view
from scheduler.api.routes.cluster import _levels
from scheduler.control.reports.board import ModelOutlook
from scheduler.model.demand import Basis
from scheduler.model.errors import ConfigError

HOUR_S = 3600
HOURS = np.arange(8 * 168)
SERIES = Series(0, HOUR_S, 100 * np.exp(0.5 * np.sin(2 * np.pi * HOURS / 24)))
NOW_S = float(SERIES.end_s)


def outlook(share: Share) -> ModelOutlook:
    forecast = Forecaster(horizon_s=170 * HOUR_S).fit(SERIES)
    return ModelOutlook("chat", "wiki", Basis.FORECAST, 5.0, 10.0, 600.0, forecast=forecast, share=share)


def test_quantiles_asked_for_come_beside_the_usual_ones_in_steps_and_peaks() -> None:
    view = forecast_view(outlook(Share(0.1)), NOW_S, NOW_S + 12 * HOUR_S, (0.95,)).model_dump(mode="json")
    assert len(view["points"]) == 12
    assert all(p["p50"] <= p["p90"] <= p["p95"] <= p["p99"] for p in view["points"] + view["peaks"])
    assert [peak["window_s"] / HOUR_S for peak in view["peaks"]] == [1, 6, 24, 168]
    assert view["rests_on"].startswith("rests on 56 days of history")
    assert all(peak["at_p10"] <= peak["at_p90"] for peak in view["peaks"])


def test_a_learned_share_scales_and_widens() -> None:
    sure, unsure = (forecast_view(outlook(Share(0.1, spread)), NOW_S, NOW_S + HOUR_S) for spread in (0.0, 0.3))
    assert unsure.points[0].p50 == pytest.approx(sure.points[0].p50, rel=0.05)
    assert unsure.points[0].p99 > 1.3 * sure.points[0].p99
    assert (unsure.share, unsure.share_spread) == (0.1, 0.3)


@pytest.mark.parametrize("text", ["high", "0.5,1", "0"])
def test_what_is_no_quantile_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a list of levels"):
        _levels(text)


def test_levels_as_written() -> None:
    assert _levels("0.5, 0.999") == (0.5, 0.999)
    assert _levels("") == ()
