"""A local Ray that is dead is started anew, but never by one that does not lead, and not because it is slow once."""

import threading
from typing import Any

import pytest

from scheduler.backends.ray.local import LocalAddress
from scheduler.cli import reviving
from scheduler.cli.reviving import MISSES, keep_alive
from scheduler.model.errors import Superseded, Unreachable

FIRST = LocalAddress("127.0.0.1:1", "http://127.0.0.1:2", 7, "first", (), ())
SECOND = LocalAddress("127.0.0.1:1", "http://127.0.0.1:2", 8, "second", (), ())


class Course:
    """A cluster, a lease and a clock whose course is told; over after so many looks."""

    error: Exception = Unreachable("a port is taken")

    def __init__(self, looks: int, *, dead: set[int], fails: int = 0, leads: bool = True) -> None:
        self.looks, self.dead, self.fails, self.leads = looks, dead, fails, leads
        self.look = 0
        self.revived: list[LocalAddress] = []
        self.said: list[str] = []
        self.asked: list[str] = []

    def wait(self, _: float) -> bool:
        """Let time pass."""
        self.look += 1
        return self.look > self.looks

    def is_dead(self, address: LocalAddress) -> bool:
        """Say so."""
        self.asked.append(address.token)
        return self.look in self.dead

    def prove(self) -> None:
        """Prove that this one leads."""
        if not self.leads:
            raise Superseded("another control plane leads")

    def revive(self, dead: LocalAddress) -> LocalAddress:
        """Start it anew, or fail."""
        self.revived.append(dead)
        if len(self.revived) <= self.fails:
            raise self.error
        return SECOND

    def note(self, text: str) -> None:
        """Hear what is said."""
        self.said.append(text)


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keep a cluster alive through a course."""

    def keep(course: Course) -> Course:
        monkeypatch.setattr(reviving, "is_dead", course.is_dead)
        keep_alive(course, FIRST, course, course, course)  # type: ignore[arg-type]  # it plays all parts
        return course

    return keep


def test_only_one_that_is_dead_at_several_looks_in_a_row_is_started_anew(kept: Any) -> None:
    assert kept(Course(20, dead={1, 2, 4, 5, 7})).revived == []
    course = kept(Course(10, dead={4, 5, 6}))
    assert course.revived == [FIRST]
    assert course.asked == ["first"] * (3 + MISSES) + ["second"] * 4, "it is the new one that is looked at then"
    assert course.said[0].startswith("Ray on this machine has died")


def test_a_start_that_fails_is_said_and_tried_again(kept: Any) -> None:
    course = kept(Course(12, dead=set(range(1, 7)), fails=1))
    assert len(course.revived) == 2
    assert "a port is taken" in course.said


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("cannot start new thread")])
def test_whatever_a_start_fails_of_it_is_tried_again(kept: Any, error: Exception) -> None:
    course = Course(12, dead=set(range(1, 7)), fails=1)
    course.error = error
    assert len(kept(course).revived) == 2
    assert any(str(error) in said for said in course.said)


def test_one_that_does_not_lead_starts_nothing(kept: Any) -> None:
    course = kept(Course(10, dead=set(range(11)), leads=False))
    assert course.revived == []
    assert set(course.said) == {"another control plane leads"}


def test_it_ends_when_it_is_over() -> None:
    over = threading.Event()
    over.set()
    keep_alive(None, FIRST, None, over, None)  # type: ignore[arg-type]  # none of them is asked
