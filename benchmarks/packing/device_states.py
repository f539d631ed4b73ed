"""What the devices of every host look like: hosts that look alike are one state, met once and known from then on."""

from typing import Final, NamedTuple

import numpy as np

from benchmarks.packing.room import Room
from benchmarks.packing.workload import NO_DEVICE
from scheduler.model.resources import WHOLE_DEVICE_MILLI

NO_REST: Final = WHOLE_DEVICE_MILLI + 1
"""Stands for no rest of a device."""
_NO_RESTS: Final = frozenset((NO_DEVICE, 0, WHOLE_DEVICE_MILLI))


class Devices(NamedTuple):
    """A state of the devices of a kind of host.

    Attributes:
        number: the number of the state.
        kind: index of the kind of host.
        model: index of the GPU model.
        free: free thousandths of each device.
        whole: how many are whole.
        partial: which rests of shared devices there are, see `DeviceStates.rests`.
        free_milli: thousandths of a device in all.
    """

    number: int
    kind: int
    model: int
    free: tuple[int, ...]
    whole: int
    partial: int
    free_milli: int


class DeviceStates:
    """The state of every host, and all states that were ever met.

    Attributes:
        whole, partial: int64 (H,), of each host's state.
        met: how many states there are.
        rests: the different rests of shared devices, each with its GPU model: (model, rest, ...), rests ascending.
        free_by_model: free thousandths of a device per GPU model.
    """

    def __init__(self, room: Room) -> None:
        """Look at every host."""
        self._gpu_milli, self._model = room.gpu_milli, room.fleet.model.tolist()
        self._kind: list[int] = room.kinds.of_host.tolist()
        self._known: list[dict[bytes, Devices]] = [{} for _ in room.kinds.kinds]
        self._partial_of: dict[tuple[int, ...], int] = {}
        self.rests: list[tuple[int, ...]] = []
        self.met, hosts = 0, len(self._kind)
        self._of = [self._look(row) for row in range(hosts)]
        self.whole = np.array([state.whole for state in self._of], dtype=np.int64)
        self.partial = np.array([state.partial for state in self._of], dtype=np.int64)
        self.free_by_model = [0] * len(room.fleet.models)
        for state in self._of:
            self.free_by_model[state.model] += state.free_milli

    def settle(self, row: int) -> Devices:
        """Look at a host that has changed and return its state."""
        state, before = self._look(row), self._of[row]
        self._of[row] = state
        self.free_by_model[state.model] += state.free_milli - before.free_milli
        self.whole[row], self.partial[row] = state.whole, state.partial
        return state

    def __getitem__(self, row: int) -> Devices:
        """Return the state of a host."""
        return self._of[row]

    def _look(self, row: int) -> Devices:
        free = self._gpu_milli[row]
        known = self._known[self._kind[row]]
        state = known.get(key := free.tobytes())
        if state is None:
            state = known[key] = self._meet(row, tuple(free.tolist()))
        return state

    def _meet(self, row: int, free: tuple[int, ...]) -> Devices:
        model, number = self._model[row], self.met
        self.met += 1
        rests = (model, *sorted(set(free) - _NO_RESTS))
        partial = self._partial_of.setdefault(rests, len(self.rests))
        if partial == len(self.rests):
            self.rests.append(rests)
        total = sum(free) - NO_DEVICE * free.count(NO_DEVICE)
        return Devices(number, self._kind[row], model, free, free.count(WHOLE_DEVICE_MILLI), partial, total)
