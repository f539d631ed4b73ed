"""The preemption benchmark: its optimum is one, its cases are answerable, and the planner is as good as is said."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.preemption.cases import Case, cases
from benchmarks.preemption.optimum import cheapest
from benchmarks.preemption.report import CHOICES, OPTIMUM, document, measure
from scheduler.cli.bench import app
from scheduler.planning.placement.cached_trial import CachedTrial

MANY = 120


@pytest.fixture(scope="module")
def asked() -> list[Case]:
    return list(cases(MANY, seed=5))


@pytest.fixture(scope="module")
def results(asked: list[Case]) -> Any:
    return measure(asked, lambda _: None)


def meets(case: Case, chosen: Any) -> bool:
    trial = CachedTrial(case.coming)
    for who in chosen:
        job = case.candidates.victim(who).job
        trial.give_all(job.slots, job.gang.shape)
    return case.need.is_met_by(trial.units(case.need.shape))


def test_cases_are_not_met_without_victims_and_met_with_all_of_them(asked: list[Case]) -> None:
    assert len(asked) == MANY
    assert not any(meets(case, ()) for case in asked)
    assert all(meets(case, range(len(case.candidates.order))) for case in asked)


def test_cases_have_gangs_shares_and_victims_on_several_hosts(asked: list[Case]) -> None:
    assert any(case.need.count > 1 for case in asked)
    assert any(case.need.shape.gpu_milli < 1000 for case in asked)
    spanning = [np.bincount(case.candidates.who).max(initial=0) > 1 for case in asked]
    assert sum(spanning) > MANY / 2


@pytest.mark.parametrize("name", list(CHOICES))
def test_every_way_makes_enough_room_and_stops_nobody_in_vain(name: str, asked: list[Case]) -> None:
    for case in asked[:40]:
        chosen = CHOICES[name](case)
        assert meets(case, chosen)
        assert not any(meets(case, set(chosen) - {who}) for who in chosen)


def test_nobody_is_cheaper_than_the_optimum(results: Any) -> None:
    for name, result in results.items():
        assert (result.ratios(results[OPTIMUM]) >= 1 - 1e-9).all(), name


def test_no_one_two_or_three_victims_are_cheaper_than_the_optimum(asked: list[Case]) -> None:
    for case in [one for one in asked if len(one.candidates.order) <= 40][:12]:
        best = case.candidates.cost[list(cheapest(case))].sum()
        for size in (1, 2, 3):
            for chosen in combinations(range(len(case.candidates.order)), size):
                assert case.candidates.cost[list(chosen)].sum() >= best - 1e-6 or not meets(case, chosen)


def test_the_planner_is_within_two_percent_of_the_optimum_and_ahead_of_the_others(results: Any) -> None:
    ratio = {name: result.ratios(results[OPTIMUM]).mean() for name, result in results.items()}
    assert ratio["headroom"] <= 1.02
    assert ratio["headroom"] < ratio["lyra"] < ratio["newest-first"]


def test_the_same_seed_asks_the_same_and_another_asks_something_else(results: Any) -> None:
    again = measure(cases(10, seed=5), lambda _: None)
    other = measure(cases(10, seed=6), lambda _: None)
    assert again["headroom"].lost_gpu_s.tolist() == results["headroom"].lost_gpu_s[:10].tolist()
    assert other["headroom"].lost_gpu_s.tolist() != again["headroom"].lost_gpu_s.tolist()
    assert document(again, 5)["cases"] == 10


def test_the_command_prints_a_table_or_json_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "ratios.png"
    table = CliRunner().invoke(app, ["preemption", "--cases", "3", "--plot", str(picture)])
    assert table.exit_code == 0, table.output
    assert "headroom" in table.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = CliRunner().invoke(app, ["preemption", "--cases", "3", "--json"])
    policies = json.loads(told.stdout)["policies"]
    assert set(policies) == set(CHOICES)
    assert policies[OPTIMUM]["mean_ratio"] == 1.0
