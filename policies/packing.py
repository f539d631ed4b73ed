"""The default placement score: which host loses least, in thousandths of a device, by taking one unit of a shape.

A host's loss is the sum of four prices of scarcity, all learned from the mix of shapes seen so far and from what is
free now, none from the future:

- the rest of a device, by what likely work can still make of it (`packing_cutting`), and by the share of work that
  fits it at all (the fragmentation measure of FGD, Weng et al., USENIX ATC 2023, device by device);
- devices that will find no CPU (`packing_cpu`);
- models that some work cannot do without (`packing_scarcity`);
- room for gangs of several whole devices, with the CPU and memory beside them (`packing_scarcity`).

Losses are rounded down to steps and ties go to the first host: hosts that are nearly as good fill up one after the
other, which keeps the rest of them whole.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.packing_cpu import Amounts, CpuPerDevice
from policies.packing_cutting import remainder_values
from policies.packing_devices import devices_after
from policies.packing_mix import PRIOR, SizeMix
from policies.packing_scarcity import Expected, SlotPrice, Vacancy, model_premiums, slot_prices
from scheduler.model.ledger import Ledger
from scheduler.model.policy import PlacementScore, Scorer
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

STEP_MILLI: Final = 20.0
"""Losses closer than this are equal."""
FRAGMENT_WEIGHT: Final = 0.3
"""What a thousandth too small for all work counts, against one that the cutting-stock prices call worthless."""
CPU_WEIGHT: Final = 0.3
"""What a device expected to be stranded counts: other hosts will take part of the work that strands it."""
_NOTHING: Final = Shape()
_LENGTHS: Final = WHOLE_DEVICE_MILLI + 1


@dataclass(frozen=True, slots=True)
class Scarcity:
    """What runs short now.

    Attributes:
        premiums: 0 to 1 per GPU model, the price of a thousandth of a device on top of its own value.
        slots: prices of room for gangs of several whole devices.
    """

    premiums: tuple[tuple[str, float], ...] = ()
    slots: tuple[SlotPrice, ...] = ()

    @classmethod
    def now(cls, expected: Expected, vacancy: Vacancy, free_milli: NDArray[np.int64]) -> "Scarcity":
        """Price what is free.

        Args:
            expected: what is asked for.
            vacancy: what is free on each of H hosts.
            free_milli: int64 (H,), free thousandths of a device on each of them.
        """
        names = vacancy.gpu_models
        free = np.bincount(vacancy.gpu_model, weights=free_milli, minlength=len(names)).astype(np.int64)
        premiums = model_premiums(expected, {name: int(free[m]) for m, name in enumerate(names) if name})
        return cls(tuple(premiums.items()), slot_prices(expected, vacancy, int(free_milli.sum())))

    def premium(self, gpu_model: str) -> float:
        """Return the premium of one model; 0 for hosts without devices."""
        return dict(self.premiums).get(gpu_model, 0.0)

    def slot_value(self, vacancy: Vacancy) -> NDArray[np.float64]:
        """Return the price of all the room for gangs that hosts offer, float64 (N,).

        Shapes of as many devices have the same devices in view: the dearest of them counts.
        """
        by_count: dict[int, NDArray[np.float64]] = {}
        for slot in self.slots:
            value = slot.price * vacancy.room_for(slot.shape)
            by_count[slot.shape.gpu_count] = np.maximum(by_count.get(slot.shape.gpu_count, 0.0), value)
        total = np.zeros(len(vacancy.whole))
        for value in by_count.values():
            total += value
        return total


@cache
def device_values(mix: SizeMix, gpu_model: str) -> NDArray[np.float64]:
    """Return float64 (1001,): the value of r free thousandths of a device of one model; only differences matter."""
    rest = np.arange(WHOLE_DEVICE_MILLI + 1)
    values = remainder_values(mix) - FRAGMENT_WEIGHT * rest * (1.0 - mix.share_fitting(gpu_model))
    values.setflags(write=False)
    return values


def headroom_score(mix: SizeMix) -> PlacementScore:
    """Return the default placement score for work of this mix."""
    expected = Expected.of(mix)
    return lambda start: _Priced(mix, expected, start)


def headroom(start: Ledger) -> Scorer:
    """Score as `headroom_score` does for work that is not known yet."""
    return headroom_score(PRIOR)(start)


def stranding(cpu: CpuPerDevice, cpu_milli: Amounts, gpu_milli: Amounts) -> NDArray[np.float64]:
    """Return the weighted price of devices that will find no CPU, see `CpuPerDevice.stranded_milli`."""
    return CPU_WEIGHT * cpu.stranded_milli(cpu_milli, gpu_milli)


class _Priced:
    """A scorer by the prices of one mix and of what is scarce in one ledger."""

    def __init__(self, mix: SizeMix, expected: Expected, start: Ledger) -> None:
        self._mix, self._cpu, self._expected, self._start = mix, CpuPerDevice.of(mix), expected, start

    @cached_property
    def _scarcity(self) -> Scarcity:
        start, rows = self._start, np.arange(len(self._start.hosts))
        vacancy = _vacancy(start, rows, start.gpu_milli)
        return Scarcity.now(self._expected, vacancy, np.maximum(start.gpu_milli, 0).sum(axis=1))

    def __call__(self, ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
        """Return float64 (N,): the steps that rows lose by one unit on their fullest devices that fit."""
        table, before, after = ledger.table, ledger.gpu_milli[rows], devices_after(ledger, rows, shape)
        values = np.array([device_values(self._mix, model) for model in table.gpu_models]).reshape(-1, _LENGTHS)
        premiums, of_row = np.array([self._scarcity.premium(m) for m in table.gpu_models]), table.gpu_model[rows]
        free, cores = np.maximum(before, 0).sum(axis=1), ledger.cpu_milli[rows]
        held, left = _vacancy(ledger, rows, before), _vacancy(ledger, rows, after, shape)
        loss = (
            (values[of_row[:, None], np.maximum(before, 0)] - values[of_row[:, None], np.maximum(after, 0)]).sum(axis=1)
            + stranding(self._cpu, cores - shape.cpu_milli, free - shape.total_gpu_milli)
            - stranding(self._cpu, cores, free)
            + premiums[of_row] * shape.total_gpu_milli
            + self._scarcity.slot_value(held)
            - self._scarcity.slot_value(left)
        )
        steps: NDArray[np.float64] = np.floor(loss / STEP_MILLI)
        return steps


def _vacancy(ledger: Ledger, rows: NDArray[np.int64], gpu_milli: NDArray[np.int64], less: Shape = _NOTHING) -> Vacancy:
    """Return what is free on rows whose devices have so much left, less the CPU and memory of a shape."""
    return Vacancy(
        whole=((gpu_milli == WHOLE_DEVICE_MILLI) & ~ledger.table.device_is_part[rows]).sum(axis=1),
        cpu_milli=ledger.cpu_milli[rows] - less.cpu_milli,
        memory_mib=ledger.memory_mib[rows] - less.memory_mib,
        gpu_models=ledger.table.gpu_models,
        gpu_model=ledger.table.gpu_model[rows],
    )
