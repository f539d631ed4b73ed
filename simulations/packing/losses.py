"""The losses of the default policy for every shape on every host, kept in one table while hosts change.

A column belongs to a host, a row to a shape; entries are whole steps of loss, or `NO_ROOM` and more where the shape
does not fit. Everything that a column needs is a row over shapes that was worked out before: the best device that is
shared already, by the rests of a host's devices; whole devices, by how many of them are free; the CPU, by how much of
it and of the devices is free; and what does not fit, by CPU and memory. A changed host costs a few additions of rows.
"""

from bisect import bisect_right
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from policies.packing import STEP_MILLI, Prices, Scarcity, stranding
from policies.packing_cpu import CpuPerDevice
from policies.packing_mix import SizeMix
from policies.packing_room import Vacancy
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from simulations.packing.room import Room, ShapeTable

NO_ROOM: Final = 7000
"""Steps that no real loss reaches."""
_NEVER: Final = np.float32(8000)
"""What makes a sum reach `NO_ROOM`; three of them still fit the table's int16."""
_LEAST: Final = np.float32(256)
"""Added to every loss, so that rounding down is cutting off."""
_CPU_GRAIN: Final = 250
_GPU_GRAIN: Final = 10
"""Grains of the table of stranded devices, in thousandths of a core and of a device."""

_NO_ROWS: Final = np.zeros(0, dtype=np.int64)

Rows = NDArray[np.float32]


