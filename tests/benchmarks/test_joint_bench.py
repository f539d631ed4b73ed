"""Promises of the joint benchmark: what it offers, what its oracle knows, and how knobs are tuned."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.joint.foresight import Clairvoyant
from benchmarks.joint.policies import CONTENDERS
from benchmarks.joint.report import document
from benchmarks.joint.running import Task, Tried, best, late_ratio, play, play_all
from benchmarks.joint.setting import OFFERED, RULE, SOURCE, Setting, all_time_peak, needed_at_peak, scenario_of
from forecasting.forecaster import Forecaster
from forecasting.series import Series
from scheduler.config.scenario import Noise
from scheduler.model.errors import ConfigError
from simulations.arrivals import DAY_S
from simulations.wiring import setup_of

HOUR_S = 3600


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """A site of one host, three weeks of days with a peak at noon, and a job every two minutes."""
    traffic, jobs = tmp_path / "traffic.csv", tmp_path / "jobs.csv"
    first_s = datetime(2012, 1, 1, tzinfo=UTC).timestamp()
    hours = [
        f"{datetime.fromtimestamp(first_s + HOUR_S * hour, UTC):%Y-%m-%dT%H:%M:%SZ},{1000 + 500 * abs(12 - hour % 24)}"
        for hour in range(24 * 21)
    ]
    traffic.write_text("\n".join(["timestamp,requests", *hours]) + "\n")
    rows = [f"2017-09-{4 + n // 720:02} {n // 30 % 24:02}:{2 * n % 60:02}:00,900,1" for n in range(1440)]
    jobs.write_text("\n".join(["timestamp,duration,num_gpus", *rows]) + "\n")
    return Setting(traffic, jobs, "2012-01-18T00:00:00+00:00", "2017-09-05T00:00:00+00:00", days=0.1, hosts=1)


def test_serving_takes_its_share_at_the_peak_and_training_most_of_what_is_left(setting: Setting) -> None:
    scenario = scenario_of(setting)
    setup = setup_of(scenario.model_copy(update={"noise": Noise(spread=0.0)}), seed=1)
    at_s = np.arange(setup.start_s, setup.end_s, 60.0)
    needed = [RULE.replicas(rate) for rate in setup.loads[SOURCE](at_s).tolist()]
    assert max(needed) == needed_at_peak(setting) == round(0.65 * 8)
    offered = scenario.jobs.traces[0].share * 900.0 * 720 * setting.days
    assert offered == pytest.approx(OFFERED * sum(8 - number for number in needed) * 60.0, rel=0.05)


def test_a_window_with_too_few_jobs_is_refused(setting: Setting) -> None:
    with pytest.raises(ConfigError, match="of what is to be offered"):
        scenario_of(Setting(setting.traffic, setting.jobs, setting.start, setting.jobs_start, 0.1, hosts=20))
    with pytest.raises(ConfigError, match="no traffic was recorded"):
        scenario_of(
            Setting(setting.traffic, setting.jobs, "2013-01-01T00:00:00+00:00", setting.jobs_start, 0.1, hosts=1)
        )


def test_the_earlier_window_ends_where_the_window_begins(setting: Setting) -> None:
    before = setting.earlier()
    assert (
        datetime.fromisoformat(before.start).timestamp() + 0.1 * DAY_S
        == datetime.fromisoformat(setting.start).timestamp()
    )
    assert before.jobs_start < setting.jobs_start
    assert before.days == setting.days


def test_the_partition_is_for_the_highest_load_ever(setting: Setting) -> None:
    assert all_time_peak(setting) >= needed_at_peak(setting)
    changed = CONTENDERS["static"].change(scenario_of(setting), setting, 0.0).models[0]
    assert changed.min_replicas == changed.max_replicas == min(8, all_time_peak(setting))


def test_the_oracle_knows_what_comes() -> None:
    load = lambda at_s: 20.0 + 10.0 * np.sin(at_s / 5000.0)  # noqa: E731  # one line of the set-up
    centres = (np.arange(24 * 21) + 0.5) * HOUR_S
    noisy = load(centres) * np.random.default_rng(1).uniform(0.7, 1.3, len(centres))
    fitted, crowds = Clairvoyant(load).submit(lambda: (Forecaster().fit(Series(0, HOUR_S, noisy)), None)).result()
    coming = load(fitted.start_s + (np.arange(24) + 0.5) * HOUR_S)
    assert crowds is None
    assert fitted.quantiles(24, (0.01, 0.5, 0.999)) == pytest.approx(np.tile(coming, (3, 1)), rel=0.03), (
        "but for the mean over a bin"
    )
    assert fitted.peak(24, (0.5, 0.99)).values == pytest.approx([coming.max()] * 2, rel=0.03)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3e-4), st.floats(0, 1e5)), min_size=1))
def test_knobs_are_tuned_for_the_shortest_wait_that_is_feasible(values: list[tuple[float, float, float]]) -> None:
    tried = [Tried(*each) for each in values]
    chosen = best(tried)
    if any(each.is_feasible for each in tried):
        assert chosen.is_feasible
        assert all(chosen.wait_s <= each.wait_s for each in tried if each.is_feasible)
    else:
        assert all(chosen.late_ratio <= each.late_ratio for each in tried)


def test_every_policy_plays_the_same_jobs_under_the_same_load(setting: Setting) -> None:
    outcomes = {name: play(Task(name, setting, CONTENDERS[name].values[-1], 1)) for name in CONTENDERS}
    assert len({(outcome.requests, outcome.jobs) for outcome in outcomes.values()}) == 1
    assert all(outcome.jobs_unfinished == 0 for outcome in outcomes.values())
    assert all(0 <= late_ratio(outcome) <= 1 for outcome in outcomes.values())


def test_the_document_has_what_it_promises(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = play(Task("static", setting, 0.0, 1))
    monkeypatch.setattr("benchmarks.joint.running.play", lambda _: outcome)
    told: list[str] = []
    found = play_all(setting, list(CONTENDERS), (1, 2), 1, told.append)
    written = json.loads(json.dumps(document(setting, found), allow_nan=False))
    assert list(written["policies"]) == list(CONTENDERS)
    assert written["seeds"] == [1, 2]
    assert written["setting"]["gpus"] == 8
    reactive = written["policies"]["reactive"]
    assert [one["value"] for one in reactive["knob"]["tried"]] == list(CONTENDERS["reactive"].values)
    assert written["policies"]["static"]["knob"] is None
    for number in ("late_ratio", "violation_minutes", "mean_jct_s", "mean_wait_s", "p95_wait_s", "gpu_hours_useful"):
        assert reactive[number] is not None
        assert reactive["intervals"][number] == 0.0
    assert 0.0 < reactive["goodput_per_mean_gpu"] <= reactive["gpu_allocation"] <= 1.0
    assert len(told) == sum(bool(contender.knob) for contender in CONTENDERS.values())
