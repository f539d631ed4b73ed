"""Promises of the joint benchmark: what it offers, what its oracle knows, and how knobs are tuned."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.joint.foresight import Clairvoyant
from benchmarks.joint.peers import OneStepAhead, seasonal
from benchmarks.joint.plotting import plot_all, plot_map
from benchmarks.joint.policies import CONTENDERS, ORDERED, PEERS
from benchmarks.joint.report import change, document
from benchmarks.joint.running import SIZES, Task, Tried, best, play, play_all, serving_alone
from benchmarks.joint.setting import (
    OFFERED,
    RULE,
    SOURCE,
    Setting,
    all_time_peak,
    needed_at_peak,
    scenario_of,
    steepest_per_hour,
)
from benchmarks.joint.where import cells_of
from benchmarks.joint.where import document as map_document
from forecasting.forecaster import Forecaster
from forecasting.series import Series
from scheduler.config.scenario import Noise
from scheduler.control.ports import Traffic
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
        datetime.fromisoformat(before.start).timestamp() + 0.3 * DAY_S
        == datetime.fromisoformat(setting.start).timestamp()
    )
    assert before.jobs_start < setting.jobs_start
    assert before.days == pytest.approx(3 * setting.days)


def test_the_partition_is_for_the_highest_load_ever(setting: Setting) -> None:
    assert all_time_peak(setting) >= needed_at_peak(setting)
    changed = CONTENDERS["static"].change(scenario_of(setting), setting, 0.0).models[0]
    assert changed.min_replicas == changed.max_replicas == min(8, all_time_peak(setting))


def test_the_oracle_knows_what_comes() -> None:
    load = lambda at_s: 20.0 + 10.0 * np.sin(at_s / 5000.0)  # noqa: E731  # one line of the set-up
    centres = (np.arange(24 * 21) + 0.5) * HOUR_S
    noisy = load(centres) * np.random.default_rng(1).uniform(0.7, 1.3, len(centres))
    fitted, crowds = Clairvoyant(load).submit(lambda: (Forecaster().fit(Series(0, HOUR_S, noisy)), None)).result()
    coming = load(fitted.start_s + (np.arange(288) + 0.5) * fitted.step_s)
    assert crowds is None
    assert fitted.quantiles(288, (0.01, 0.5, 0.999)) == pytest.approx(np.tile(coming, (3, 1)), rel=0.05)
    assert fitted.peak(288, (0.5, 0.99)).values == pytest.approx([coming.max()] * 2, rel=0.01)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 3e-4), st.floats(0, 1e5)), min_size=1))
def test_knobs_are_tuned_for_the_least_that_is_feasible(values: list[tuple[float, float, float]]) -> None:
    tried = [Tried(*each) for each in values]
    chosen = best(tried)
    if any(each.is_feasible for each in tried):
        assert chosen.is_feasible
        assert all(chosen.gpu_hours <= each.gpu_hours for each in tried if each.is_feasible)
    else:
        assert all(chosen.late_ratio <= each.late_ratio for each in tried)


def test_every_policy_plays_the_same_jobs_under_the_same_load(setting: Setting) -> None:
    short = replace(setting, days=0.05, drain_s=1800.0)
    names = [name for name in CONTENDERS if not name.endswith(ORDERED)]
    runs = {name: play(Task(name, short, CONTENDERS[name].values[-1], 1)) for name in names}
    assert len({(run.outcome.requests, run.outcome.jobs, len(run.wait_s)) for run in runs.values()}) == 1
    assert all(0 <= run.late_ratio <= 1 for run in runs.values())
    assert all((run.wait_s <= run.completion_s).all() for run in runs.values())


def test_a_peer_in_our_order_has_our_queue_and_its_own_knowledge(setting: Setting) -> None:
    for name in CONTENDERS:
        changed = CONTENDERS[name].change(scenario_of(setting), setting, 0.5)
        is_ours = name.endswith(ORDERED) or name not in PEERS
        assert (changed.policy.queue_order == "shortest-first") == is_ours, name
        assert (changed.policy.may_displace == "shorter-first") == is_ours, name
        assert CONTENDERS[name].like in {"", name + ORDERED}


def test_a_knob_is_tuned_without_jobs(setting: Setting) -> None:
    few, many = (serving_alone(Task("reactive", setting, margin, 1)) for margin in (0.1, 0.8))
    assert few.gpu_hours < many.gpu_hours
    assert few.late_ratio >= many.late_ratio


def test_the_document_has_what_it_promises(setting: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = play(Task("static", setting, 0.0, 1))
    monkeypatch.setattr("benchmarks.joint.running.play", lambda task: replace(run, knob=task.knob, seed=task.seed))
    monkeypatch.setattr("benchmarks.joint.running.serving_alone", lambda task: Tried(task.knob, 0.0, 1.0))
    told: list[str] = []
    found = play_all([setting], list(CONTENDERS), (1, 2), 1, told.append)
    written = json.loads(json.dumps(document(found), allow_nan=False))
    assert list(written["policies"]) == list(CONTENDERS)
    assert written["seeds"] == [1, 2]
    assert written["windows"][0]["gpus"] == 8
    reactive = written["policies"]["reactive"]
    assert [one["value"] for one in reactive["knob"]["tried"]] == list(CONTENDERS["reactive"].values[:1])
    assert written["policies"]["static"]["knob"] is None
    for number in ("late_ratio", "violation_minutes", "mean_jct_s", "mean_wait_s", "p95_wait_s", "gpu_hours_useful"):
        assert reactive[number] is not None
        assert reactive["intervals"][number] == 0.0
    assert 0.0 < reactive["goodput_per_mean_gpu"] <= reactive["gpu_allocation"] <= 1.0
    assert reactive["sizes"][SIZES[0]]["jobs"] == 2 * len(run.wait_s)
    assert {by["change"] for by in written["against"]["reactive"].values() if by} == {0.0}
    tuned = {CONTENDERS[name].like or name for name in CONTENDERS if CONTENDERS[name].knob}
    assert len(told) == len(tuned) + 2 * len(CONTENDERS)
    given = play_all([setting], ["reactive", "static"], (1,), 1, told.append, knob=0.45)
    assert [(given[name].runs[0].knob, given[name].tried) for name in given] == [(0.45, {}), (0.0, {})]
    plot_all(tmp_path / "joint.png", found)
    assert (tmp_path / "joint.png").stat().st_size > 0


def test_the_map_says_what_is_left_to_training(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = {"reactive+order": 10.0, "predictive+order": 9.0, "headroom": 4.2}
    monkeypatch.setattr("benchmarks.joint.where.tuned", lambda asked: (Tried(0.5, 0.0, held[asked[0]]),))
    cells = cells_of([setting], (10.0, 1200.0), 1, lambda _: None)
    assert [cell.setting.warm_up_s for cell in cells] == [10.0, 1200.0]
    assert {round(cell.gain or 0.0, 6) for cell in cells} == {round((19.2 - 4.2) / (19.2 - 9.0) - 1.0, 6)}
    written = json.loads(json.dumps(map_document(cells), allow_nan=False))
    assert written["cells"][0]["policies"]["headroom"] == {"knob": 0.5, "late_ratio": 0.0, "gpu_hours": 4.2}
    rising = replace(setting, start="2012-01-18T12:30:00+00:00", days=0.25)
    assert steepest_per_hour(rising) == pytest.approx(500.0 / (1000.0 + 500.0 * 5.9), rel=0.02)
    plot_map(tmp_path / "map.png", cells)
    assert (tmp_path / "map.png").stat().st_size > 0


def test_a_change_is_a_mean_of_ratios(setting: Setting) -> None:
    run = play(Task("static", setting, 0.0, 1))
    longer = [replace(run, outcome=replace(run.outcome, wait_mean_s=wait)) for wait in (200.0, 800.0)]
    shorter = [replace(run, outcome=replace(run.outcome, wait_mean_s=100.0))] * 2
    found = change(shorter, longer, "mean_wait_s")
    assert found is not None
    assert found["change"] == pytest.approx(100.0 / 400.0 - 1.0)
    assert found["low"] < found["change"] < found["high"]


@given(st.floats(10.0, 1000.0), st.floats(-0.2, 0.5))
def test_a_kalman_filter_sees_a_steady_rise_coming(start: float, rise: float) -> None:
    shown = OneStepAhead(_Line(start, rise * start / 3600), 180.0)
    seen = [shown.read(60.0 + 60.0 * minute).latest_rps for minute in range(180)]
    assert seen[-1] == pytest.approx(_Line(start, rise * start / 3600).read(60.0 * 180 + 120.0).latest_rps, rel=0.05)


def test_last_week_comes_again_by_as_much_more_as_yesterday_was() -> None:
    hours = 100.0 + np.arange(24 * 15) % 168
    hours[-24:] *= 1.5
    path = seasonal(Series(0, HOUR_S, hours), 48)
    assert path == pytest.approx(1.5 * (100.0 + (np.arange(48) + 24 * 15) % 168))
    short = seasonal(Series(0, HOUR_S, hours[:30]), 24)
    assert np.isfinite(short).all()


class _Line:
    """Traffic that grows by as much each second."""

    def __init__(self, start: float, rise: float) -> None:
        self._start, self._rise = start, rise

    def read(self, now_s: float) -> Traffic:
        return Traffic(Series(0, HOUR_S, np.ones(1)), self._start + self._rise * now_s, now_s)