class Losses:
    """Losses by one mix and one scarcity; `reprice` changes the scarcity.

    Attributes:
        table: int16 (K, H).
    """

    def __init__(self, room: Room, shapes: ShapeTable, mix: SizeMix) -> None:
        """Work out the rows that depend on the mix only."""
        self._room, self._shapes = room, shapes
        self._models = room.fleet.models
        self._model_of: list[int] = room.fleet.model.tolist()
        self._kind_of: list[int] = room.kinds.of_host.tolist()
        self._asked = list(zip(shapes.gpu_count.tolist(), shapes.gpu_milli.tolist(), strict=True))
        prices = Prices(mix)
        self._values = np.array([prices.device_values(model) for model in self._models])
        self._drops = _drops(self._values, shapes)
        self._cpu = _CpuTable(room, shapes, prices.cpu)
        self._scarcity = Scarcity()
        self._partial_of: dict[tuple[int, ...], int] = {}
        self._devices_of: dict[tuple[int, ...], _Devices] = {}
        self._model_of_partial: list[int] = []
        self._partial_plain: list[Rows] = []
        self._priced: Rows = np.zeros((0, len(shapes.shapes)), dtype=np.float32)
        hosts, many = len(room.cpu_milli), len(shapes.shapes)
        self.table = np.full((many, hosts), NO_ROOM, dtype=np.int16)
        self._partial, self._whole = np.zeros(hosts, dtype=np.int64), room.whole()
        self._version, self._fresh = 0, np.full(many, -1, dtype=np.int64)
        self._slots, self._everywhere, self._open = _SlotTable(room, shapes), 0, _NO_ROWS
        self._reprice_rows()
        for row in range(hosts):
            self._settle(row)

    def reprice(self, scarcity: Scarcity) -> None:
        """Use another scarcity; the rows of the table are brought up to date when they are next asked for."""
        before, self._scarcity = self._scarcity, scarcity
        if scarcity == before:
            return
        touched = self._slots.reprice(scarcity, self._whole)
        self._open = np.union1d(self._open, touched)
        if (scarcity.premiums, scarcity.to_come) == (before.premiums, before.to_come) and not scarcity.to_come:
            self._version += 1
            return
        self._reprice_rows()
        self._everywhere, self._open = self._version, _NO_ROWS

    def best(self, shape: int) -> int | None:
        """Return the host row of least loss, the first among equals, or None when there is no room."""
        losses = self.losses(shape)
        row = int(losses.argmin())
        return row if losses[row] < NO_ROOM else None

    def losses(self, shape: int) -> NDArray[np.int16]:
        """Return the up-to-date losses of one shape, int16 (H,)."""
        if self._fresh[shape] != self._version:
            self._refresh(shape)
        row: NDArray[np.int16] = self.table[shape]
        return row

    def changed(self, row: int) -> None:
        """Put a host's column together anew."""
        self._settle(row)
        shared, whole = self._priced[self._partial[row]], self._wholes[self._kind_of[row], self._whole[row]]
        slots = self._slots.at(row)
        column = np.minimum(shared + slots[0], whole + slots[1])
        column += self._cpu.row(row)
        np.add(column, _LEAST, out=self.table[:, row], casting="unsafe")

    def devices(self, shape: int, row: int) -> tuple[int, ...]:
        """Return the devices that lose least: the best shared one, whole ones where none is or they lose less."""
        count, asked = self._asked[shape]
        if not count:
            return ()
        free = self._room.gpu_milli[row].tolist()
        shared = [d for d, milli in enumerate(free) if asked <= milli < WHOLE_DEVICE_MILLI]
        if shared and self._sharing_is_best(row, shape):
            drop = self._drops[self._model_of[row], self._cpu.size_of[shape]]
            return (min(shared, key=lambda d: float(drop[free[d]])),)
        return tuple(d for d, milli in enumerate(free) if milli == WHOLE_DEVICE_MILLI)[:count]

    def _sharing_is_best(self, row: int, shape: int) -> bool:
        shared, whole = (
            self._priced[self._partial[row], shape],
            self._wholes[self._kind_of[row], self._whole[row], shape],
        )
        slots = self._slots.at(row)[:, shape]
        return bool(shared + slots[0] <= whole + slots[1])

    def _settle(self, row: int) -> None:
        """Look up the state of a host."""
        model = self._model_of[row]
        key = (model, *self._room.gpu_milli[row].tolist())
        devices = self._devices_of.get(key)
        if devices is None:
            devices = self._devices_of[key] = self._devices(model, key[1:])
        self._whole[row], self._partial[row] = devices.whole, devices.partial
        self._cpu.settle(row, devices.free_milli)
        self._slots.settle(row, devices.whole)

    def _devices(self, model: int, free: tuple[int, ...]) -> "_Devices":
        rests = tuple(sorted({milli for milli in free if 0 < milli < WHOLE_DEVICE_MILLI}))
        total = sum(milli for milli in free if milli > 0)
        return _Devices(free.count(WHOLE_DEVICE_MILLI), self._partial_index(model, rests), total)

    def _partial_index(self, model: int, rests: tuple[int, ...]) -> int:
        key = (model, *rests)
        index = self._partial_of.get(key)
        if index is None:
            index = self._partial_of[key] = len(self._partial_plain)
            self._add_partial(model, rests)
        return index

    def _add_partial(self, model: int, rests: tuple[int, ...]) -> None:
        """Work out the loss of every shape on the best of a host's shared devices."""
        per_size = self._drops[model][:, list(rests)].min(axis=1, initial=_NEVER)
        plain = np.where(self._cpu.shares, per_size[self._cpu.size_of], _NEVER).astype(np.float32)
        plain[self._shapes.gpu_count == 0] = 0
        index = len(self._partial_plain)
        self._partial_plain.append(plain)
        self._model_of_partial.append(model)
        if index >= len(self._priced):
            grown = np.zeros((2 * len(self._priced) + 64, len(plain)), dtype=np.float32)
            grown[: len(self._priced)] = self._priced
            self._priced = grown
        self._priced[index] = np.minimum(plain + self._premiums[model], _NEVER)

    def _reprice_rows(self) -> None:
        shapes, total = self._shapes, self._shapes.total_milli
        self._version += 1
        premium = np.array([self._scarcity.premium(model) for model in self._models])
        barred = np.where(shapes.allowed.T, 0, _NEVER)
        self._premiums = (premium[:, None] * total / STEP_MILLI + barred).astype(np.float32)
        self._wholes = self._whole_rows()
        many = len(self._partial_plain)
        self._priced = np.zeros((many + 64, len(total)), dtype=np.float32)
        if many:
            priced = np.array(self._partial_plain) + self._premiums[self._model_of_partial]
            self._priced[:many] = np.minimum(priced, _NEVER)

    def _whole_rows(self) -> Rows:
        """Return the loss of every shape on whole devices, float32 (kinds, D + 1, K), by how many of them are free."""
        shapes, kinds = self._shapes, self._room.kinds
        count, milli = shapes.gpu_count, shapes.gpu_milli
        opened = self._values[:, WHOLE_DEVICE_MILLI, None] - self._values[:, WHOLE_DEVICE_MILLI - milli]
        model = [self._models.index(kind.gpu_model) for kind in kinds.kinds]
        used = (opened * count / STEP_MILLI + self._premiums)[model]
        to_come = self._scarcity.value_to_come(kinds) / STEP_MILLI
        free = np.arange(to_come.shape[1])
        put_off = to_come[:, :, None] - to_come[:, np.maximum(free[:, None] - count, 0)]
        fits = (free[:, None] >= count) & (count > 0)
        loss = np.where(fits, used[:, None, :] + put_off, _NEVER)
        return np.minimum(loss, _NEVER).astype(np.float32)

    def _refresh(self, shape: int) -> None:
        """Bring up to date what prices have changed since: everywhere, or only where there is room for gangs."""
        rows = self._open if self._fresh[shape] >= self._everywhere else slice(None)
        partial, whole = self._partial[rows], self._whole[rows]
        slots = self._slots.of(shape, rows)
        losses = np.minimum(
            self._priced[partial, shape] + slots[0],
            self._wholes[self._room.kinds.of_host[rows], whole, shape] + slots[1],
        )
        losses += self._cpu.column(shape, rows)
        self.table[shape, rows] = losses + _LEAST
        self._fresh[shape] = self._version


