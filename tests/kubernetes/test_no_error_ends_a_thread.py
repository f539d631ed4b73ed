"""What lets gangs in and what tells on objects go on, whatever failed once, and the fault is told by name."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.backends.kubernetes.teller import Teller
from scheduler.backends.kubernetes.tireless import TOLD_FOR_S, Tireless
from scheduler.backends.kubernetes.usher import Usher
from scheduler.model.errors import Unreachable
from scheduler.model.workloads import JobState
from tests.kubernetes.sited import Site, four, opened


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A cluster with a control plane."""
    with opened(tmp_path, monkeypatch) as made:
        yield made


def failing(work: Callable[..., Any], times: int) -> tuple[Callable[..., Any], list[int]]:
    """Return a method that fails so many times before it works, and how often it was called."""
    called: list[int] = []

    def method(*arguments: Any) -> Any:
        called.append(len(called))
        if len(called) <= times:
            raise KeyError("gpu-a")
        return work(*arguments)

    return method, called


def test_a_gang_is_let_in_though_looking_failed_and_it_was_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    look, called = failing(Usher.look, 3)
    monkeypatch.setattr(Usher, "look", look)
    site.give(four("first"))
    site.until(lambda: any("letting gangs in failed" in event.title for event in site.plane.store.events()))
    site.until(site.is_in("first", JobState.RUNNING))
    assert len(called) > 3


def test_telling_goes_on_though_it_failed(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, called = failing(Teller.tell, 2)
    monkeypatch.setattr(Teller, "tell", tell)
    site.give(four("first"))
    site.until(lambda: site.said("jobs", "first").startswith("Running"))
    assert len(called) > 2


def test_one_gang_that_breaks_letting_in_keeps_no_other_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    let_in = Usher._do

    def breaks(usher: Usher, attempt: Any, what: Any, caches: Any) -> None:
        if attempt.seen.name == "broken":
            raise ValueError("no such pod template")
        let_in(usher, attempt, what, caches)

    monkeypatch.setattr(Usher, "_do", breaks)
    site.give(four("broken", workers=1))
    site.give(four("first", workers=1))
    site.until(site.is_in("first", JobState.RUNNING))
    assert site.job("broken").state is not JobState.RUNNING


def test_a_cluster_that_is_away_is_the_loops_to_tell_and_what_works_again_is_told_no_more() -> None:
    now = [1000.0]
    work = Tireless("telling", lambda: now[0])

    def away() -> None:
        raise Unreachable("the API server does not answer")

    def broken() -> None:
        raise KeyError("gpu-a")

    work.do(away)
    assert not work.fault
    work.do(broken)
    work.do(lambda: None)
    assert work.fault == "telling failed and is tried again: KeyError: 'gpu-a'"
    now[0] += TOLD_FOR_S
    assert not work.fault
