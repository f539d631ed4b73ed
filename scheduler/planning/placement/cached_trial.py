"""Working copies of what hosts have free: they remember what fits where and how hosts score; the lowest of several."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from scheduler.model.errors import InvariantBroken
from scheduler.model.ledger import Ledger, Trial
from scheduler.model.policy import Scorer
from scheduler.model.resources import Shape, Slot

_Number = TypeVar("_Number", np.int64, np.float64)

Score = Callable[[NDArray[np.int64]], NDArray[np.float64]]
"""Scores, float64 (N,), of N host rows; the lowest is best."""
MANY: Final = 96
"""Changes from which on rows are told apart by marking them, not by sorting."""
FEW: Final = 8
"""Up to one in so many hosts are few."""
MIB_OUTWEIGHS: Final = 1e6
"""What a MiB of a device counts: more than any two scores differ, so that scores decide only among hosts whose devices
are of one size. Device memory stays below 2**24 MiB, so that sums are exact to 1/256."""


@dataclass(slots=True)
class _Kept(Generic[_Number]):
    """Values of a shape on every host, (H,), with the number of changes they take into account."""

    seen: int
    values: NDArray[_Number]
    owned: bool

    def update(self, seen: int, rows: NDArray[np.int64], values: NDArray[_Number]) -> None:
        """Replace the values of some rows; an array that others read too is copied first."""
        if not self.owned:
            self.values, self.owned = self.values.copy(), True
        self.values[rows] = values
        self.seen = seen

    def shared(self) -> "_Kept[_Number]":
        """Return the same for another copy of the ledger; whoever changes first copies the array."""
        self.owned = False
        return _Kept(self.seen, self.values, owned=False)


class CachedTrial(Trial):
    """A working copy that remembers how many units of a shape fit where, and how hosts score; see `_Kept`.

    Attributes:
        base: the ledger it was copied from, directly or through other copies.
        touched: rows changed since, in order.
        kept_units: units by shape, as they were returned last.
        kept_scores: scores by scorer and shape, likewise.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Copy a ledger, with all that it remembers."""
        super().__init__(ledger.table, ledger.cpu_milli.copy(), ledger.memory_mib.copy(), ledger.gpu_milli.copy())
        self.base, self.touched = ledger, list[int]()
        self.kept_units: dict[Shape, _Kept[np.int64]] = {}
        self.kept_scores: dict[tuple[Scorer, Shape], _Kept[np.float64]] = {}
        self._scored: set[tuple[Scorer, Shape]] = set()
        self._recent = (0, 0, np.empty(0, dtype=np.int64))
        if isinstance(ledger, CachedTrial):
            self.base, self.touched = ledger.base, ledger.touched.copy()
            self.kept_units = {shape: kept.shared() for shape, kept in ledger.kept_units.items()}
            self.kept_scores = {key: kept.shared() for key, kept in ledger.kept_scores.items()}

    def units(self, shape: Shape) -> NDArray[np.int64]:
        """Return `units_fitting(shape)`; read it before the next change and do not write to it."""
        kept = self.kept_units.get(shape)
        if kept is None:
            kept = self.kept_units[shape] = _Kept(0, self.base.units(shape), owned=False)
        if kept.seen < len(self.touched):
            rows = self._rows_since(kept.seen)
            kept.update(len(self.touched), rows, self.units_fitting(shape, rows))
        return kept.values

    def scores(self, shape: Shape, scorer: Scorer) -> NDArray[np.float64]:
        """Return the score of every host with room for a unit, infinity elsewhere, float64 (H,); read it as `units`.

        Work that says how much device memory it needs goes where the devices are smallest, a partition before a whole
        device: a large device is not spent on what a smaller one serves. Whoever says nothing may need all there is.
        """
        key = (scorer, shape)
        kept = self.kept_scores.get(key)
        if kept is None:
            rows = np.arange(len(self.hosts))
            kept = self.kept_scores[key] = _Kept(len(self.touched), self._scores_of(rows, shape, scorer), owned=True)
        if kept.seen < len(self.touched):
            rows = self._rows_since(kept.seen)
            kept.update(len(self.touched), rows, self._scores_of(rows, shape, scorer))
        return kept.values

    def score(self, shape: Shape, scorer: Scorer) -> Score:
        """Return what gives the scores of host rows, as `scores`; few that are asked for once are not remembered."""

        def of_rows(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            if (scorer, shape) in self._scored or len(rows) * FEW > len(self.hosts):
                return self.scores(shape, scorer)[rows]
            self._scored.add((scorer, shape))
            return self._scores_of(rows, shape, scorer)

        return of_rows

    def best_row(self, shape: Shape, scorer: Scorer) -> int | None:
        """Return the row with room for a unit that scores lowest, the first of several; None when there is none."""
        if (scorer, shape) in self.kept_scores:
            scores = self.scores(shape, scorer)
            row = int(scores.argmin())
            if scores[row] < np.inf:
                return row
        rows = np.flatnonzero(self.units(shape) > 0)
        if len(rows) > 1:
            return int(rows[self.score(shape, scorer)(rows).argmin()])
        return int(rows[0]) if len(rows) else None

    def _rows_since(self, seen: int) -> NDArray[np.int64]:
        """Return the different rows that changed since; what is asked for units is asked for scores next."""
        if self._recent[:2] != (seen, len(self.touched)):
            self._recent = (seen, len(self.touched), self._different(self.touched[seen:]))
        return self._recent[2]

    def _different(self, recent: Sequence[int]) -> NDArray[np.int64]:
        if len(recent) <= MANY:
            return np.array(sorted(set(recent)), dtype=np.int64)
        changed = np.zeros(len(self.hosts), dtype=bool)
        changed[recent] = True
        return np.flatnonzero(changed)

    def _scores_of(self, rows: NDArray[np.int64], shape: Shape, scorer: Scorer) -> NDArray[np.float64]:
        scores, fits = np.full(len(rows), np.inf), self.units(shape)[rows] > 0
        fitting = rows[fits]
        if len(fitting):
            scores[fits] = scorer(self, fitting, shape)
            if shape.gpu_count and shape.device_memory_mib:
                scores[fits] += MIB_OUTWEIGHS * self.table.device_memory_mib[fitting].max(axis=1, initial=0)
        return scores

    def set_lower(self, row: int, one: Ledger, other: Ledger) -> None:
        """Make a row the lower of two ledgers' rows."""
        self.cpu_milli[row] = min(one.cpu_milli[row], other.cpu_milli[row])
        self.memory_mib[row] = min(one.memory_mib[row], other.memory_mib[row])
        np.minimum(one.gpu_milli[row], other.gpu_milli[row], out=self.gpu_milli[row])
        self.touched.append(row)

    def lower(self, rows: NDArray[np.int64], one: Ledger, other: Ledger) -> None:
        """Make N rows the lower of two ledgers' rows."""
        for name in ("cpu_milli", "memory_mib", "gpu_milli"):
            getattr(self, name)[rows] = np.minimum(getattr(one, name)[rows], getattr(other, name)[rows])
        self.touched.extend(rows.tolist())

    def release(self, rows: NDArray[np.int64], freed: NDArray[np.int64]) -> None:
        """Add amounts, int64 (N, 2 + D), to N rows that are all different: CPU, memory, then each device."""
        self.cpu_milli[rows] += freed[:, 0]
        self.memory_mib[rows] += freed[:, 1]
        self.gpu_milli[rows] += freed[:, 2:]
        self.touched.extend(rows.tolist())

    def put(self, rows: Sequence[int], shape: Shape) -> tuple[Slot, ...]:
        """Take one unit of `shape` on each row, where it must fit, and return where they sit."""
        return tuple(self._put_one(row, shape) for row in rows)

    def _put_one(self, row: int, shape: Shape) -> Slot:
        slot = self.slot_on(row, shape)
        self.take(slot, shape)
        return slot

    def slot_on(self, row: int, shape: Shape) -> Slot:
        """Return where a unit of `shape`, which must fit, would sit on a row.

        Raises:
            InvariantBroken: it does not fit.
        """
        devices = self.devices_for(row, shape)
        if devices is None:
            raise InvariantBroken(f"{shape} was counted to fit on host {self.hosts[row].name} and does not")
        return Slot(self.hosts[row].name, devices)

    def overdrawn(self, slots: Iterable[Slot]) -> bool:
        """Whether any host of `slots` has given more than it has."""
        rows = sorted({self.row(slot.host) for slot in slots if slot.host in self.table.rows})
        gpu_milli, exists = self.gpu_milli[rows], self.table.device_exists[rows]
        low = min(self.cpu_milli[rows].min(initial=0), self.memory_mib[rows].min(initial=0))
        return bool(low < 0 or (gpu_milli[exists] < 0).any())

    def _add(self, slot: Slot, shape: Shape, sign: int) -> None:
        super()._add(slot, shape, sign)
        self.touched.append(self.row(slot.host))


