"""The desk of questions: one at a time, bounded, kept while they grow, and whatever fails is told."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.control.reports.board import Board, Report
from scheduler.control.settings import Settings
from scheduler.control.whatif.desk import KEPT, MOST_WAITING, Inquiry, Phase, WhatIfDesk
from scheduler.control.whatif.question import Question, Rules
from scheduler.model.errors import Conflict, NotFound, Unreachable

FIRST: Any = "what is known after one run"
LAST: Any = "all that is known"
RULES = Rules(policy_from_names(), Settings())


class Slow:
    """Answers when it is let; plays one question at a time."""

    def __init__(self) -> None:
        self.let, self.playing, self.most, self.played = threading.Event(), 0, 0, list[int]()
        self.fails = False

    def play(self, _report: Report, _rules: Rules, question: Question) -> Iterator[Any]:
        self.playing += 1
        self.most = max(self.most, self.playing)
        yield FIRST
        assert self.let.wait(10)
        self.playing -= 1
        self.played.append(question.seed)
        if self.fails:
            raise Unreachable("the process died")
        yield LAST

    def close(self) -> None:
        self.let.set()


@pytest.fixture
def desk() -> Iterator[tuple[WhatIfDesk, Slow]]:
    board, player = Board(), Slow()
    board._report = SimpleNamespace()  # type: ignore[assignment]  # nobody here looks into it
    desk = WhatIfDesk(player, board, lambda: RULES)
    yield desk, player
    desk.close()


def until(desk: WhatIfDesk, name: str, holds: Callable[[Inquiry], bool]) -> Inquiry:
    for _ in range(1000):
        found = desk.inquiry(name)
        if holds(found):
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"{name} is still {found.phase}")


def test_an_answer_grows_and_is_kept(desk: tuple[WhatIfDesk, Slow]) -> None:
    asked = desk[0].ask(Question())
    assert asked.phase is Phase.WAITING
    first = until(desk[0], asked.name, lambda one: one.answer is FIRST)
    assert (first.phase, first.is_over) == (Phase.PLAYING, False)
    desk[1].let.set()
    last = until(desk[0], asked.name, lambda one: one.is_over)
    assert (last.phase, last.answer is LAST, last.failure) == (Phase.DONE, True, "")


def test_one_is_played_at_a_time_in_order_and_too_many_are_refused(desk: tuple[WhatIfDesk, Slow]) -> None:
    asked = [desk[0].ask(Question(seed=0), "p0")]
    until(desk[0], asked[0].name, lambda one: one.phase is Phase.PLAYING)
    asked += [desk[0].ask(Question(seed=n), f"p{n}") for n in range(1, 1 + MOST_WAITING)]
    with pytest.raises(Conflict, match="too many"):
        desk[0].ask(Question(), "another")
    desk[1].let.set()
    until(desk[0], asked[-1].name, lambda one: one.is_over)
    assert desk[1].played == [0, 1, 2, 3, 4]
    assert desk[1].most == 1
    assert [one.name for one in desk[0].inquiries()] == [one.name for one in asked]


def test_one_person_does_not_take_all_places(desk: tuple[WhatIfDesk, Slow]) -> None:
    desk[0].ask(Question(), "alice")
    desk[0].ask(Question(), "alice")
    with pytest.raises(Conflict, match="too many"):
        desk[0].ask(Question(), "alice")
    desk[0].ask(Question(), "bob")


def test_what_fails_is_told_and_the_next_one_is_played(desk: tuple[WhatIfDesk, Slow]) -> None:
    desk[1].fails = True
    desk[1].let.set()
    failed = until(desk[0], desk[0].ask(Question()).name, lambda one: one.is_over)
    assert (failed.phase, failed.failure) == (Phase.FAILED, "the process died")
    desk[1].fails = False
    assert until(desk[0], desk[0].ask(Question()).name, lambda one: one.is_over).phase is Phase.DONE


def test_old_ones_are_forgotten(desk: tuple[WhatIfDesk, Slow]) -> None:
    desk[1].let.set()
    for number in range(KEPT + 2):
        until(desk[0], desk[0].ask(Question(seed=number)).name, lambda one: one.is_over)
    assert len(desk[0].inquiries()) == KEPT
    with pytest.raises(NotFound):
        desk[0].inquiry("w1")


def test_nobody_asks_before_the_first_plan() -> None:
    with pytest.raises(Conflict, match="no plan"):
        WhatIfDesk(Slow(), Board(), lambda: RULES).ask(Question())
