"""`headroom strays`, `adopt` and `evict-strays`: what they send, say, and end with."""

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.wire.base import Listing
from scheduler.wire.hosts import Stray

Headroom = Callable[..., Any]
MINE = Stray(name="headroom-4-1", kind="run", hosts=("a", "b"), gpus=2.0, cpus=4.0, job="4", attempt=1, adoptable=True)
THEIRS = Stray(name="theirs", kind="group", owner="b" * 36, gpus=1.0, adoptable=False, why="nothing is known of it")


def answer(*strays: Stray) -> Listing[Stray]:
    return Listing[Stray](kind="StrayList", observed_at="2026-11-23T17:24:00Z", cycle=1, items=strays)


@pytest.fixture
def crowded(plane: Any) -> Any:
    """A control plane with two strays on its cluster."""
    plane.gives("GET", "/strays", answer(MINE, THEIRS))
    plane.gives("POST", "/strays/adopt", answer(MINE))
    plane.gives("POST", "/strays/evict", answer(THEIRS))
    return plane


def test_strays_are_listed_with_what_can_be_done(headroom: Headroom, crowded: Any) -> None:
    shown = headroom("strays", "--color=never", width=140)
    assert [line.split() for line in shown.out.splitlines()] == [
        ["NAME", "KIND", "OWNER", "HOSTS", "GPUS", "CPUS", "ADOPT"],
        ["headroom-4-1", "run", "-", "a,", "b", "2", "4", "yes"],
        ["theirs", "group", "bbbbbbbb", "-", "1", "0", "no:", "nothing", "is", "known", "of", "it"],
    ]
    assert "2 strays, 3 GPUs; left alone until you adopt or evict them" in shown.err
    assert crowded.of("GET", "/strays")


def test_adopt_without_names_says_what_was_left_and_why(headroom: Headroom, crowded: Any) -> None:
    shown = headroom("adopt")
    (asked,) = crowded.of("POST", "/strays/adopt")
    assert asked.json == {"names": []}
    assert shown.out == "headroom-4-1 is to be adopted\n"
    assert "left alone: theirs: nothing is known of it" in shown.err


def test_evict_wants_names_or_all(headroom: Headroom, crowded: Any) -> None:
    refused = headroom("evict-strays")
    assert refused.code == 2
    assert "name the strays to evict" in refused.err
    assert crowded.of("POST", "/strays/evict") == []
    assert headroom("evict-strays", "theirs").out == "theirs is to be evicted\n"
    assert headroom("evict-strays", "--all").code == 0
    assert [asked.json for asked in crowded.of("POST", "/strays/evict")] == [{"names": ["theirs"]}, {"names": []}]