def _drops(values: NDArray[np.float64], shapes: ShapeTable) -> Rows:
    """Return the loss of a piece of each size on a rest of each length, float32 (M, J, 1001), in steps."""
    sizes = np.unique(shapes.gpu_milli)
    rest = np.arange(WHOLE_DEVICE_MILLI + 1)
    left = np.maximum(rest - sizes[:, None], 0)
    lost = (values[:, None, :] - values[:, left]) / STEP_MILLI
    return np.where(rest >= sizes[:, None], lost, _NEVER).astype(np.float32)


class _Devices(NamedTuple):
    """What matters of the free devices of a host.

    Attributes:
        whole: how many are whole.
        partial: index of the row for those that are shared.
        free_milli: thousandths of a device in all.
    """

    whole: int
    partial: int
    free_milli: int


class _SlotTable:
    """What a shape takes away from the room for gangs.

    Hosts in the same state lose the same: rows over shapes are worked out once a state. State 0 has no such room.
    """

    def __init__(self, room: Room, shapes: ShapeTable) -> None:
        """Begin without prices."""
        self._room, self._shapes, self._scarcity = room, shapes, Scarcity()
        self._state = np.zeros(len(room.cpu_milli), dtype=np.int64)
        self._lost: Rows = np.zeros((2, 1, len(shapes.shapes)), dtype=np.float32)
        self._states: dict[tuple[int, ...], int] = {}

    def reprice(self, scarcity: Scarcity, whole: NDArray[np.int64]) -> NDArray[np.int64]:
        """Use other prices for room; return the host rows whose losses have changed.

        Args:
            scarcity: the prices.
            whole: int64 (H,), whole free devices.
        """
        before = self._state > 0
        self._scarcity = scarcity
        least = min((slot.shape.gpu_count for slot in scarcity.slots), default=0)
        rows = np.flatnonzero(whole >= least) if least else _NO_ROWS
        found, of_row = np.unique(self._amounts(rows, whole[rows]), axis=0, return_inverse=True)
        self._state[:] = 0
        self._state[rows] = of_row.reshape(-1) + 1
        self._lost = np.concatenate([np.zeros((2, 1, len(self._shapes.shapes))), self._losses_at(found)], axis=1)
        self._states = {tuple(state): index + 1 for index, state in enumerate(found.tolist())}
        return np.flatnonzero(before | (self._state > 0))

    def settle(self, row: int, whole: int) -> None:
        """Look up the state of a host with so many whole free devices."""
        self._state[row] = 0
        if not any(whole >= slot.shape.gpu_count for slot in self._scarcity.slots):
            return
        amounts = self._amounts(np.array([row]), np.array([whole]))
        key = tuple(amounts[0].tolist())
        if key not in self._states:
            self._states[key] = self._lost.shape[1]
            self._lost = np.concatenate([self._lost, self._losses_at(amounts)], axis=1)
        self._state[row] = self._states[key]

    def at(self, row: int) -> Rows:
        """Return the loss of every shape on one host, float32 (2, K): on a shared device, and on whole ones."""
        lost: Rows = self._lost[:, self._state[row]]
        return lost

    def of(self, shape: int, rows: NDArray[np.int64] | slice) -> Rows:
        """Return the loss of one shape on hosts, float32 (2, N): on a shared device, and on whole ones."""
        lost: Rows = self._lost[:, self._state[rows], shape]
        return lost

    def _amounts(self, rows: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.int64]:
        room = self._room
        return np.column_stack([room.kinds.of_host[rows], whole, room.cpu_milli[rows], room.memory_mib[rows]])

    def _losses_at(self, states: NDArray[np.int64]) -> Rows:
        """Return float32 (2, S, K) for rows of `_amounts`."""
        shapes, many = self._shapes, len(self._shapes.shapes)
        kind, whole, cpu, memory = (column[:, None] for column in states.T)
        before = self._value(kind, whole, cpu, memory)
        left_cpu, left_memory = cpu - shapes.cpu_milli, memory - shapes.memory_mib
        wide = np.broadcast_to(kind, left_cpu.shape), left_cpu, left_memory
        after = [
            self._value(wide[0], np.broadcast_to(left, left_cpu.shape), *wide[1:])
            for left in (whole, np.maximum(whole - shapes.gpu_count, 0))
        ]
        lost: Rows = ((before[None] - np.array(after)) / STEP_MILLI).astype(np.float32).reshape(2, len(states), many)
        return lost

    def _value(self, *amounts: NDArray[np.int64]) -> NDArray[np.float64]:
        kind, whole, cpu, memory = (amount.reshape(-1) for amount in amounts)
        value = self._scarcity.room_value(Vacancy(whole, cpu, memory, kind, self._room.kinds))
        return value.reshape(amounts[0].shape)


