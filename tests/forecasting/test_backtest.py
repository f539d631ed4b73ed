"""The backtest: no look ahead, the same origins for all, and scores that are what they say."""

from dataclasses import replace

import numpy as np
import pytest

from forecasting import Series, SeriesError, peers
from forecasting.evaluation import backtest, pooling, scores
from forecasting.evaluation.disaggregate import drawn_finer
from forecasting.evaluation.questions import Answer, Ask, Mixture, from_paths, mixed

HOUR_S = 3600


class Oracle:
    """Says the same number for everything, and remembers what it was shown."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.ends: list[int] = []

    def answer(self, history: Series, ask: Ask) -> Answer:
        """Say it."""
        self.ends.append(history.end_s)
        peaks = np.full((len(ask.windows), len(ask.peak_levels)), self.value)
        return Answer(np.full((len(ask.levels), ask.horizon), self.value), peaks)


def test_models_see_all_of_the_past_and_nothing_of_the_future(hourly: Series) -> None:
    plan = backtest.plan(hourly, every_s=50 * HOUR_S, windows_s=(HOUR_S, 24 * HOUR_S))
    one, other = Oracle(1), Oracle(2)
    told: list[tuple[str, int]] = []
    backtest.run(plan, {"one": one, "other": other}, lambda name, count: told.append((name, count)))
    assert one.ends == other.ends == [hourly.start_s + o * HOUR_S for o in plan.origins]
    assert told[-1] == ("other", len(plan.origins))
    assert plan.origins[0] == 1008
    assert plan.origins[-1] + 24 <= len(hourly)


def test_first_origin_by_date_and_gaps_in_what_came(hourly: Series) -> None:
    values = hourly.values.copy()
    values[1700:1750] = np.nan
    at = hourly.start_s + 1600 * HOUR_S
    plan = backtest.plan(replace(hourly, values=values), every_s=HOUR_S, windows_s=(24 * HOUR_S,), train_until_s=at)
    assert plan.origins[0] == 1600
    assert not set(range(1690, 1745)) & set(plan.origins)


@pytest.mark.parametrize(("weeks", "until_s"), [(0, None), (1, None), (12, 10**12)])
def test_too_short_a_series_is_refused(hourly: Series, weeks: int, until_s: float | None) -> None:
    series = replace(hourly, values=hourly.values[: weeks * 168])
    with pytest.raises(SeriesError, match="too short"):
        backtest.plan(series, train_until_s=until_s)


def test_report_has_the_agreed_layout(hourly: Series) -> None:
    plan = backtest.plan(hourly, every_s=200 * HOUR_S)
    found = scores.report(plan, backtest.run(plan, {"headroom": peers.model("headroom"), "oracle": Oracle(100)}))
    assert set(found) == {"origins", "models"}
    assert found["origins"] == len(plan.origins)
    own = found["models"]["headroom"]
    assert set(own) == {"mase_24h", "wql", "peak_wql", "peak_coverage", "op5", "op1", "cpu_s_per_origin"}
    assert set(own["wql"]) == {"24h", "168h"}
    assert set(own["peak_wql"]) == {"1h", "6h", "24h", "168h"}
    assert set(own["peak_coverage"]) == set(own["op5"]) == set(own["op1"]) == {"6h", "24h"}
    assert set(own["peak_coverage"]["24h"]) == {"0.95", "0.99"}
    assert own["mase_24h"] < found["models"]["oracle"]["mase_24h"]


def test_pinball_and_peak_wql_by_hand() -> None:
    actual = np.array([10.0, 20.0])
    said = np.array([[10.0, 12, 12, 12], [18.0, 18, 18, 18]])
    loss = scores.pinball(actual, said, backtest.PEAK_LEVELS)
    np.testing.assert_allclose(loss, [[0, 0.2, 0.1, 0.02], [1, 1.8, 1.9, 1.98]])
    assert scores.peak_wql(actual, said) == pytest.approx(loss.mean() / 15)


def test_coverage_leaves_out_what_is_not_known() -> None:
    assert scores.coverage(np.array([1.0, 2, np.nan, 4]), np.array([1.0, 1, 1, 5])) == pytest.approx(2 / 3)


def test_over_provision_at_a_risk_by_hand() -> None:
    actual = np.array([1.0, 1, 1, 1, 2])
    quantile = np.ones(5)
    assert scores.over_provision(actual, quantile, 0.0) == pytest.approx(4 / 5)
    assert scores.over_provision(actual, quantile, 0.2) == pytest.approx(0.0)


def test_over_provision_does_not_depend_on_the_quantiles_scale() -> None:
    random = np.random.default_rng(0)
    actual, quantile = random.lognormal(size=200), random.lognormal(size=200)
    assert scores.over_provision(actual, 7 * quantile, 0.05) == pytest.approx(
        scores.over_provision(actual, quantile, 0.05)
    )
    short = np.mean(actual > quantile * np.sort(actual / quantile)[-11])
    assert short == pytest.approx(0.05)


def test_mase_of_the_seasonal_naive_is_about_one(hourly: Series) -> None:
    plan = backtest.plan(hourly, every_s=37 * HOUR_S)
    answers = backtest.run(plan, {"seasonal-naive": peers.model("seasonal-naive")})
    assert scores.mase(plan, answers["seasonal-naive"]) == pytest.approx(1.0, abs=0.3)


def test_trade_off_falls_as_risk_grows(hourly: Series) -> None:
    plan = backtest.plan(hourly, every_s=20 * HOUR_S)
    said = backtest.run(plan, {"n": peers.model("seasonal-naive")})["n"]
    risks, over = scores.trade_off([(plan, {"n": said})], "n", 24 * HOUR_S)
    assert (np.diff(risks) > 0).all()
    assert (np.diff(over) <= 0).all()


def test_names_of_windows() -> None:
    assert [scores.span(s) for s in (HOUR_S, 168 * HOUR_S, 900, 90)] == ["1h", "168h", "15m", "1.5m"]


def test_mixed_is_the_mean_on_the_logarithm_and_paths_give_quantiles() -> None:
    one, four = (Answer(np.full((1, 2), v), np.full((1, 1), v)) for v in (1.0, 4.0))
    assert mixed([one, four]).bins.tolist() == [[2, 2]]
    ask = Ask(2, (0.5,), (1, 2), (0.0, 1.0))
    answer = from_paths(np.array([[1.0, 5], [3, 1]]), ask)
    assert answer.bins.tolist() == [[2, 3]]
    assert answer.peaks.tolist() == [[1, 3], [3, 5]]


def test_names_that_are_not_models() -> None:
    with pytest.raises(KeyError):
        peers.model("crystal-ball")
    assert {"headroom", "seasonal-naive"} <= set(peers.installed())


@pytest.mark.parametrize("name", [n for n in peers.NAMES if n != "prophet"])
def test_every_model_answers_in_shape_and_order(hourly: Series, name: str) -> None:
    try:
        model = peers.model(name)
    except peers.PeerMissing as error:
        pytest.skip(str(error))
    ask = Ask(48, (0.1, 0.5, 0.9), (1, 24), (0.5, 0.99))
    answer = model.answer(hourly, ask)
    assert answer.bins.shape == (3, 48)
    assert answer.peaks.shape == (2, 2)
    assert (np.diff(answer.bins, axis=0) >= 0).all()
    assert (np.diff(answer.peaks, axis=1) >= 0).all()
    assert (answer.bins > 10).all()
    assert (answer.peaks < 400).all()


def test_a_model_whose_library_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peers._HOMES, "mstl", ("forecasting.peers.absent", "statsforecast"))
    with pytest.raises(peers.PeerMissing, match=r"headroom-scheduler\[peers\]"):
        peers.model("mstl")
    assert "mstl" not in peers.installed()


def test_a_mixture_asked_with_its_parts_says_the_same_as_alone(hourly: Series) -> None:
    plan = backtest.plan(hourly, every_s=300 * HOUR_S)
    parts = {"one": peers.model("seasonal-naive"), "other": peers.model("headroom")}
    together = backtest.run(plan, {**parts, "both": Mixture(parts)})
    alone = backtest.run(plan, {"both": Mixture(parts)})
    np.testing.assert_allclose(together["both"].bins, alone["both"].bins)
    np.testing.assert_allclose(together["both"].peaks, alone["both"].peaks)
    assert together["both"].cpu_s == together["one"].cpu_s + together["other"].cpu_s


def test_several_series_are_pooled_by_series_and_shares_by_window(hourly: Series) -> None:
    long = backtest.plan(hourly, every_s=60 * HOUR_S)
    short = backtest.plan(hourly, every_s=300 * HOUR_S)
    reports = {}
    for name, plan, value in (("long", long, 100.0), ("short", short, 1.0)):
        models = {"headroom": Oracle(value), "naive": peers.model("seasonal-naive")}
        reports[name] = scores.report(plan, backtest.run(plan, models))
    found = pooling.pooled(reports)
    own, parts = found["models"]["headroom"], [r["models"]["headroom"] for r in reports.values()]
    assert found["origins"] == len(long.origins) + len(short.origins)
    assert found["series"] == reports
    assert own["mase_24h"] == pytest.approx((parts[0]["mase_24h"] + parts[1]["mase_24h"]) / 2)
    held = [len(p.origins) * s["peak_coverage"]["6h"]["0.99"] for p, s in zip((long, short), parts, strict=True)]
    assert own["peak_coverage"]["6h"]["0.99"] == pytest.approx(sum(held) / found["origins"])
    over = pooling.ratios(found, "headroom")["naive"]
    naive = found["models"]["naive"]
    assert over["peak_wql 24h"] == pytest.approx(own["peak_wql"]["24h"] / naive["peak_wql"]["24h"])
    assert over["mase_24h"] > 1


def test_traffic_drawn_finer_keeps_its_load_and_its_gaps(hourly: Series) -> None:
    values = hourly.values.copy()
    values[100:103] = np.nan
    fine = drawn_finer(replace(hourly, values=values), 300, rate=20.0, seed=3)
    assert (fine.step_s, fine.start_s, len(fine)) == (300, hourly.start_s, 12 * len(hourly))
    assert np.isnan(fine.values[1200:1236]).all()
    assert np.nanmean(fine.values) == pytest.approx(20.0, rel=0.02)
    counts = fine.values[fine.known] * 300
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-6)
    back = fine.resample(HOUR_S).values / np.nanmean(fine.values)
    np.testing.assert_allclose(back[10:90], (values / np.nanmean(values))[10:90], rtol=0.12)
    other = drawn_finer(replace(hourly, values=values), 300, rate=20.0, seed=4)
    assert np.nanstd(other.values - fine.values) == pytest.approx(np.sqrt(2 * 20 / 300), rel=0.1)


@pytest.mark.parametrize("step_s", [3600, 7200, 1000])
def test_a_step_that_does_not_divide_is_refused(hourly: Series, step_s: int) -> None:
    with pytest.raises(SeriesError, match="cannot be drawn"):
        drawn_finer(hourly, step_s, 20.0)
    with pytest.raises(SeriesError, match="without traffic"):
        drawn_finer(replace(hourly, values=0 * hourly.values), 300, 20.0)
