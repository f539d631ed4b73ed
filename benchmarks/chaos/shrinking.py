"""The shortest story that still breaks a promise: what is not needed for it is left out, one thing after another."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from benchmarks.chaos.living import Verdict, play
from benchmarks.chaos.stories import Story

T = TypeVar("T")


def shrunk(verdict: Verdict, told: Callable[[str], None] = lambda _: None) -> Verdict:
    """Return a verdict on a story of which nothing can be left out; the same promise is broken.

    Args:
        verdict: on a story that breaks a promise.
        told: hears how much is left.
    """
    found = True
    while found:
        found = False
        for shorter in _shorter(verdict.story):
            again = play(shorter)
            if again.broken == verdict.broken:
                verdict, found = again, True
                told(f"{len(shorter.troubles)} troubles, {len(shorter.jobs)} jobs")
                break
    return verdict


def _shorter(story: Story) -> Iterator[Story]:
    """Yield stories with one thing less, the greatest first."""
    yield from (replace(story, troubles=some) for some in _fewer(story.troubles))
    yield from (replace(story, jobs=some) for some in _fewer(story.jobs))
    if set(story.loads) != {0.0}:
        yield replace(story, loads=(0.0,) * len(story.loads))
    for at, trouble in enumerate(story.troubles):
        if trouble.lasts_s > 60:  # noqa: PLR2004  # the least there is
            eased = replace(trouble, lasts_s=60.0)
            yield replace(story, troubles=(*story.troubles[:at], eased, *story.troubles[at + 1 :]))


def _fewer(things: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """Yield the first and the second half, and all but each one."""
    half = len(things) // 2
    if half:
        yield from (things[:half], things[half:])
    yield from ((*things[:at], *things[at + 1 :]) for at in range(len(things)))
