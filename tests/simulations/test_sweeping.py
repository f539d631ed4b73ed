"""Runs come out the same however they are played, and what was done is not done again."""

import json
from pathlib import Path

import pytest

from scheduler.config.scenario import Scenario
from simulations import sweeping
from simulations.outcome import as_json
from simulations.sweeping import Diary, Played, Task, results_of, sweep, tasks_of


def scenario(per_day: int = 40) -> Scenario:
    return Scenario.model_validate(
        {
            "scenario": "small",
            "start": "2012-06-04T02:00:00Z",
            "days": 0.2,
            "control": {"period": "10m"},
            "hosts": [{"name": "g", "cpus": 8, "memory": "16Gi", "gpus": 4}],
            "jobs": {
                "streams": [{"name": "s", "per_day": per_day, "duration": "1h", "resources": {"gpus": 2, "cpus": 1}}]
            },
        }
    )


def tasks() -> list[Task]:
    return [*tasks_of("few", scenario(), 2), *tasks_of("many", scenario(80), 2)]


def silent(_: float) -> None:
    """Hear nothing."""


def told(found: dict[Task, Played]) -> list[str]:
    """Return runs as they are written down."""
    return [json.dumps([as_json(played.outcome), played.hosts, played.gpus, played.said]) for played in found.values()]


@pytest.fixture(scope="module")
def alone() -> list[str]:
    """What comes of all runs, one after the other."""
    return told(sweep(tasks(), 1, silent))


def test_runs_are_equal_seed_by_seed_in_however_many_processes(alone: list[str]) -> None:
    assert told(sweep(tasks(), 2, silent)) == alone
    assert len(set(alone)) == 4, "other seeds and scenarios are other runs"


def test_results_stand_in_the_order_asked_for() -> None:
    found = sweep(tasks(), 1, silent)
    few, many = results_of(dict(sorted(found.items(), key=lambda pair: pair[0].name)), 1.0)
    assert (few.scenario, many.scenario) == ("few", "many")
    assert [seed for seed, _ in few.runs] == [1, 2]
    assert [outcome for _, outcome in many.runs] == [played.outcome for played in list(found.values())[2:]]
    assert (few.hosts, few.gpus) == (1, 4)


def test_a_sweep_goes_on_where_it_was_interrupted(
    alone: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, done = tmp_path / "out.json.partial", []

    def interrupted(done_: float) -> None:
        if done_ > 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(tasks(), 1, interrupted, Diary(file, resume=False))
    file.write_text(file.read_text() + "half a li", encoding="utf-8")
    played = sweeping.play
    monkeypatch.setattr(sweeping, "play", lambda task, **_: done.append(task.name) or played(task))
    assert told(sweep(tasks(), 1, silent, Diary(file, resume=True))) == alone
    assert done == ["many", "many"]
    done.clear()
    assert told(sweep(tasks(), 1, silent, Diary(file, resume=True))) == alone
    assert done == []
    sweep(tasks()[:1], 1, silent, Diary(file, resume=False))
    assert done == ["few"], "nobody asked to resume"


def test_what_was_done_of_another_scenario_counts_for_nothing() -> None:
    one, other = tasks_of("few", scenario(), 1)[0], tasks_of("few", scenario(41), 1)[0]
    assert one.key != other.key
    assert one.key == tasks_of("few", scenario(), 2)[0].key
    assert one.key != tasks_of("few", scenario(), 2)[1].key
