"""The losses of the default policy for every shape on every host, kept in one table while hosts change.

A column belongs to a host, a row to a shape; entries are whole steps of loss, or `NO_ROOM` and more where the shape
does not fit. Everything that a column needs is a row over shapes that was worked out before: the best device that is
shared already, by the rests of a host's devices; whole devices, by how many of them are free; the CPU, by how much of
it and of the devices is free; and what does not fit, by CPU and memory. A changed host costs a few additions of rows.

Prices that change a few hosts change their columns at once. Those that change all hosts make every row stale; it is put
together anew when its shape is next asked for.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.cpu_losses import NEVER, CpuLosses, Rows
from benchmarks.packing.device_states import NO_REST, Devices, DeviceStates
from benchmarks.packing.gang_losses import GangLosses
from benchmarks.packing.room import Room, ShapeTable
from policies.packing.score import STEP_MILLI, Prices, Scarcity
from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import WHOLE_DEVICE_MILLI

NO_ROOM: Final = 7000
"""Steps that no real loss reaches; `NEVER` less what a loss may be below 0."""
_LEAST: Final = np.float32(256)
"""Added to every loss, so that rounding down is cutting off."""
_FEW: Final = 4
"""One host in so many may change its column at once; more make all rows stale."""


class Losses:
    """Losses by one mix and one scarcity, until others are learned.

    Attributes:
        states: what the devices of hosts look like.
    """

    def __init__(self, room: Room, shapes: ShapeTable, mix: SizeMix) -> None:
        """Look at every host."""
        self._room, self._shapes = room, shapes
        self._models = room.fleet.models
        self._asked = list(zip(shapes.gpu_count.tolist(), shapes.gpu_milli.tolist(), strict=True))
        self._sizes = np.unique(shapes.gpu_milli)
        self._size_of = np.searchsorted(self._sizes, shapes.gpu_milli)
        self.states = DeviceStates(room)
        self._cpu, self._gangs = CpuLosses(room, shapes), GangLosses(room, shapes)
        self._table = np.full((len(shapes.shapes), len(room.cpu_milli)), NO_ROOM, dtype=np.int16)
        self._rows, self._columns = list(self._table), list(self._table.T)
        self._unpriced, self._shared = (np.zeros((64, len(shapes.shapes)), dtype=np.float32) for _ in range(2))
        self._version, self._fresh = 0, [-1] * len(shapes.shapes)
        self._scarcity = Scarcity()
        self.learn(mix)

    def learn(self, mix: SizeMix) -> None:
        """Take prices from another mix."""
        prices = Prices(mix)
        self._values = np.array([prices.device_values(model) for model in self._models])
        self._drops = self._drops_of(self._values)
        self._cpu.learn(prices.cpu)
        self._met = 0
        self._reprice_all()

    def reprice(self, scarcity: Scarcity) -> None:
        """Use another scarcity."""
        before, self._scarcity = self._scarcity, scarcity
        if scarcity == before:
            return
        touched = self._gangs.reprice(scarcity, self.states.whole)
        if (scarcity.premiums, scarcity.to_come) != (before.premiums, before.to_come) or scarcity.to_come:
            self._reprice_all()
        elif len(touched) * _FEW > len(self._room.cpu_milli):
            self._version += 1
        elif len(touched):
            self._change(touched)

    def best(self, shape: int) -> int | None:
        """Return the host row of least loss, the first among equals, or None when there is no room."""
        losses = self.losses(shape)
        row = int(losses.argmin())
        return row if losses.item(row) < NO_ROOM else None

    def losses(self, shape: int) -> NDArray[np.int16]:
        """Return the up-to-date losses of one shape, int16 (H,)."""
        if self._fresh[shape] != self._version:
            self._refresh(shape)
        return self._rows[shape]

    def changed(self, row: int) -> None:
        """Put a host's column together anew."""
        devices = self.states.settle(row)
        column = self._cpu.changed(row, devices.free_milli)
        if state := self._gangs.settle(row, devices):
            column += self._beside_gangs(devices, state)
        else:
            column += self._plain(devices)
        column += _LEAST
        self._columns[row][...] = column

    def devices(self, shape: int, row: int) -> tuple[int, ...]:
        """Return the devices that lose least: the best shared one, whole ones where none is or they lose less."""
        count, asked = self._asked[shape]
        if not count:
            return ()
        state = self.states[row]
        if asked < WHOLE_DEVICE_MILLI:
            shared = [d for d, milli in enumerate(state.free) if asked <= milli < WHOLE_DEVICE_MILLI]
            if shared and self._sharing_is_best(row, state, shape):
                drop = self._drops[state.model, :, self._size_of[shape]]
                return (min(shared, key=lambda d: float(drop[state.free[d]])),)
        if count == 1:
            return (state.free.index(WHOLE_DEVICE_MILLI),)
        return tuple([d for d, milli in enumerate(state.free) if milli == WHOLE_DEVICE_MILLI][:count])

    def _sharing_is_best(self, row: int, state: Devices, shape: int) -> bool:
        gangs = self._gangs.at(self._gangs.state_of(row))[:, shape]
        shared, whole = self._shared_at(state.partial)[shape], self._wholes[state.kind, state.whole, shape]
        return bool(shared + gangs[0] <= whole + gangs[1])

    def _plain(self, devices: Devices) -> Rows:
        """Return the loss of every shape on its best devices where there is no room for gangs, float32 (K,)."""
        row = self._best_of.get(devices.number)
        if row is None:
            row = np.minimum(self._shared_at(devices.partial), self._wholes[devices.kind, devices.whole])
            self._best_of[devices.number] = row
        return row

    def _beside_gangs(self, devices: Devices, state: int) -> Rows:
        """Return the same where there is."""
        shared, whole = self._gangs.at(state)
        row: Rows = np.minimum(
            self._shared_at(devices.partial) + shared, self._wholes[devices.kind, devices.whole] + whole
        )
        return row

    def _shared_at(self, partial: int) -> Rows:
        if partial >= self._met:
            self._meet_rests()
        row: Rows = self._shared[partial]
        return row

    def _meet_rests(self) -> None:
        """Work out the loss of every shape on the best of the shared devices of states that were met since."""
        first, self._met = self._met, len(self.states.rests)
        if self._met > len(self._shared):
            size = (2 * self._met, self._shared.shape[1])
            self._unpriced, self._shared = np.resize(self._unpriced, size), np.resize(self._shared, size)
        for partial in range(first, self._met):
            model, *rests = self.states.rests[partial]
            per_size = self._drops[model].take((NO_REST, *rests), axis=0).min(axis=0)
            self._unpriced[partial] = per_size.take(self._size_of)
            np.minimum(self._unpriced[partial] + self._shared_premiums[model], NEVER, out=self._shared[partial])

    def _reprice_all(self) -> None:
        shapes = self._shapes
        self._version += 1
        premium = np.array([self._scarcity.premium(model) for model in self._models])
        barred = np.where(shapes.allowed.T, 0, NEVER)
        self._premiums = (premium[:, None] * shapes.total_milli / STEP_MILLI + barred).astype(np.float32)
        self._shared_premiums = self._premiums + np.where(shapes.gpu_count > 1, NEVER, np.float32(0))
        self._wholes = self._whole_rows()
        self._best_of: dict[int, Rows] = {}
        model = [rests[0] for rests in self.states.rests[: self._met]]
        self._shared[: self._met] = np.minimum(self._unpriced[: self._met] + self._shared_premiums[model], NEVER)

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
        loss = np.where(fits, used[:, None, :] + put_off, NEVER)
        return np.minimum(loss, NEVER).astype(np.float32)

    def _refresh(self, shape: int) -> None:
        """Put together the row of a shape."""
        states, gangs = self.states, self._gangs.of_shape(shape)
        if len(states.rests) > self._met:
            self._meet_rests()
        by_whole = self._wholes[:, :, shape]
        losses = np.minimum(
            self._shared[:, shape].take(states.partial) + gangs[0],
            by_whole.ravel().take(self._room.kinds.of_host * by_whole.shape[1] + states.whole) + gangs[1],
        )
        losses += self._cpu.of_shape(shape)
        np.add(losses, _LEAST, out=self._rows[shape], casting="unsafe")
        self._fresh[shape] = self._version

    def _change(self, rows: NDArray[np.int64]) -> None:
        """Put together the columns of some hosts."""
        states, gangs = self.states, self._gangs.of_hosts(rows)
        if len(states.rests) > self._met:
            self._meet_rests()
        losses = np.minimum(
            self._shared[states.partial[rows]] + gangs[0],
            self._wholes[self._room.kinds.of_host[rows], states.whole[rows]] + gangs[1],
        )
        losses += self._cpu.of_hosts(rows)
        self._table[:, rows] = (losses + _LEAST).T.astype(np.int16)

    def _drops_of(self, values: NDArray[np.float64]) -> Rows:
        """Return the loss of a piece of each size on a rest of each length, float32 (M, 1002, J), in steps.

        The last length stands for no rest at all, which still suits who wants nothing.
        """
        rest = np.arange(WHOLE_DEVICE_MILLI + 1)[:, None]
        lost = (values[:, :, None] - values.take(np.maximum(rest - self._sizes, 0), axis=1)) / STEP_MILLI
        drops = np.full((len(values), NO_REST + 1, len(self._sizes)), NEVER)
        drops[:, :NO_REST] = np.where(rest >= self._sizes, lost, NEVER)
        drops[:, NO_REST, self._sizes == 0] = 0
        return drops