class ElementwiseMinimum(CachedTrial):
    """The lowest of several rooms, host by host and device by device, which follows their changes."""

    def __init__(self, rooms: Sequence[CachedTrial]) -> None:
        """Follow these rooms, at least one."""
        super().__init__(rooms[0])
        self._rooms, self._followed = tuple(rooms), [len(room.touched) for room in rooms]
        for room in rooms[1:]:
            np.minimum(self.cpu_milli, room.cpu_milli, out=self.cpu_milli)
            np.minimum(self.memory_mib, room.memory_mib, out=self.memory_mib)
            np.minimum(self.gpu_milli, room.gpu_milli, out=self.gpu_milli)
        self.touched.extend(np.flatnonzero(self._differs_from(rooms[0])).tolist())

    def caught_up(self) -> Self:
        """Return itself with all that has changed meanwhile."""
        rows: set[int] = set()
        for index, room in enumerate(self._rooms):
            rows.update(room.touched[self._followed[index] :])
            self._followed[index] = len(room.touched)
        if rows:
            self._lower(np.array(sorted(rows), dtype=np.int64))
        return self

    def _differs_from(self, room: CachedTrial) -> NDArray[np.bool_]:
        """Return which rows are not as in a room, bool (H,)."""
        devices = self.gpu_milli != room.gpu_milli
        differs: NDArray[np.bool_] = (
            (self.cpu_milli != room.cpu_milli)
            | (self.memory_mib != room.memory_mib)
            | (devices.astype(np.float32) @ np.ones(devices.shape[1], dtype=np.float32) > 0)
        )
        return differs

    def _lower(self, rows: NDArray[np.int64]) -> None:
        changed = np.zeros(len(rows), dtype=bool)
        for name in ("cpu_milli", "memory_mib", "gpu_milli"):
            own = getattr(self, name)
            lowest = np.minimum.reduce([getattr(room, name)[rows] for room in self._rooms])
            changed |= (own[rows] != lowest).reshape(len(rows), -1).any(axis=1)
            own[rows] = lowest
        self.touched.extend(rows[changed].tolist())
