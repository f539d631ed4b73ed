"""Why each of many waits, held once for all that wait alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from scheduler.model.plan import Unplaced


class Reasons(Sequence["Unplaced"]):
    """Reasons that subjects share: each one's own is made when it is looked at, equal to one that was kept apart."""

    def __init__(self, subjects: Sequence[str] = (), shared: "Sequence[Unplaced]" = ()) -> None:
        """Give subject i, all different, the reason `shared[i]`, whoever that one names."""
        self._subjects, self._shared = tuple(subjects), tuple(shared)

    @classmethod
    def of(cls, reasons: "Sequence[Unplaced]") -> "Reasons":
        """Return reasons that name their own subjects."""
        return reasons if isinstance(reasons, cls) else cls([why.subject for why in reasons], reasons)

    @property
    def shared(self) -> "Iterator[tuple[str, Unplaced]]":
        """Every subject with the reason that it shares with others, whose subject means nothing."""
        return zip(self._subjects, self._shared, strict=True)

    def for_subject(self, subject: str) -> "Unplaced | None":
        """Return the reason of one subject, or None when it has none."""
        place = self._places.get(subject)
        return None if place is None else self[place]

    def place_of(self, subject: str) -> int | None:
        """Return the place of one subject, from 0, or None when it has no reason."""
        return self._places.get(subject)

    def with_changed(self, changed: "Mapping[str, Unplaced]") -> "Reasons":
        """Return the reasons with those of some subjects replaced; who has none gets none."""
        shared = list(self._shared)
        for subject, why in changed.items():
            if subject in self._places:
                shared[self._places[subject]] = why
        return Reasons(self._subjects, shared)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {subject: place for place, subject in enumerate(self._subjects)}

    @overload
    def __getitem__(self, index: int) -> "Unplaced": ...
    @overload
    def __getitem__(self, index: slice) -> "Reasons": ...
    def __getitem__(self, index: int | slice) -> "Unplaced | Reasons":
        """Return one with its own subject, or a part of them."""
        if isinstance(index, slice):
            return Reasons(self._subjects[index], self._shared[index])
        return _own(self._subjects[index], self._shared[index])

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._subjects)

    def __iter__(self) -> "Iterator[Unplaced]":
        """Yield each with its own subject."""
        return map(_own, self._subjects, self._shared)

    def __eq__(self, other: object) -> bool:
        """Compare one by one with any sequence of reasons."""
        return isinstance(other, Sequence) and len(self) == len(other) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        """Return the hash of the tuple that it equals."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """Return what a tuple of them would show."""
        return repr(tuple(self))


def _own(subject: str, why: "Unplaced") -> "Unplaced":
    return why if why.subject == subject else replace(why, subject=subject)
