"""What shapes take away from the room for gangs, on every host that has such room."""

import sys

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.cpu_losses import Rows
from benchmarks.packing.device_states import Devices
from benchmarks.packing.room import Room, ShapeTable
from policies.packing.gang_capacity import RoomValue, Vacancy
from policies.packing.score import STEP_MILLI, Scarcity


class GangLosses:
    """Losses of room, in steps; hosts that change must be settled.

    Hosts in the same state lose the same: rows over shapes are worked out once a state. State 0 has no such room.
    """

    def __init__(self, room: Room, shapes: ShapeTable) -> None:
        """Begin without prices."""
        self._room, self._shapes = room, shapes
        asked = np.stack([shapes.gpu_count, shapes.cpu_milli, shapes.memory_mib])
        self._asked, asks = np.unique(asked, axis=1, return_inverse=True)
        self._asks = asks.reshape(-1)
        self._prices: tuple[float, ...] = ()
        self._worth = RoomValue((), room.kinds)
        self._state = np.zeros(len(room.cpu_milli), dtype=np.int64)
        self._lost: Rows = np.zeros((2, 1, len(shapes.shapes)), dtype=np.float32)
        self._states: dict[tuple[int, ...], int] = {}
        self._least = sys.maxsize

    def reprice(self, scarcity: Scarcity, whole: NDArray[np.int64]) -> NDArray[np.int64]:
        """Use other prices for room; return the host rows whose losses have changed.

        Args:
            scarcity: the prices.
            whole: int64 (H,), whole free devices.
        """
        gangs, prices = scarcity.gangs, scarcity.prices
        if (prices, gangs) == (self._prices, self._worth.gangs):
            return np.zeros(0, dtype=np.int64)
        if gangs != self._worth.gangs:
            self._worth = RoomValue(gangs, self._room.kinds)
        before, self._prices = np.flatnonzero(self._state), prices
        self._least = min((slot.shape.gpu_count for slot in scarcity.slots), default=sys.maxsize)
        rows = np.flatnonzero(whole >= self._least)
        self._states = {}
        self._state[before] = 0
        self._state[rows] = [
            self._states.setdefault(tuple(amounts), len(self._states) + 1)
            for amounts in self._amounts(rows, whole[rows]).tolist()
        ]
        found = np.array(list(self._states), dtype=np.int64).reshape(-1, 4)
        none = np.zeros((2, 1, len(self._shapes.shapes)), dtype=np.float32)
        self._lost = np.concatenate([none, self._losses_at(found)], axis=1)
        return np.union1d(before, rows)

    def settle(self, row: int, devices: Devices) -> int:
        """Look at a host that has changed and return its state."""
        if devices.whole < self._least:
            self._state[row] = 0
            return 0
        room = self._room
        key = (devices.kind, devices.whole, int(room.cpu_milli[row]), int(room.memory_mib[row]))
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = self._lost.shape[1]
            self._lost = np.concatenate([self._lost, self._losses_at(np.array([key]))], axis=1)
        self._state[row] = state
        return state

    def state_of(self, row: int) -> int:
        """Return the state of a host."""
        return int(self._state[row])

    def at(self, state: int) -> Rows:
        """Return float32 (2, K): what each shape takes of the room on a shared device, and on whole ones."""
        row: Rows = self._lost[:, state]
        return row

    def of_hosts(self, rows: NDArray[np.int64]) -> Rows:
        """Return the same for hosts, float32 (2, N, K)."""
        lost: Rows = self._lost[:, self._state[rows]]
        return lost

    def of_shape(self, shape: int) -> Rows:
        """Return the same for one shape on every host, float32 (2, H)."""
        lost: Rows = self._lost[:, :, shape].take(self._state, axis=1)
        return lost

    def _amounts(self, rows: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return int64 (N, 4): kind, whole devices, CPU and memory of hosts."""
        room = self._room
        return np.column_stack([room.kinds.of_host[rows], whole, room.cpu_milli[rows], room.memory_mib[rows]])

    def _losses_at(self, states: NDArray[np.int64]) -> Rows:
        """Return float32 (2, S, K) for rows of `_amounts`."""
        kind, whole, cpu, memory = (column[:, None] for column in states.T)
        devices, cores, mib = self._asked
        left_whole = np.stack([np.broadcast_to(whole, (len(states), len(cores))), np.maximum(whole - devices, 0)])
        left = (np.broadcast_to(amount, left_whole.shape) for amount in (kind, left_whole, cpu - cores, memory - mib))
        lost = ((self._value(kind, whole, cpu, memory) - self._value(*left)) / STEP_MILLI).astype(np.float32)
        of_shapes: Rows = lost[:, :, self._asks]
        return of_shapes

    def _value(self, *amounts: NDArray[np.int64]) -> NDArray[np.float64]:
        kind, whole, cpu, memory = (amount.reshape(-1) for amount in amounts)
        value = self._worth.of(Vacancy(whole, cpu, memory, kind, self._room.kinds), self._prices)
        return value.reshape(amounts[0].shape)
