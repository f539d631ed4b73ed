"""What differs between two long sequences of which nearly all items are the same objects in the same order."""

from collections.abc import Sequence
from itertools import compress, count, islice
from operator import is_not
from typing import Final, TypeVar

_Item = TypeVar("_Item")

FEW: Final = 16
"""Differences that are looked for one by one."""


def differing(before: Sequence[_Item], after: Sequence[_Item]) -> tuple[list[_Item], list[_Item]]:
    """Return the objects that are only in `after`, and those that are only in `before`, each in order, by identity.

    A few items that came, went or were replaced are found by running along both sequences; where there are more, or
    several side by side, the rest is compared as sets.
    """
    added, dropped = list[_Item](), list[_Item]()
    old = new = 0
    for _ in range(FEW):
        same = _alike(before, old, after, new)
        old, new = old + same, new + same
        if old == len(before) or new == len(after):
            break
        gone, come = _step(before[old : old + 2], after[new : new + 2])
        if not gone and not come:
            break
        dropped += before[old : old + gone]
        added += after[new : new + come]
        old, new = old + gone, new + come
    rest, others = before[old:], after[new:]
    known, there = set(map(id, rest)), set(map(id, others))
    added += [item for item in others if id(item) not in known]
    dropped += [item for item in rest if id(item) not in there]
    return added, dropped


def _alike(before: Sequence[_Item], old: int, after: Sequence[_Item], new: int) -> int:
    """Return for how many items on the sequences go on alike from two places."""
    differs = map(is_not, islice(before, old, None), islice(after, new, None))
    return next(compress(count(), differs), min(len(before) - old, len(after) - new))


def _step(old: Sequence[object], new: Sequence[object]) -> tuple[int, int]:
    """Return how many items to pass over in two sequences that differ here, so that they go on alike; or 0, 0."""
    if len(old) > 1 and old[1] is new[0]:
        return 1, 0
    if len(new) > 1 and new[1] is old[0]:
        return 0, 1
    if len(old) > 1 and len(new) > 1 and old[1] is new[1]:
        return 1, 1
    return 0, 0
