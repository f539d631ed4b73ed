"""What became of the requests: load against ready replicas as fluids, interval by interval.

Between two changes a model with r ready replicas serves `capacity(r)` requests per second within its objective. Of a
load above that, the excess is late (the least that any order of service can do; queues that outlast the excess are
not counted, so late shares are a lower bound). With no ready replica all of it has failed. So in an interval of
`width` seconds with load `x`:

    total = x · width
    late = max(0, x - capacity(r)) · width    where r > 0, else 0
    failed = total                            where r = 0, else 0
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        capacity: requests per second that a number of ready replicas serve within the objective.
        ready: how many were ready.
    """

    load: Load
    capacity: Callable[[int], float]
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
    middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
    short = np.zeros(len(widths), dtype=bool)
    models = {}
    for name, service in services.items():
        load, capacity = service.load(middles), _capacity(service, edges[:-1])
        short |= load > capacity
        models[name] = _model(load, capacity, widths, middles)
    return ServingOutcome(models, float(widths[short].sum()))


def _edges(steps: Sequence[Steps], start_s: float, end_s: float) -> NDArray[np.float64]:
    grid = np.arange(start_s, end_s, GRID_S)
    changes = np.array([at_s for one in steps for at_s in one.at_s if start_s < at_s < end_s], dtype=np.float64)
    return np.unique(np.concatenate([grid, changes, [end_s]]))


def _capacity(service: Service, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the capacity from each moment on, (n,)."""
    latest = np.searchsorted(np.array(service.ready.at_s), at_s, side="right")
    by_change = np.array([0.0, *(service.capacity(ready) for ready in service.ready.values)])
    return by_change[latest]


def _model(
    load: NDArray[np.float64], capacity: NDArray[np.float64], widths: NDArray[np.float64], at_s: NDArray[np.float64]
) -> ModelService:
    excess = np.maximum(load - capacity, 0.0) * widths
    nobody = capacity <= 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(load > 0, capacity / load, np.inf)
    lowest = int(np.argmin(ratio))
    return ModelService(
        requests=float((load * widths).sum()),
        late=float(excess[~nobody].sum()),
        failed=float(excess[nobody].sum()),
        violation_s=float(widths[load > capacity].sum()),
        min_headroom_ratio=float(ratio[lowest]),
        min_headroom_at_s=float(at_s[lowest]),
    )
