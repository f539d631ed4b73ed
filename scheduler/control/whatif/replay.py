"""Recorded turns planned again: as they were, or where and why not; by another policy, what would have differed."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.model.plan import Action, Plan
from scheduler.model.policy import Policy
from scheduler.planning.planner import plan

PARTS: Final = ("actions", "reservations", "holds", "bookings", "proposals", "unplaced")
"""What a plan is made of, what is carried out first."""


class Why(StrEnum):
    """Why a turn is not planned as it was; "" where it is."""

    EQUAL = ""
    POLICY = "it was asked by another policy"
    RELEASE = "another release of Headroom planned it"
    UNKNOWN_POLICY = "it was not recorded by which policy it was planned: the defaults are not it"
    CHANCE = "two plans of the same input differ: the planner is not a function of it"
    FAILED = "the planner fails on it"
    CHANGED = "release, policy and input are as they were: the planner itself was changed, or its record"


@dataclass(frozen=True, slots=True)
class Again:
    """One recorded turn, planned again.

    Attributes:
        cycle: as it was recorded.
        plan: of now; None where there is none.
        differs: names of `PARTS` that are not as they were.
        why: see `Why`.
        error: what the planner said.
    """

    cycle: CycleRecord
    plan: Plan | None
    differs: tuple[str, ...] = ()
    why: Why = Why.EQUAL
    error: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether it was planned as it was."""
        return self.why is Why.EQUAL

    def gone(self) -> tuple[Action, ...]:
        """Return the actions that were taken and would not be."""
        return _without(self.cycle.plan.actions, self.plan.actions if self.plan else ())

    def come(self) -> tuple[Action, ...]:
        """Return the actions that would be taken and were not."""
        return _without(self.plan.actions if self.plan else (), self.cycle.plan.actions)


def replayed(cycles: Iterable[CycleRecord], release: str, policy: Policy | None = None) -> Iterator[Again]:
    """Plan each turn again, by itself: what was planned otherwise changes nothing of the turns after it.

    Args:
        cycles: as they were recorded.
        release: of this Headroom.
        policy: another one; None for that of each turn.
    """
    for cycle in cycles:
        by = policy or (policy_from_names(**asdict(cycle.choices)) if cycle.choices else policy_from_names())
        yield _again(cycle, by, release, is_asked=policy is not None)


def _again(cycle: CycleRecord, by: Policy, release: str, *, is_asked: bool) -> Again:
    try:
        made = plan(cycle.snapshot, cycle.demand, by)
        differs = _differing(cycle.plan, made)
        is_chance = bool(differs) and bool(_differing(made, plan(cycle.snapshot, cycle.demand, by)))
    except Exception as error:  # noqa: BLE001  # whatever it says is the answer
        return Again(cycle, None, PARTS, Why.FAILED, f"{type(error).__name__}: {error}")
    if not differs:
        return Again(cycle, made)
    return Again(cycle, made, differs, Why.CHANCE if is_chance else _why(cycle, release, is_asked=is_asked))


def _why(cycle: CycleRecord, release: str, *, is_asked: bool) -> Why:
    if is_asked:
        return Why.POLICY
    if cycle.choices is None:
        return Why.UNKNOWN_POLICY
    return Why.CHANGED if cycle.release == release else Why.RELEASE


def _differing(before: Plan, after: Plan) -> tuple[str, ...]:
    return tuple(part for part in PARTS if getattr(before, part) != getattr(after, part))


def _without(actions: Iterable[Action], others: Iterable[Action]) -> tuple[Action, ...]:
    left = Counter(others)
    found = []
    for action in actions:
        if left[action]:
            left[action] -= 1
        else:
            found.append(action)
    return tuple(found)
