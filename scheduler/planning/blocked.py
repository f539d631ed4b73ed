"""Gangs that found no room, remembered so that none is tried in vain twice while no room is gained."""

from dataclasses import dataclass
from typing import Self

from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang

Constraints = tuple[object, ...]
"""Which hosts and devices will do, and how many workers one host may have."""
Amounts = tuple[int, int, int, int]
"""CPU, memory, devices and share of each."""


@dataclass(frozen=True, slots=True)
class _Refused:
    amounts: Amounts
    workers: int

    def rules_out(self, amounts: Amounts, workers: int) -> bool:
        """Whether it asked for no more in any way: then that finds no room either."""
        return self.workers <= workers and all(map(int.__le__, self.amounts, amounts))


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
        self._refused: dict[Constraints, list[_Refused]] = {}

    def as_of(self, grown: int) -> Self:
        """Return itself, with all forgotten if room has been gained since; `grown` counts how often that happened."""
        if grown != self._grown:
            self._grown = grown
            self._known.clear()
            self._refused.clear()
        return self

    def __contains__(self, gang: Gang) -> bool:
        """Whether a gang is known to find no room."""
        return id(gang) in self._known or self._is_ruled_out(gang)

    def add(self, gang: Gang) -> None:
        """Remember that a gang found no room."""
        self._known[id(gang)] = gang
        refused = _Refused(_amounts(gang.shape), gang.workers)
        others = self._refused.setdefault(_constraints(gang), [])
        others[:] = [other for other in others if not refused.rules_out(other.amounts, other.workers)]
        others.append(refused)

    def _is_ruled_out(self, gang: Gang) -> bool:
        amounts, workers = _amounts(gang.shape), gang.workers
        ruled_out = any(refused.rules_out(amounts, workers) for refused in self._refused.get(_constraints(gang), ()))
        if ruled_out:
            self._known[id(gang)] = gang
        return ruled_out


def _constraints(gang: Gang) -> Constraints:
    shape = gang.shape
    return (shape.gpu_models, shape.device_memory_mib, shape.host_labels, gang.max_per_host, gang.require_same)


def _amounts(shape: Shape) -> Amounts:
    return (shape.cpu_milli, shape.memory_mib, shape.gpu_count, shape.gpu_milli)
