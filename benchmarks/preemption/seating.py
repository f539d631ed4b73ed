"""Fills hosts with gangs, wherever they happen to fit, until several in a row do not."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from scheduler.model.hosts import Host
from scheduler.model.ledger import Trial
from scheduler.model.resources import Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang


def filled(
    rng: np.random.Generator, hosts: Sequence[Host], gang: Callable[[], Gang], refusals: int
) -> Iterator[tuple[Gang, tuple[Slot, ...]]]:
    """Yield gangs with their slots; the hosts are full when so many in a row found no room."""
    room, refused = Snapshot.of(hosts=hosts).ledger.trial(), 0
    while refused < refusals:
        one = gang()
        slots = _seated(rng, one, room)
        refused = 0 if slots else refused + 1
        if slots:
            yield one, slots


def _seated(rng: np.random.Generator, gang: Gang, room: Trial) -> tuple[Slot, ...]:
    """Seat the workers on hosts drawn at random; nowhere when not all fit."""
    slots = list[Slot]()
    for _ in range(gang.workers):
        rows = np.flatnonzero(room.units_fitting(gang.shape))
        if not len(rows):
            room.give_all(slots, gang.shape)
            return ()
        row = int(rng.choice(rows))
        slots.append(Slot(room.hosts[row].name, room.devices_for(row, gang.shape) or ()))
        room.take(slots[-1], gang.shape)
    return tuple(slots)