class _CpuTable:
    """What a shape loses by the CPU it takes, and where CPU or memory does not suffice.

    Attributes:
        size_of: int64 (K,), index of each shape's share among the different ones.
        shares: bool (K,), whether a shape asks for one device or a share of one.
    """

    def __init__(self, room: Room, shapes: ShapeTable, cpu: CpuPerDevice) -> None:
        """Tabulate what is stranded by free CPU and free devices."""
        self._room = room
        self.size_of = np.searchsorted(np.unique(shapes.gpu_milli), shapes.gpu_milli)
        self.shares = shapes.gpu_count == 1
        cores = np.arange(int(room.fleet.cpu_milli.max()) // _CPU_GRAIN + 1) * _CPU_GRAIN
        gpus = np.arange(room.gpu_milli.shape[1] * WHOLE_DEVICE_MILLI // _GPU_GRAIN + 1) * _GPU_GRAIN
        self._width = len(cores)
        self._stranded = (stranding(cpu, cores, gpus[:, None]) / STEP_MILLI).astype(np.float32).ravel()
        self._taken = shapes.total_milli // _GPU_GRAIN * self._width + shapes.cpu_milli // _CPU_GRAIN
        self._levels = [np.unique(asked).tolist() for asked in (shapes.cpu_milli, shapes.memory_mib)]
        self._misfits_of: dict[tuple[int, int], Rows] = {}
        self._misfits = [_misfits(asked) for asked in (shapes.cpu_milli, shapes.memory_mib)]
        self._state, self._ranks = (np.zeros((n, len(room.cpu_milli)), dtype=np.int64) for n in (1, 2))

    def settle(self, row: int, free_milli: int) -> None:
        """Look up the state of a host."""
        cpu = int(self._room.cpu_milli[row])
        self._state[0, row] = free_milli // _GPU_GRAIN * self._width + cpu // _CPU_GRAIN
        self._ranks[0, row] = bisect_right(self._levels[0], cpu)
        self._ranks[1, row] = bisect_right(self._levels[1], int(self._room.memory_mib[row]))

    def row(self, row: int) -> Rows:
        """Return the loss of every shape on one host, float32 (K,)."""
        state = self._state[0, row]
        lost: Rows = self._stranded.take(state - self._taken, mode="clip")
        lost -= self._stranded[state]
        lost += self._misfits_at(int(self._ranks[0, row]), int(self._ranks[1, row]))
        return lost

    def _misfits_at(self, cpu: int, memory: int) -> Rows:
        misfits = self._misfits_of.get((cpu, memory))
        if misfits is None:
            misfits = self._misfits_of[cpu, memory] = self._misfits[0][cpu] + self._misfits[1][memory]
        return misfits

    def column(self, shape: int, rows: NDArray[np.int64] | slice) -> Rows:
        """Return the loss of one shape on hosts, float32 (N,)."""
        state = self._state[0, rows]
        lost: Rows = self._stranded.take(state - self._taken[shape], mode="clip")
        lost -= self._stranded[state]
        lost += self._misfits[0][self._ranks[0, rows], shape]
        lost += self._misfits[1][self._ranks[1, rows], shape]
        return lost


def _misfits(asked: NDArray[np.int64]) -> Rows:
    """Return `_NEVER` where a shape asks for more than the host has, float32 (levels + 1, K), by the host's rank."""
    levels = np.unique(asked)
    most = np.concatenate([[-1], levels])
    return np.where(asked <= most[:, None], 0, _NEVER).astype(np.float32)
