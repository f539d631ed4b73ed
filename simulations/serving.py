"""What became of the requests, interval by interval between two changes of load or of ready replicas.

In an interval of `width` seconds with load `x` and r ready replicas, of x · width requests

    late = x · width · share    where r > 0: the share of the model's own rule in the steady state of the load, or of
                                its backlog where the queue grows or is worked off (`simulations.lateness`)
    failed = x · width          where r = 0

A model is short while its load is above what its ready replicas serve within the objective; that is another question.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from policies.capacity import CapacityRule
from simulations.lateness import late_shares
from simulations.usage import Steps

GRID_S = 60.0
"""Widest interval; the load is taken at its middle."""

Load = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Requests per second at moments (epoch seconds), of the same shape."""


@dataclass(frozen=True, slots=True)
class Service:
    """A served model as the accounting sees it.

    Attributes:
        load: its requests per second over time.
        rule: what a number of ready replicas serve within the objective, and how late requests are.
        ready: how many were ready.
    """

    load: Load
    rule: CapacityRule
    ready: Steps


@dataclass(frozen=True, slots=True)
class ModelService:
    """Requests of one model.

    Attributes:
        requests, late, failed: how many; late ones are not failed ones.
        violation_s: seconds with more load than capacity.
        min_headroom_ratio: lowest capacity over load; infinity without load.
        min_headroom_at_s: when, epoch seconds.
    """

    requests: float
    late: float
    failed: float
    violation_s: float
    min_headroom_ratio: float
    min_headroom_at_s: float


@dataclass(frozen=True, slots=True)
class ServingOutcome:
    """Requests of all models.

    Attributes:
        models: by name.
        violation_s: seconds with any model short.
    """

    models: Mapping[str, ModelService]
    violation_s: float


def account(services: Mapping[str, Service], start_s: float, end_s: float) -> ServingOutcome:
    """Count the requests between two moments, epoch seconds."""
    edges = _edges([service.ready for service in services.values()], start_s, end_s)
    widths = np.diff(edges)
    short = np.zeros(len(widths), dtype=bool)
    models = {}
    for name, service in services.items():
        found, ready = _shortness(service, edges), _ready(service, edges[:-1])
        short |= found.load > found.capacity
        late = late_shares(service.rule, found.load, ready, widths)
        models[name] = _model(found.load * widths, late, ready == 0, found)
    return ServingOutcome(models, float(widths[short].sum()))


@dataclass(frozen=True, slots=True)
class Shortage:
    """A time in which a model had more load than its ready replicas are rated for.

    Attributes:
        model: which.
        from_s, until_s: epoch seconds.
        lowest: the lowest capacity over load.
        at_s: when that was.
    """

    model: str
    from_s: float
    until_s: float
    lowest: float
    at_s: float


def shortages(services: Mapping[str, Service], start_s: float, end_s: float) -> list[Shortage]:
    """Return all times between two moments in which a model was short, in their order."""
    edges = _edges([service.ready for service in services.values()], start_s, end_s)
    found = []
    for name, service in services.items():
        short = _shortness(service, edges)
        is_short = np.concatenate([[False], short.load > short.capacity, [False]])
        turns = np.flatnonzero(is_short[1:] != is_short[:-1])
        for first, last in zip(turns[::2].tolist(), turns[1::2].tolist(), strict=True):
            lowest = first + int(np.argmin(short.ratio[first:last]))
            ratio, at_s = float(short.ratio[lowest]), float(short.at_s[lowest])
            found.append(Shortage(name, float(edges[first]), float(edges[last]), ratio, at_s))
    return sorted(found, key=lambda one: (one.from_s, one.model))


def _edges(steps: Sequence[Steps], start_s: float, end_s: float) -> NDArray[np.float64]:
    grid = np.arange(start_s, end_s, GRID_S)
    changes = np.array([at_s for one in steps for at_s in one.at_s if start_s < at_s < end_s], dtype=np.float64)
    return np.unique(np.concatenate([grid, changes, [end_s]]))


def _ready(service: Service, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the ready replicas from each moment on, (n,)."""
    latest = np.searchsorted(np.array(service.ready.at_s), at_s, side="right")
    return np.array([0, *service.ready.values], dtype=np.int64)[latest]


@dataclass(frozen=True, slots=True)
class _Shortness:
    """Load and capacity of each interval, (n,), its width and its middle."""

    load: NDArray[np.float64]
    capacity: NDArray[np.float64]
    widths: NDArray[np.float64]
    at_s: NDArray[np.float64]

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Capacity over load; infinity without load."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.where(self.load > 0, self.capacity / self.load, np.inf)


def _shortness(service: Service, edges: NDArray[np.float64]) -> _Shortness:
    middles, ready = (edges[:-1] + edges[1:]) / 2, _ready(service, edges[:-1])
    highest = np.array([service.rule.highest_rps(number) for number in range(int(ready.max(initial=0)) + 1)])
    return _Shortness(service.load(middles), highest[ready], np.diff(edges), middles)


def _model(
    requests: NDArray[np.float64], late: NDArray[np.float64], nobody: NDArray[np.bool_], short: _Shortness
) -> ModelService:
    ratio = short.ratio
    lowest = int(np.argmin(ratio))
    return ModelService(
        requests=float(requests.sum()),
        late=float((requests * late)[~nobody].sum()),
        failed=float(requests[nobody].sum()),
        violation_s=float(short.widths[short.load > short.capacity].sum()),
        min_headroom_ratio=float(ratio[lowest]),
        min_headroom_at_s=float(short.at_s[lowest]),
    )
