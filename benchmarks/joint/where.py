"""Where a forecast pays: what serving holds under each policy, by warm-up and series, without any jobs.

The document of `headroom bench joint --map … --json`:

    {"cells": [{"traffic": "dewiki…", "from": …, "warm_up_s": 1200.0, "gpu_hours": 9216.0,
                "steepest_per_hour": 0.8, "policies": {NAME: {"knob": 0.4, "late_ratio": …, "gpu_hours": …}, …}}, …]}

`steepest_per_hour` is the fastest rise within an hour as a share of the window's peak; `gpu_hours` of a policy what
serving held. Knobs are tuned on the window itself, for each warm-up anew: in hindsight, which does peers no harm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.joint.running import FEASIBLE, Tried, best, players, tuned
from benchmarks.joint.setting import Setting, steepest_per_hour

COMPARED: Final = ("reactive+order", "predictive+order", "headroom")
"""Who is compared."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A window at a warm-up, and what serving came to under each policy with its tuned knob."""

    setting: Setting
    found: Mapping[str, Tried]

    def left(self, name: str) -> float:
        """Return the GPU-hours that a policy leaves to training."""
        return self.setting.gpus * 24.0 * self.setting.days - self.found[name].gpu_hours

    @property
    def gain(self) -> float | None:
        """Return by what share headroom leaves more to training than the best feasible peer; None without one."""
        peers = [
            self.left(name) for name, one in self.found.items() if name != "headroom" and one.late_ratio <= FEASIBLE
        ]
        return self.left("headroom") / max(peers) - 1.0 if peers else None


def cells_of(
    windows: Sequence[Setting], warm_ups_s: Sequence[float], workers: int, told: Callable[[str], None]
) -> list[Cell]:
    """Return every window at every warm-up.

    Raises:
        ConfigError: see `scenario_of`, of a window or the one before.
    """
    settings = [replace(window, warm_up_s=each) for window in windows for each in warm_ups_s]
    asked = [(name, setting) for setting in settings for name in COMPARED]
    cells = [Cell(setting, {}) for setting in settings]
    with players(workers) as over:
        for place, one in enumerate(over(_held, asked)):
            cell = cells[place // len(COMPARED)]
            cells[place // len(COMPARED)] = replace(cell, found={**cell.found, asked[place][0]: one})
            told(f"{place + 1} of {len(asked)}: {asked[place][0]} {one.gpu_hours:.0f} GPU-hours")
    return cells


def document(cells: Sequence[Cell]) -> dict[str, object]:
    """Return all of it for JSON."""
    return {"cells": [_cell(cell) for cell in cells]}


def _held(asked: tuple[str, Setting]) -> Tried:
    """Return what serving held with the least knob that was feasible."""
    return best(tuned(asked))


def _cell(cell: Cell) -> dict[str, object]:
    setting = cell.setting
    return {
        "traffic": setting.traffic.name,
        "from": setting.start,
        "warm_up_s": setting.warm_up_s,
        "gpu_hours": setting.gpus * 24.0 * setting.days,
        "steepest_per_hour": steepest_per_hour(setting),
        "policies": {
            name: {"knob": one.knob, "late_ratio": one.late_ratio, "gpu_hours": one.gpu_hours}
            for name, one in cell.found.items()
        },
        "gain": cell.gain,
    }
