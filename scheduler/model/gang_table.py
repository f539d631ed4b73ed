"""Different gangs as tables: which of them ask for as much as another one, so that what holds for it holds for them.

Row i of every table is gang i of `GangTable.gangs`; gangs are told apart by identity.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scheduler.model.workloads import Gang

AMOUNTS: Final = 5
"""Devices, share of each, CPU, memory and workers: what a gang asks for more or less of."""


@dataclass(frozen=True, eq=False)
class GangTable:
    """G gangs. A kind is those that ask for the same devices under the same constraints.

    Attributes:
        gangs: the gangs.
    """

    gangs: tuple[Gang, ...] = ()

    def having(self, gangs: Iterable[Gang]) -> "GangTable":
        """Return the table with these gangs, too; the table itself when it has them all."""
        new = {id(gang): gang for gang in gangs if id(gang) not in self.row_by_id}
        return GangTable((*self.gangs, *new.values())) if new else self

    @cached_property
    def row_by_id(self) -> dict[int, int]:
        """The row of each gang, by the identity of the object."""
        return {id(gang): row for row, gang in enumerate(self.gangs)}

    @cached_property
    def kind(self) -> NDArray[np.int64]:
        """Which kind each gang is of, int64 (G,)."""
        return _numbered([(*_devices(gang), *_constraints(gang)) for gang in self.gangs])

    @cached_property
    def least(self) -> tuple[Gang, ...]:
        """For each kind what asks for the least CPU, memory and workers of all: without room for it, none has any."""
        return tuple(_extreme(alike, min) for alike in self._by_kind)

    @cached_property
    def most(self) -> tuple[Gang, ...]:
        """For each kind what asks for the most CPU, memory and workers of all: where it fits, they all do."""
        return tuple(_extreme(alike, max) for alike in self._by_kind)

    def above(self, gang: Gang, row: int) -> NDArray[np.bool_]:
        """Return which gangs ask for as much as one or more, in every way, bool (G,).

        Where it finds no room, none of them does.

        Args:
            gang: of the kind of the gang in `row`.
            row: of the table.
        """
        alike: NDArray[np.bool_] = self._constraint == self._constraint[row]
        return alike & (self._amounts >= _amounts(gang)).all(axis=1)

    def below(self, gang: Gang, row: int) -> NDArray[np.bool_]:
        """Return which gangs ask for as much as one or less, likewise: where it fits, they all do."""
        alike: NDArray[np.bool_] = self._constraint == self._constraint[row]
        return alike & (self._amounts <= _amounts(gang)).all(axis=1)

    @cached_property
    def _amounts(self) -> NDArray[np.int64]:
        return np.array([_amounts(gang) for gang in self.gangs], dtype=np.int64).reshape(len(self.gangs), AMOUNTS)

    @cached_property
    def _constraint(self) -> NDArray[np.int64]:
        return _numbered([_constraints(gang) for gang in self.gangs])

    @cached_property
    def _by_kind(self) -> list[list[Gang]]:
        kinds: dict[int, list[Gang]] = {}
        for kind, gang in zip(self.kind.tolist(), self.gangs, strict=True):
            kinds.setdefault(kind, []).append(gang)
        return [kinds[kind] for kind in range(len(kinds))]


def _numbered(keys: Sequence[tuple[object, ...]]) -> NDArray[np.int64]:
    """Return a number for each key, equal for equal keys, in the order in which they come."""
    numbers: dict[tuple[object, ...], int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _devices(gang: Gang) -> tuple[int, int]:
    return (gang.shape.gpu_count, gang.shape.gpu_milli)


def _amounts(gang: Gang) -> tuple[int, ...]:
    return (*_devices(gang), gang.shape.cpu_milli, gang.shape.memory_mib, gang.workers)


def _constraints(gang: Gang) -> tuple[object, ...]:
    """Return which hosts and devices will do, and how many workers one host may have."""
    shape = gang.shape
    return (shape.gpu_models, shape.device_memory_mib, shape.host_labels, gang.max_per_host, gang.require_same)


def _extreme(alike: Sequence[Gang], which: Callable[[Iterable[int]], int]) -> Gang:
    first = alike[0]
    if len(alike) == 1:
        return first
    cpu_milli, memory_mib = (which(getattr(g.shape, name) for g in alike) for name in ("cpu_milli", "memory_mib"))
    shape = replace(first.shape, cpu_milli=cpu_milli, memory_mib=memory_mib)
    return Gang(which(gang.workers for gang in alike), shape, first.max_per_host, require_same=first.require_same)
