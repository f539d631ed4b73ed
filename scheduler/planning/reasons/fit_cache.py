"""Gangs that found no room, or would find some, remembered so that none is tried in vain, or twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from scheduler.model.workloads import Gang

Constraints = tuple[object, ...]
"""Which hosts and devices will do, and how many workers one host may have."""
Amounts = tuple[int, int, int, int]
"""CPU, memory, devices and share of each."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a gang asks for, beside its constraints."""

    amounts: Amounts
    workers: int

    @classmethod
    def by(cls, gang: Gang) -> "_Asked":
        shape = gang.shape
        return cls((shape.cpu_milli, shape.memory_mib, shape.gpu_count, shape.gpu_milli), gang.workers)

    def is_within(self, other: "_Asked") -> bool:
        """Whether it asks for no more in any way: then it finds room wherever the other does."""
        return self.workers <= other.workers and all(map(int.__le__, self.amounts, other.amounts))


class Blocked:
    """Gangs that found no room; valid for as long as room only shrinks.

    If a gang finds no room, then none does that asks for as much or more of everything, in as many workers or more,
    under the same constraints: no host takes more of its workers. Gangs that were asked about are told apart by
    identity, which is quick; that equal ones are seldom two objects is up to whoever makes the snapshot.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        self._grown = 0
        self._known: dict[int, Gang] = {}
        self._open: dict[int, Gang] = {}
        self._refused: dict[Constraints, list[_Asked]] = {}

    def as_of(self, grown: int) -> Self:
        """Return itself, with all forgotten if room has been gained since; `grown` counts how often that happened."""
        if grown != self._grown:
            self._grown = grown
            self._known.clear()
            self._open.clear()
            self._refused.clear()
        return self

    def __contains__(self, gang: Gang) -> bool:
        """Whether a gang is known to find no room."""
        key = id(gang)
        return key in self._known or (key not in self._open and self._is_ruled_out(gang))

    def add(self, gang: Gang) -> None:
        """Remember that a gang found no room."""
        self._open.clear()
        self._known[id(gang)] = gang
        refused, others = _Asked.by(gang), self._refused.setdefault(_constraints(gang), [])
        others[:] = [other for other in others if not refused.is_within(other)]
        others.append(refused)

    def _is_ruled_out(self, gang: Gang) -> bool:
        asked = _Asked.by(gang)
        ruled_out = any(refused.is_within(asked) for refused in self._refused.get(_constraints(gang), ()))
        (self._known if ruled_out else self._open)[id(gang)] = gang
        return ruled_out


class FitCache:
    """Whether gangs fit into a room that changes no more: few are tried, the others follow from these."""

    def __init__(self, fits: Callable[[Gang], bool]) -> None:
        """Ask `fits` where nothing that is known decides."""
        self._fits, self._blocked = fits, Blocked()
        self._roomy: dict[Constraints, list[_Asked]] = {}

    def __call__(self, gang: Gang) -> bool:
        """Return whether a gang fits."""
        asked, roomy = _Asked.by(gang), self._roomy.setdefault(_constraints(gang), [])
        if any(asked.is_within(other) for other in roomy):
            return True
        if gang in self._blocked:
            return False
        fits = self._fits(gang)
        if fits:
            roomy[:] = [other for other in roomy if not other.is_within(asked)]
            roomy.append(asked)
        else:
            self._blocked.add(gang)
        return fits


def _constraints(gang: Gang) -> Constraints:
    shape = gang.shape
    return (shape.gpu_models, shape.device_memory_mib, shape.host_labels, gang.max_per_host, gang.require_same)
