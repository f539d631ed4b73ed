"""The default policy as a packer: it learns the mix of work from the arrivals it is shown, and from nothing else."""

import time
from array import array
from typing import Final

import numpy as np

from benchmarks.packing.gang_room import GangRoom
from benchmarks.packing.losses import Losses
from benchmarks.packing.room import Room, Seat, ShapeTable
from policies.packing.scarcity import Census, Counts
from policies.packing.score import Scarcity
from policies.packing.workload_mix import SizeMix

FIRST_LESSON: Final = 16
"""Arrivals before the first prices; later lessons come whenever their number has grown threefold."""
LOOKS_PER_FILL: Final = 256
"""How often scarcity is looked at while arrivals ask for the whole capacity once."""


class PricedPacker:
    """Takes the host of least loss, the first among equals."""

    def __init__(self, room: Room, table: ShapeTable) -> None:
        """Begin with no knowledge of the work."""
        self._room, self._table = room, table
        self.learning_s = 0.0
        self._seen, self._started, self._running = (array("q", [0]) * len(table.shapes) for _ in range(3))
        self._asked = table.total_milli.tolist()
        self._arrived, self._next_lesson = 0, FIRST_LESSON
        self._until_look, self._look_milli = 0, room.fleet.capacity_milli // LOOKS_PER_FILL
        self._census = Census(table.shapes)
        self._gang_room = GangRoom(room, self._census.gangs)
        self._losses = Losses(room, table, SizeMix())

    def choose(self, shape: int) -> Seat | None:
        """Learn from the arrival and return the best seat for it."""
        self._seen[shape] += 1
        self._arrived += 1
        self._until_look -= self._asked[shape]
        if self._arrived >= self._next_lesson:
            self._learn()
        if self._until_look < 0:
            self._look()
        row = self._losses.best(shape)
        return None if row is None else Seat(row, self._losses.devices(shape, row))

    def changed(self, seat: Seat, shape: int, sign: int) -> None:
        """Count what runs and put the host's losses together anew."""
        self._running[shape] -= sign
        self._started[shape] += sign < 0
        self._gang_room.changed(seat.row)
        self._losses.changed(seat.row)

    def _learn(self) -> None:
        began = time.process_time()
        self._next_lesson = 3 * self._arrived
        self._losses.learn(SizeMix.of(dict(zip(self._table.shapes, self._seen, strict=True))))
        self._until_look = -1
        self.learning_s += time.process_time() - began

    def _look(self) -> None:
        self._until_look = self._look_milli
        counts = Counts(*(np.frombuffer(each, np.int64) for each in (self._seen, self._started, self._running)))
        states = self._losses.states
        free = dict(zip(self._room.fleet.models, states.free_by_model, strict=True))
        rooms = self._gang_room.total(states.whole)
        self._losses.reprice(Scarcity.of(self._census.expected(counts), self._room.kinds, free, rooms))
