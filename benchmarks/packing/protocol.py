"""The two protocols of the packing benchmark: fill without departures, and a loss system with departures."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.packers import Packer
from benchmarks.packing.room import Room, Seat, ShapeTable
from benchmarks.packing.workload import Fleet, Pods

INFLATION: Final = 1.3
"""Arrivals go on until they have asked for this multiple of the capacity."""
MARKS: Final = (90, 95, 100, 110, 130)
"""Arrived demand, in per cent of the capacity, at which the allocated share is read."""
WARM_LIVES: Final = 2.0
"""Mean lifetimes before losses count."""
COUNTED_LIVES: Final = 3.0
"""Mean lifetimes over which they do."""

PackerOf = Callable[[Room, ShapeTable, np.random.Generator], Packer]
"""Makes a packer for an empty room."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run.

    Attributes:
        allocated_pct: the allocated share of the devices at each of `MARKS`; empty with departures.
        failed_pods: pods that no host had room for.
        lost_demand_pct: share of the demand for devices that was lost; None without departures.
        placed: pods that got a seat.
        seconds: of this process on a processor, for deciding, and for learning where a policy does.
    """

    allocated_pct: tuple[float, ...]
    failed_pods: int
    lost_demand_pct: float | None
    placed: int
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Churn:
    """Arrivals and departures in order of time.

    Attributes:
        shape: int64 (N,), the shape of each arrival.
        events: int64 (E,), i for the arrival of pod i and -1 - i for its departure.
        first_counted: the first arrival after the warm-up.
    """

    shape: NDArray[np.int64]
    events: NDArray[np.int64]
    first_counted: int


def listed(fleet: Fleet, seed: int) -> Fleet:
    """Return the hosts in an order drawn by the seed: ties go to the first host, whose place must be nobody's luck.

    The published means come out so, and only so: the simulator they were made with lists hosts in no order.
    """
    return fleet.listed(np.random.default_rng((seed, len(fleet.cpu_milli))).permutation(len(fleet.cpu_milli)))


def arrivals(pods: Pods, capacity_milli: int, seed: int) -> NDArray[np.int64]:
    """Return shapes in order of arrival: the list shuffled, then samples of it until `INFLATION` is reached."""
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(pods.shape))
    asked = pods.gpu_milli[pods.shape]
    missing = INFLATION * capacity_milli - asked.sum()
    extra: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
    while asked[extra].sum() < missing:
        extra = np.append(extra, chance.integers(len(pods.shape), size=len(pods.shape)))
    enough = int(np.searchsorted(asked[extra].cumsum(), missing)) + 1 if missing > 0 else 0
    return pods.shape[np.append(order, extra[:enough])]


class Play:
    """A room and the packer that decides in it."""

    def __init__(self, fleet: Fleet, pods: Pods, packer_of: PackerOf, seed: int) -> None:
        """Begin with empty hosts."""
        self.room = Room(listed(fleet, seed))
        self.table = ShapeTable.of(pods.shapes, fleet.models)
        self._packer = packer_of(self.room, self.table, np.random.default_rng(seed))

    def arrive(self, shape: int) -> Seat | None:
        """Seat a pod where the packer wants it, if anywhere."""
        seat = self._packer.choose(shape)
        if seat is not None:
            self._change(seat, shape, -1)
        return seat

    def leave(self, seat: Seat, shape: int) -> None:
        """Free a pod's seat."""
        self._change(seat, shape, 1)

    def _change(self, seat: Seat, shape: int, sign: int) -> None:
        self.room.add(seat, self.table.shapes[shape], sign)
        self._packer.changed(seat, shape, sign)


def fill(fleet: Fleet, pods: Pods, packer_of: PackerOf, seed: int) -> Outcome:
    """Try each arrival once, in order; what does not fit is dropped and nothing leaves."""
    play, order = Play(fleet, pods, packer_of, seed), arrivals(pods, fleet.capacity_milli, seed)
    began = time.process_time()
    seated = np.array([play.arrive(shape) is not None for shape in order.tolist()])
    seconds = time.process_time() - began
    asked = play.table.total_milli[order]
    at = np.searchsorted(asked.cumsum(), np.array(MARKS) / 100 * fleet.capacity_milli, side="right") - 1
    allocated = (asked * seated).cumsum()[np.minimum(at, len(order) - 1)] / fleet.capacity_milli * 100
    return Outcome(tuple(allocated.tolist()), int((~seated).sum()), None, int(seated.sum()), seconds)


def churn_of(pods: Pods, capacity_milli: int, load: float, seed: int) -> Churn:
    """Return Poisson arrivals and exponential lifetimes whose demand for devices is `load` times the capacity."""
    chance = np.random.default_rng(seed)
    per_life = load * capacity_milli / pods.gpu_milli[pods.shape].mean()
    many = int(per_life * (WARM_LIVES + COUNTED_LIVES))
    arrival = chance.exponential(1 / per_life, many).cumsum()
    departure = arrival + chance.exponential(1.0, many)
    shape = pods.shape[chance.integers(len(pods.shape), size=many)]
    moments = np.append(arrival, departure)
    order = np.argsort(moments, kind="stable")
    order = order[moments[order] <= arrival[-1]]
    events = np.append(np.arange(many), -1 - np.arange(many))[order]
    return Churn(shape, events, int(np.searchsorted(arrival, WARM_LIVES)))


def churn(fleet: Fleet, pods: Pods, packer_of: PackerOf, load: float, seed: int) -> Outcome:
    """Seat arrivals where there is room and lose them where there is none; the seated leave at their time."""
    play, course = Play(fleet, pods, packer_of, seed), churn_of(pods, fleet.capacity_milli, load, seed)
    began = time.process_time()
    seated = np.zeros(len(course.shape), dtype=bool)
    seated[list(_seated(play, course))] = True
    seconds = time.process_time() - began
    asked, counted = play.table.total_milli[course.shape], slice(course.first_counted, None)
    lost = float((asked * ~seated)[counted].sum() / max(asked[counted].sum(), 1) * 100)
    return Outcome((), int((~seated[counted]).sum()), lost, int(seated.sum()), seconds)


def _seated(play: Play, course: Churn) -> Iterator[int]:
    """Yield the arrivals that got a seat, carrying out what happens in between."""
    seats: dict[int, Seat] = {}
    shapes = course.shape.tolist()
    for event in course.events.tolist():
        if event < 0:
            leaving = -1 - event
            if leaving in seats:
                play.leave(seats.pop(leaving), shapes[leaving])
        elif (seat := play.arrive(shapes[event])) is not None:
            seats[event] = seat
            yield event
