"""Who only looks is answered soon, whether the store is or not."""

import threading

import pytest

from scheduler.control.upkeep import remembered as remembering
from scheduler.control.upkeep.remembered import Remembered
from scheduler.model.errors import NotFound, Unreachable


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less than in life."""
    monkeypatch.setattr(remembering, "PATIENCE_S", 0.2)


def test_each_look_is_a_fresh_one() -> None:
    numbers = iter(range(5))
    look = Remembered(lambda: next(numbers), -1)
    assert [look(), look(), look()] == [0, 1, 2]


def test_a_store_that_refuses_or_hangs_leaves_the_last_answer() -> None:
    hangs, refuses, gate = threading.Event(), threading.Event(), threading.Event()

    def ask() -> str:
        if hangs.is_set():
            gate.wait()
        if refuses.is_set():
            raise Unreachable("the store is silent")
        return "answer"

    look = Remembered(ask, "nothing yet")
    refuses.set()
    assert look() == "nothing yet"
    refuses.clear()
    assert look() == "answer"
    hangs.set()
    assert look() == "answer"
    gate.set()
    hangs.clear()
    refuses.set()
    assert look() == "answer"


def test_a_hanging_store_is_asked_once_whoever_looks() -> None:
    gate, asked = threading.Event(), []

    def ask() -> int:
        asked.append(1)
        gate.wait()
        return len(asked)

    look = Remembered(ask, 0)
    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1
    gate.set()
    while look() < 2:
        pass
    assert look() >= 3


def test_a_bug_is_not_remembered_away() -> None:
    def ask() -> int:
        raise NotFound("nothing is silent here")

    with pytest.raises(NotFound):
        Remembered(ask, 0)()
