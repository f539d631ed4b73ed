"""The default placement score: which host loses least, in thousandths of a device, by taking one unit of a shape.

A host's loss is the sum of four prices of scarcity, all learned from the mix of shapes seen so far and from what is
free now, none from the future:

- the rest of a device, by what likely work can still make of it (`packing_cutting`), and by the share of work that
  fits it at all (the fragmentation measure of FGD, Weng et al., USENIX ATC 2023, device by device);
- devices that will find no CPU (`packing_cpu`);
- models that some work cannot do without (`packing_scarcity`);
- hosts that could still take several whole devices at once (`packing_scarcity`).

Losses are rounded down to steps and ties go to the first host: hosts that are nearly as good fill up one after the
other, which keeps the rest of them whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.packing_cpu import Amounts, CpuPerDevice
from policies.packing_cutting import remainder_values
from policies.packing_devices import devices_after
from policies.packing_mix import PRIOR, SizeMix
from policies.packing_scarcity import Expected, SlotPrice, model_premiums, slot_prices
from scheduler.model.ledger import Ledger
from scheduler.model.policy import PlacementScore, Scorer
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

STEP_MILLI: Final = 20.0
"""Losses closer than this are equal."""
FRAGMENT_WEIGHT: Final = 0.3
"""What a thousandth too small for all work counts, against one that the cutting-stock prices call worthless."""
CPU_WEIGHT: Final = 0.3
"""What a device expected to be stranded counts: other hosts will take part of the work that strands it."""


@dataclass(frozen=True, slots=True)
class Scarcity:
    """What runs short now.

    Attributes:
        premiums: 0 to 1 per GPU model, the price of a thousandth of a device on top of its own value.
        slots: prices of room for several whole devices.
    """

    premiums: tuple[tuple[str, float], ...] = ()
    slots: tuple[SlotPrice, ...] = ()

    @classmethod
    def now(
        cls, expected: Expected, models: Iterable[str], of_host: NDArray[np.int64], gpu_milli: NDArray[np.int64]
    ) -> "Scarcity":
        """Price what is free.

        Args:
            expected: what is asked for.
            models: names of the M GPU models, each once.
            of_host: int64 (H,), the index of each host's model.
            gpu_milli: int64 (H, D), free thousandths of each device; below 0 where there is none.
        """
        names = tuple(models)
        per_host = np.maximum(gpu_milli, 0).sum(axis=1)
        free = np.bincount(of_host, weights=per_host, minlength=len(names)).astype(np.int64)
        premiums = model_premiums(expected, {name: int(free[m]) for m, name in enumerate(names) if name})
        whole = (gpu_milli == WHOLE_DEVICE_MILLI).sum(axis=1)
        return cls(tuple(premiums.items()), slot_prices(expected, whole, int(per_host.sum())))

    def premium(self, gpu_model: str) -> float:
        """Return the premium of one model; 0 for hosts without devices."""
        return dict(self.premiums).get(gpu_model, 0.0)

    def slot_value(self, whole_free: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the price of all the room that hosts with so many whole free devices offer, elementwise."""
        value = np.zeros(whole_free.shape)
        for slot in self.slots:
            value += slot.price * (whole_free // slot.devices)
        return value


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
        table = self._start.table
        return Scarcity.now(self._expected, table.gpu_models, table.gpu_model, self._start.gpu_milli)

    def __call__(self, ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
        """Score rows, one GPU model after the other."""
        of_row = ledger.table.gpu_model[rows]
        loss = np.zeros(len(rows))
        for index in np.unique(of_row):
            here = of_row == index
            loss[here] = self._loss(ledger.table.gpu_models[index], ledger, rows[here], shape)
        return np.floor(loss / STEP_MILLI)

    def _loss(self, gpu_model: str, ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
        """Return float64 (N,) for hosts of one model: what they lose by one unit on their fullest devices that fit."""
        before, after = ledger.gpu_milli[rows], devices_after(ledger, rows, shape)
        values, scarcity = device_values(self._mix, gpu_model), self._scarcity
        free, cores = np.maximum(before, 0).sum(axis=1), ledger.cpu_milli[rows]
        whole_before, whole_after = ((g == WHOLE_DEVICE_MILLI).sum(axis=1) for g in (before, after))
        loss: NDArray[np.float64] = (
            (values[np.maximum(before, 0)] - values[np.maximum(after, 0)]).sum(axis=1)
            + stranding(self._cpu, cores - shape.cpu_milli, free - shape.total_gpu_milli)
            - stranding(self._cpu, cores, free)
            + scarcity.premium(gpu_model) * shape.total_gpu_milli
            + scarcity.slot_value(whole_before)
            - scarcity.slot_value(whole_after)
        )
        return loss
