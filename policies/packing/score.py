"""The default placement score: which host loses least, in thousandths of a device, by taking one unit of a shape.

A host's loss is the sum of four prices of scarcity, all learned from the mix of shapes seen so far and from what is
free now, none from the future:

- the rest of a device, by what likely work can still make of it (`cutting_stock`), and by the share of work that
  fits it at all (the fragmentation measure of FGD, Weng et al., USENIX ATC 2023, device by device);
- devices that will find no CPU (`cpu_stranding`);
- models that some work cannot do without (`scarcity`);
- room for gangs of several whole devices, with the CPU and memory beside them (`scarcity`).

Losses are rounded down to steps and ties go to the first host: hosts that are nearly as good fill up one after the
other, which keeps the rest of them whole.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.packing.cpu_stranding import Amounts, CpuPerDevice
from policies.packing.cutting_stock import remainder_values
from policies.packing.devices import devices_taken
from policies.packing.gang_capacity import GangRooms, HostKinds, RoomValue, Vacancy, kinds_of
from policies.packing.scarcity import Census, Counts, Expected, SlotPrice, model_premiums, share_of_time, slot_prices
from policies.packing.workload_mix import PRIOR, SizeMix
from scheduler.model.ledger import Ledger
from scheduler.model.policy import Scorer
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.work import WorkSeen

STEP_MILLI: Final = 20.0
"""Losses closer than this are equal."""
FRAGMENT_WEIGHT: Final = 0.3
"""What a thousandth too small for all work counts, against one that the cutting-stock prices call worthless."""
CPU_WEIGHT: Final = 0.3
"""What a device expected to be stranded counts: other hosts will take part of the work that strands it."""
_GRAIN: Final = 0.05
"""Shares of what stays closer than this are one."""


@dataclass(frozen=True, slots=True)
class Scarcity:
    """What runs short now.

    Attributes:
        premiums: 0 to 1 per GPU model, the price of a thousandth of a device on top of its own value.
        slots: prices of room for gangs of several whole devices.
        to_come: float (D + 1), what room counts that takes so many devices to be given back; empty when none will be.
    """

    premiums: tuple[tuple[str, float], ...] = ()
    slots: tuple[SlotPrice, ...] = ()
    to_come: tuple[float, ...] = ()

    @classmethod
    def now(cls, expected: Expected, vacancy: Vacancy, free_milli: NDArray[np.int64]) -> "Scarcity":
        """Price what is free.

        Args:
            expected: what is asked for.
            vacancy: what is free on each of H hosts.
            free_milli: int64 (H,), free thousandths of a device on each of them.
        """
        kinds = vacancy.kinds
        per_kind = np.bincount(vacancy.kind, weights=free_milli, minlength=len(kinds.kinds))
        free = np.bincount(kinds.gpu_model, weights=per_kind, minlength=len(kinds.gpu_models)).astype(np.int64)
        open_hosts = vacancy.at(np.flatnonzero(vacancy.whole > 1))
        rooms = GangRooms(expected.gangs, kinds).of(open_hosts).sum(axis=0)
        return cls.of(expected, kinds, dict(zip(kinds.gpu_models, free.tolist(), strict=True)), rooms)

    @classmethod
    def of(
        cls, expected: Expected, kinds: HostKinds, free_milli: Mapping[str, int], rooms: NDArray[np.int64]
    ) -> "Scarcity":
        """Price what is free.

        Args:
            expected: what is asked for.
            kinds: what the hosts are when empty.
            free_milli: free thousandths of a device per GPU model; "" stands for hosts without devices.
            rooms: int64 (G,), how many of each of the expected gangs there is room for.
        """
        premiums = model_premiums(expected, {name: free for name, free in free_milli.items() if name})
        slots = slot_prices(expected, rooms, sum(free_milli.values()))
        leaving = round((1.0 - expected.staying) / _GRAIN) * _GRAIN
        to_come = tuple(share_of_time(1.0 - leaving, kinds.most_devices).tolist()) if slots and leaving else ()
        return cls(tuple(premiums.items()), slots, to_come)

    def premium(self, gpu_model: str) -> float:
        """Return the premium of one model; 0 for hosts without devices."""
        return dict(self.premiums).get(gpu_model, 0.0)

    @property
    def gangs(self) -> tuple[Shape, ...]:
        """The shapes that have a price, those of as many devices side by side."""
        return tuple([slot.shape for slot in self.slots])

    @property
    def prices(self) -> tuple[float, ...]:
        """What room for a unit of each of them costs."""
        return tuple([slot.price for slot in self.slots])

    def value_to_come(self, kinds: HostKinds) -> NDArray[np.float64]:
        """Return the price of the room that there will be, float64 (kinds, D + 1), by whole free devices."""
        total = np.zeros((len(kinds.kinds), kinds.most_devices + 1))
        share = np.array(self.to_come)
        for _, alike in groupby(self.slots, _devices) if self.to_come else ():
            total += np.max([slot.price * kinds.room_to_come(slot.shape, share) for slot in alike], axis=0)
        return total


def _devices(slot: SlotPrice) -> int:
    return slot.shape.gpu_count


class Prices:
    """What follows from a mix alone, worked out when it is first asked for: it takes a moment, and lasts.

    Attributes:
        cpu: see `CpuPerDevice`.
    """

    def __init__(self, mix: SizeMix) -> None:
        """Price work of this mix."""
        self._mix, self.cpu = mix, CpuPerDevice.of(mix)
        self._by_model: dict[str, NDArray[np.float64]] = {}

    @cached_property
    def _remainder(self) -> NDArray[np.float64]:
        return remainder_values(self._mix)

    def device_values(self, gpu_model: str) -> NDArray[np.float64]:
        """Return float64 (1001,): the value of r free thousandths of a device of a model; only differences matter."""
        asked_for = gpu_model if gpu_model in self._mix.gpu_models else ""
        if asked_for not in self._by_model:
            rest, unfit = np.arange(WHOLE_DEVICE_MILLI + 1), 1.0 - self._mix.share_fitting(asked_for)
            values = self._remainder - FRAGMENT_WEIGHT * rest * unfit
            values.setflags(write=False)
            self._by_model[asked_for] = values
        return self._by_model[asked_for]


def headroom(start: Ledger, work: WorkSeen) -> Scorer:
    """Score by what hosts lose, in whole steps: the lowest wins.

    What is taken to run before anything was seen counts like so much that was seen, half of it over by now: the less
    was seen, the more it matters.
    """
    return _Priced(*_learned(work), start)


@lru_cache(maxsize=4)
def _learned(work: WorkSeen) -> tuple[Prices, Expected]:
    usual, seen, started = (Counter[Shape](dict(PRIOR.counts)) for _ in range(3))
    running = Counter({shape: count // 2 for shape, count in PRIOR.counts})
    usual.update(dict(work.usual))
    for counter, counts in ((seen, work.seen), (started, work.started), (running, work.running)):
        counter.update(dict(zip(work.shapes, counts, strict=True)))
    shapes = tuple(seen)
    sums = Counts(*(np.array([each[shape] for shape in shapes]) for each in (seen, started, running)))
    return _prices_of(SizeMix.of(usual)), Census(shapes).expected(sums)


@lru_cache(maxsize=4)
def _prices_of(mix: SizeMix) -> Prices:
    """Return the prices of a mix; the usual one stays the same for long, and its prices with it."""
    return Prices(mix)


def stranding(cpu: CpuPerDevice, cpu_milli: Amounts, gpu_milli: Amounts) -> NDArray[np.float64]:
    """Return the weighted price of devices that will find no CPU, see `CpuPerDevice.stranded_milli`."""
    return CPU_WEIGHT * cpu.stranded_milli(cpu_milli, gpu_milli)


class _Priced:
    """A scorer by the prices of one mix and of what is scarce in one ledger."""

    def __init__(self, prices: Prices, expected: Expected, start: Ledger) -> None:
        self._prices, self._cpu, self._expected, self._start = prices, prices.cpu, expected, start

    @cached_property
    def _scarcity(self) -> Scarcity:
        free = np.maximum(self._start.gpu_milli, 0).sum(axis=1)
        return Scarcity.now(self._expected, Vacancy.of(self._start), free)

    @cached_property
    def _room_value(self) -> RoomValue:
        return RoomValue(self._scarcity.gangs, kinds_of(self._start.table))

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        per_model = [self._prices.device_values(model) for model in self._start.table.gpu_models]
        return np.array(per_model).reshape(-1, WHOLE_DEVICE_MILLI + 1)

    @cached_property
    def _premiums(self) -> NDArray[np.float64]:
        return np.array([self._scarcity.premium(model) for model in self._start.table.gpu_models])

    @cached_property
    def _to_come(self) -> NDArray[np.float64]:
        return self._scarcity.value_to_come(kinds_of(self._start.table))

    def __call__(self, ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
        """Return float64 (N,): the steps that rows lose by one unit on their fullest devices that fit."""
        table, kinds = ledger.table, kinds_of(ledger.table)
        model, kind = table.gpu_model[rows], kinds.of_host[rows]
        devices, whole_ones = ledger.gpu_milli[rows], ~table.device_is_part[rows]
        taken = np.arange(len(rows))[:, None], devices_taken(ledger, rows, shape)
        rests = devices[taken]
        whole = ((devices == WHOLE_DEVICE_MILLI) & whole_ones).sum(axis=1)
        opened = (rests == WHOLE_DEVICE_MILLI) & whole_ones[taken]
        before_and_after = (
            (whole, opened.sum(axis=1)),
            (ledger.cpu_milli[rows], shape.cpu_milli),
            (ledger.memory_mib[rows], shape.memory_mib),
            (np.maximum(devices, 0).sum(axis=1), shape.total_gpu_milli),
        )
        whole, cpu, memory, free = (np.concatenate([amount, amount - less]) for amount, less in before_and_after)
        worth = (
            self._room_value.of(Vacancy(whole, cpu, memory, np.tile(kind, 2), kinds), self._scarcity.prices)
            - stranding(self._cpu, cpu, free)
            + self._to_come[np.tile(kind, 2), whole]
        )
        loss = (
            worth[: len(rows)]
            - worth[len(rows) :]
            + (self._values[model[:, None], rests] - self._values[model[:, None], rests - shape.gpu_milli]).sum(axis=1)
            + self._premiums[model] * shape.total_gpu_milli
        )
        steps: NDArray[np.float64] = np.floor(loss / STEP_MILLI)
        return steps
