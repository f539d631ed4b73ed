"""Choosing where a request goes: the application with the fewest requests in flight for each of its replicas."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Route:
    """One application of a model.

    Attributes:
        app: its name.
        handle: how to call it.
        ready: replicas that answer.
        in_flight: requests it has from us.
    """

    app: str
    handle: Any
    ready: int = 0
    in_flight: int = 0


@dataclass(slots=True)
class ModelRoutes:
    """All applications of a model.

    Attributes:
        objective_s: a request that takes longer is late.
        routes: by application.
    """

    objective_s: float
    routes: dict[str, Route] = field(default_factory=dict)

    def best(self, tried: Collection[str] = ()) -> Route | None:
        """Return the least busy route with a ready replica that was not tried yet; None when there is none."""
        open_ = [route for route in self.routes.values() if route.ready and route.app not in tried]
        return min(open_, key=lambda route: ((route.in_flight + 1) / route.ready, route.app), default=None)


def updated(
    before: Mapping[str, ModelRoutes], config: Mapping[str, Mapping[str, Any]], handle_of: Any
) -> dict[str, ModelRoutes]:
    """Return the routes of a new configuration; applications that stay keep their handles and counts.

    Args:
        before: routes until now, by model.
        config: objective_s, deployment and apps, by model.
        handle_of: makes a handle from (deployment, app).
    """
    known = {app: route for model in before.values() for app, route in model.routes.items()}
    return {
        name: ModelRoutes(
            model["objective_s"],
            {app: known.get(app) or Route(app, handle_of(model["deployment"], app)) for app in model["apps"]},
        )
        for name, model in config.items()
    }


def set_ready(models: Sequence[ModelRoutes], running: Mapping[str, int]) -> None:
    """Note how many replicas of each application answer."""
    for model in models:
        for app, route in model.routes.items():
            route.ready = running.get(app, 0)
