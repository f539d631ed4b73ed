"""Choosing where a request goes: the application with the fewest requests in flight for each of its replicas."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Route:
    """One application of a model.

    Attributes:
        app: its name.
        deployment: which of its deployments answers.
        handle: how to call it; None until a replica was ready, because Serve gives none before.
        ready: replicas that answer.
        in_flight: requests it has from us.
        used: place in the order of last use.
    """

    app: str
    deployment: str
    handle: Any = None
    ready: int = 0
    in_flight: int = 0
    used: int = 0


@dataclass(slots=True)
class ModelRoutes:
    """All applications of a model.

    Attributes:
        objective_s: a request that takes longer is late.
        routes: by application.
        turn: counts the choices made.
    """

    objective_s: float
    routes: dict[str, Route] = field(default_factory=dict)
    turn: int = 0

    def best(self, tried: Collection[str] = ()) -> Route | None:
        """Return the least busy route with a ready replica that was not tried yet; None when there is none.

        Among equally busy ones it is the one that was not used for longest.
        """
        open_ = [route for route in self.routes.values() if route.ready and route.handle and route.app not in tried]
        best = min(open_, key=lambda route: (route.in_flight / route.ready, route.used), default=None)
        if best:
            self.turn += 1
            best.used = self.turn
        return best


def updated(before: Mapping[str, ModelRoutes], config: Mapping[str, Mapping[str, Any]]) -> dict[str, ModelRoutes]:
    """Return the routes of a new configuration; applications that stay keep their handles and counts.

    Args:
        before: routes until now, by model.
        config: objective_s, deployment and apps, by model.
    """
    known = {app: route for model in before.values() for app, route in model.routes.items()}
    return {
        name: ModelRoutes(
            model["objective_s"],
            {app: known.get(app) or Route(app, model["deployment"]) for app in model["apps"]},
        )
        for name, model in config.items()
    }


def set_ready(models: Sequence[ModelRoutes], running: Mapping[str, int], handle_of: Callable[[str, str], Any]) -> None:
    """Note how many replicas of each application answer, and get handles of those that have just come up.

    Args:
        models: to update.
        running: ready replicas by application.
        handle_of: makes a handle from (deployment, app).
    """
    for route in (route for model in models for route in model.routes.values()):
        if route.handle is None and running.get(route.app):
            route.handle = handle_of(route.deployment, route.app)
        route.ready = running.get(route.app, 0)
