"""How sure a comparison is: intervals that hold the truth as often as they say, and that say what they rest on."""

import numpy as np
import pytest

from forecasting.evaluation.backtest import DAY_S, Answers, Plan, plan
from forecasting.evaluation.intervals import over_others
from forecasting.series import Series

HOUR_S = 3600


def asked(seed: int, days: int = 400) -> Plan:
    values = 100 + 10 * np.random.default_rng(seed).random(days * 24)
    return plan(Series(0, HOUR_S, values), every_s=DAY_S, windows_s=(6 * HOUR_S, DAY_S))


def answered(of: Plan, seed: int, error: float) -> Answers:
    """Return answers that miss each peak by so much, in one direction or the other."""
    random = np.random.default_rng(seed)
    peaks = np.array([[of.series.values[o : o + w].max() for w in of.ask.windows] for o in of.origins])
    missed = error * random.standard_normal((*peaks.shape, len(of.ask.peak_levels)))
    return Answers(np.empty((len(of.origins), 0, 0)), peaks[:, :, None] + missed, 0.0)


def test_the_ratio_is_that_of_the_scores_and_lies_inside() -> None:
    of = asked(0)
    said = {"headroom": answered(of, 1, 1.0), "naive": answered(of, 2, 2.0)}
    found = over_others([(of, said)], "headroom")
    assert set(found) == {"naive"}
    assert set(found["naive"]) == {"6h", "24h"}
    for ratio, low, high in found["naive"].values():
        assert low < ratio < high
        assert ratio == pytest.approx(0.5, rel=0.1)
        assert high < 1


def test_equal_models_are_level_and_the_interval_says_so() -> None:
    """Of 40 comparisons of two alike about one in twenty may be taken for a difference."""
    held = []
    for seed in range(40):
        of = asked(seed, 200)
        said = {"headroom": answered(of, 100 + seed, 1.0), "other": answered(of, 200 + seed, 1.0)}
        _, low, high = over_others([(of, said)], "headroom")["other"]["24h"]
        held.append(low <= 1 <= high)
    assert np.mean(held) >= 0.8


def test_more_origins_make_it_surer_and_the_same_answers_certain() -> None:
    widths = []
    for days in (200, 1200):
        of = asked(3, days)
        said = {"headroom": answered(of, 4, 1.0), "other": answered(of, 5, 1.0), "same": answered(of, 4, 1.0)}
        found = over_others([(of, said)], "headroom")
        widths.append(found["other"]["24h"][2] - found["other"]["24h"][1])
        assert found["same"]["24h"] == (1.0, 1.0, 1.0)
    assert widths[1] < 0.7 * widths[0]


def test_several_series_count_alike_whatever_their_size() -> None:
    small, large = asked(6), asked(7)
    huge = Plan(Series(0, HOUR_S, large.series.values * 1e6), large.origins, large.windows_s, large.horizon_s)
    runs = []
    for of, factor in ((small, 1.0), (huge, 1e6)):
        error = {"headroom": 1.0 * factor, "other": (2.0 if factor == 1.0 else 0.5) * factor}
        runs.append((of, {name: answered(of, 8, size) for name, size in error.items()}))
    ratio, _, _ = over_others(runs, "headroom")["other"]["24h"]
    assert ratio == pytest.approx(2 / 2.5, rel=0.01)
