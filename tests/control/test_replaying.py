"""A recorded turn is planned as it was, or it is said why not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from policies.choices import Choices
from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.control.whatif import replay
from scheduler.control.whatif.replay import Again, Why, replayed
from scheduler.model.plan import Plan
from scheduler.store.codec import read_journal

JOURNAL = Path(__file__).parents[1] / "scenarios" / "journals" / "evening-peak.jsonl.gz"
RELEASE = "1.0"


@pytest.fixture(scope="module")
def turns() -> list[CycleRecord]:
    """Recorded turns that did something, as if they had been recorded with their policy."""
    choices = Choices(min_runtime_s=900.0)
    return [replace(cycle, choices=choices, release=RELEASE) for cycle in list(read_journal(JOURNAL))[:6]]


def again(cycle: CycleRecord, **other: object) -> Again:
    (found,) = replayed([replace(cycle, **other)], RELEASE)  # type: ignore[arg-type]  # by name
    return found


def test_turns_are_planned_as_they_were(turns: list[CycleRecord]) -> None:
    found = list(replayed(turns, RELEASE))
    assert all(one.is_equal for one in found)
    assert [one.plan for one in found] == [cycle.plan for cycle in turns]
    assert {(one.gone(), one.come(), one.differs) for one in found} == {((), (), ())}


def test_each_reason_not_to_be_equal_is_told(turns: list[CycleRecord]) -> None:
    first, other = turns[0], Plan(turns[0].plan.snapshot_version)
    assert again(first, plan=other).why is Why.CHANGED
    assert again(first, plan=other, release="0.9").why is Why.RELEASE
    assert again(first, plan=other, choices=None).why is Why.UNKNOWN_POLICY
    assert again(first, plan=other).come() == first.plan.actions
    assert "actions" in again(first, plan=other).differs


def test_a_planner_that_fails_or_is_no_function_is_told(
    turns: list[CycleRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> Plan:
        raise ZeroDivisionError("division by zero")

    def by_chance() -> Callable[..., Plan]:
        number = iter(range(9))
        return lambda *_: Plan(next(number), turns[1].plan.actions, holds=(next(number),))  # type: ignore[arg-type]

    monkeypatch.setattr(replay, "plan", failing)
    failed = again(turns[0])
    assert (failed.why, failed.error, failed.plan) == (Why.FAILED, "ZeroDivisionError: division by zero", None)
    assert (failed.gone(), failed.come()) == (turns[0].plan.actions, ())
    monkeypatch.setattr(replay, "plan", by_chance())
    assert again(turns[0]).why is Why.CHANCE


def test_another_policy_is_asked_in_place_of_the_recorded_one(turns: list[CycleRecord]) -> None:
    asked = policy_from_names(placement_score="worst-fit")
    found = list(replayed(turns, RELEASE, asked))
    assert {one.why for one in found} == {Why.EQUAL, Why.POLICY}
