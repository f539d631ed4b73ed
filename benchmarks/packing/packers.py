"""Packers choose a seat for one pod after the other; this one scores hosts, keeping scores until a host changes."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.peers import Clustering, Scoring, kind_of
from benchmarks.packing.room import Room, Seat, ShapeTable
from scheduler.model.resources import WHOLE_DEVICE_MILLI

_NO_ROOM = -1


class Packer(Protocol):
    """Decides where pods go; the run that owns the room carries out."""

    def choose(self, shape: int) -> Seat | None:
        """Return a seat for a pod of this shape, or None when no host has room."""

    def changed(self, seat: Seat, shape: int, sign: int) -> None:
        """Learn that a pod was seated (sign -1) or has left (+1)."""


class ScoredPacker:
    """Takes the host of highest score, the first among equals."""

    def __init__(self, room: Room, table: ShapeTable, scoring: Scoring, *, keep: bool = True) -> None:
        """Score with `scoring`; `keep=False` scores every host for every pod anew, the yardstick of speed."""
        self._room, self._table, self._scoring, self._keep = room, table, scoring, keep
        hosts, shapes = len(room.cpu_milli), len(table.shapes)
        self._score = np.full((shapes, hosts), _NO_ROOM, dtype=np.int64)
        self._device = np.zeros((shapes, hosts), dtype=np.int64)
        self._all = np.arange(hosts)
        self._log: list[int] = []
        self._read = np.full(shapes, -1, dtype=np.int64)

    def choose(self, shape: int) -> Seat | None:
        """Return the best seat by scores that are all up to date."""
        self._refresh(shape, self._stale(shape))
        row = int(self._score[shape].argmax())
        if self._score[shape, row] == _NO_ROOM:
            return None
        return Seat(row, self._devices(shape, row))

    def changed(self, seat: Seat, shape: int, sign: int) -> None:  # noqa: ARG002  # the protocol's signature
        """Remember that a host's scores are out of date."""
        self._log.append(seat.row)

    def scores(self, shape: int) -> NDArray[np.int64]:
        """Return the kept scores of one shape, int64 (H,), brought up to date; -1 where there is no room."""
        self._refresh(shape, self._stale(shape))
        row: NDArray[np.int64] = self._score[shape].copy()
        return row

    def _stale(self, shape: int) -> NDArray[np.int64]:
        read, self._read[shape] = int(self._read[shape]), len(self._log)
        if read < 0 or not self._keep or len(self._log) - read > len(self._all):
            return self._all
        return np.unique(np.array(self._log[read:], dtype=np.int64))

    def _refresh(self, shape: int, rows: NDArray[np.int64]) -> None:
        fits = self._room.fitting(self._table, shape, rows)
        self._score[shape, rows[~fits]] = _NO_ROOM
        fitting = rows[fits]
        if len(fitting):
            scores = self._scoring(self._room, self._table, shape, fitting)
            self._score[shape, fitting] = scores.score
            if scores.device is not None:
                self._device[shape, fitting] = scores.device

    def _devices(self, shape: int, row: int) -> tuple[int, ...]:
        return seat_devices(self._room, self._table, shape, row)


def seat_devices(room: Room, table: ShapeTable, shape: int, row: int) -> tuple[int, ...]:
    """Return the devices a pod gets: the fullest that fits for a share, the first whole ones otherwise."""
    if not table.gpu_count[shape]:
        return ()
    return room.fullest(row, table.shapes[shape])


class SharingPacker(ScoredPacker):
    """Takes the device its scoring chose for a share."""

    def _devices(self, shape: int, row: int) -> tuple[int, ...]:
        if self._table.gpu_count[shape] == 1 and self._table.gpu_milli[shape] < WHOLE_DEVICE_MILLI:
            return (int(self._device[shape, row]),)
        return seat_devices(self._room, self._table, shape, row)


class ClusteringPacker(ScoredPacker):
    """GpuClustering, which also looks at what runs on a host."""

    def __init__(self, room: Room, table: ShapeTable) -> None:
        """Begin with empty hosts."""
        self._clusters = Clustering.on(len(room.cpu_milli), table)
        super().__init__(room, table, self._clusters.score)

    def changed(self, seat: Seat, shape: int, sign: int) -> None:
        """Count the pods of each kind."""
        super().changed(seat, shape, sign)
        if self._table.gpu_count[shape]:
            self._clusters.running[seat.row, kind_of(self._table, shape)] -= sign


class RandomPacker:
    """Takes any host with room, and any of its devices for a share."""

    def __init__(self, room: Room, table: ShapeTable, chance: np.random.Generator) -> None:
        """Draw from `chance`."""
        self._room, self._table, self._chance = room, table, chance
        self._all = np.arange(len(room.cpu_milli))

    def choose(self, shape: int) -> Seat | None:
        """Return a seat on a host drawn from those with room."""
        rows = self._all[self._room.fitting(self._table, shape, self._all)]
        if not len(rows):
            return None
        row = int(self._chance.choice(rows))
        if self._table.gpu_count[shape] == 1:
            fitting = np.flatnonzero(self._room.gpu_milli[row] >= self._table.gpu_milli[shape])
            return Seat(row, (int(self._chance.choice(fitting)),))
        return Seat(row, seat_devices(self._room, self._table, shape, row))

    def changed(self, seat: Seat, shape: int, sign: int) -> None:
        """Forget it: chance has no memory."""
