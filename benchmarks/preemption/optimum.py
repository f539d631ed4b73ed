"""The cheapest victims of all, by a mixed-integer programme: slow, and the yardstick of those that are fast.

    minimise    the cost of those who are stopped
    such that   the units on all hosts add up to what is needed,
                each host has the CPU, the memory and the devices for its units,
                each device holds as many units as its free thousandths divide into

Binary x_v: victim v is stopped; integer y_h: units on host h, at most the limit; integer u_d: units (or parts of
units) that device d could hold. All rows are as `scheduler.model.ledger.count_units` counts.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from benchmarks.preemption.cases import Case
from scheduler.model.errors import InvariantBroken
from scheduler.model.running import AMOUNTS

LONGEST_S: Final = 60.0
"""The solver gives up after so long."""
BIG: Final = 1e6


@dataclass
class _Rows:
    """Rows `low <= a @ variables`, written down one after the other."""

    at: list[tuple[int, int, float]] = field(default_factory=list)
    low: list[float] = field(default_factory=list)

    def add(
        self, low: float, *terms: tuple[NDArray[np.int64] | int, NDArray[np.int64] | NDArray[np.float64] | float]
    ) -> None:
        """Add a row of (variables, factors)."""
        for variables, factors in terms:
            for variable, factor in np.broadcast(variables, factors):
                self.at.append((len(self.low), int(variable), float(factor)))
        self.low.append(low)

    def constraint(self, width: int) -> optimize.LinearConstraint:
        """Return all rows over so many variables."""
        rows, columns, values = zip(*self.at, strict=True)
        matrix = sparse.csr_array((values, (rows, columns)), shape=(len(self.low), width))
        return optimize.LinearConstraint(matrix, np.array(self.low), np.inf)


def cheapest(case: Case) -> tuple[int, ...]:
    """Return the victims of least cost, as their places in the candidates.

    Raises:
        InvariantBroken: the solver found no proven optimum.
    """
    candidates, need = case.candidates, case.need
    victims, hosts = len(candidates.order), len(case.coming.cpu_milli)
    devices = case.coming.gpu_milli.shape[1]
    width = victims + hosts + hosts * devices
    limit = need.fitting(np.full(hosts, need.count, dtype=np.int64))
    usable = case.coming.table.usable[:, None] & case.coming.table.matching(need.shape)
    top = np.concatenate([np.ones(victims), np.where(usable.any(axis=1), limit, 0), np.where(usable, 1e3, 0.0).ravel()])
    found = optimize.milp(
        np.concatenate([candidates.cost, np.zeros(width - victims)]),
        integrality=np.ones(width),
        bounds=optimize.Bounds(0, top),
        constraints=_rows(case).constraint(width),
        options={"time_limit": LONGEST_S, "mip_rel_gap": 0.0},
    )
    if found.status != 0:
        raise InvariantBroken(f"no optimum was proven: {found.message}")
    return tuple(np.flatnonzero(found.x[:victims] > 0.5).tolist())  # noqa: PLR2004  # binary, to the solver's tolerance


def _rows(case: Case) -> _Rows:
    candidates, need, coming = case.candidates, case.need, case.coming
    victims, hosts = len(candidates.order), len(coming.cpu_milli)
    devices = coming.gpu_milli.shape[1]
    rows = _Rows()
    rows.add(float(need.count), (victims + np.arange(hosts), 1.0))
    for host in range(hosts):
        entries = np.flatnonzero(candidates.row == host)
        who, freed, unit = candidates.who[entries], candidates.freed[entries], victims + host
        amounts = ((coming.cpu_milli, need.shape.cpu_milli), (coming.memory_mib, need.shape.memory_mib))
        for column, (free, asked) in enumerate(amounts):
            if asked:
                rows.add(-float(max(free[host], 0)), (who, freed[:, column]), (unit, -float(asked)))
        held = victims + hosts + host * devices + np.arange(devices)
        if need.shape.gpu_count:
            rows.add(0.0, (held, 1.0), (unit, -float(need.shape.gpu_count)))
        for device in range(devices):
            free_milli = float(max(coming.gpu_milli[host, device], 0))
            rows.add(-free_milli, (who, freed[:, AMOUNTS + device]), (held[device], -float(need.shape.gpu_milli)))
    return rows
