"""Choosing where a request goes: the application with the fewest requests in flight for each of its replicas."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scheduler.model.workloads import FIRST_REVISION

ROUNDING: Final = 1e-9
"""Ten times a tenth is a whole request."""


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
        revision: of the model, that it runs.
    """

    app: str
    deployment: str
    handle: Any = None
    ready: int = 0
    in_flight: int = 0
    used: int = 0
    revision: int = FIRST_REVISION


@dataclass(slots=True)
class ModelRoutes:
    """All applications of a model.

    Attributes:
        objective_s: a request that takes longer is late.
        routes: by application.
        turn: counts the choices made.
        shares: part of the requests that a revision gets, no more than its ready replicas can take; by their number
            where none is said.
        owed: requests that each of these is behind.
    """

    objective_s: float
    routes: dict[str, Route] = field(default_factory=dict)
    turn: int = 0
    shares: Mapping[int, float] = field(default_factory=dict)
    owed: dict[int, float] = field(default_factory=dict)

    @property
    def has_several(self) -> bool:
        """Whether replicas of more than one revision may answer."""
        return len({route.revision for route in self.routes.values()}) > 1

    def rivals(self, route: Route) -> bool:
        """Whether a replica of another revision is ready."""
        return any(one.ready and one.handle and one.revision != route.revision for one in self.routes.values())

    def of_revision(self, revision: int) -> set[str]:
        """Return the applications of a revision."""
        return {route.app for route in self.routes.values() if route.revision == revision}

    def best(self, tried: Collection[str] = ()) -> Route | None:
        """Return the least busy route with a ready replica that was not tried yet; None when there is none.

        Among equally busy ones it is the one that was not used for longest. A revision with a share gets that, and the
        others what is left; what was tried already goes to the others first, whatever the shares.
        """
        open_ = [route for route in self.routes.values() if route.ready and route.handle and route.app not in tried]
        if self.shares and open_:
            due = None if tried else self._due(open_)
            wanted = [route for route in open_ if (route.revision == due if due else route.revision not in self.shares)]
            open_ = wanted or open_
        best = min(open_, key=lambda route: (route.in_flight / route.ready, route.used), default=None)
        if best:
            self.turn += 1
            best.used = self.turn
        return best

    def _due(self, open_: Sequence[Route]) -> int | None:
        """Return the revision with a share whose turn it is; None when it is that of the others."""
        ready = sum(route.ready for route in open_)
        for revision, share in self.shares.items():
            own = sum(route.ready for route in open_ if route.revision == revision)
            self.owed[revision] = min(self.owed.get(revision, 0.0) + min(share, own / ready), 1.0)
            if own and self.owed[revision] >= 1.0 - ROUNDING:
                self.owed[revision] -= 1.0
                return revision
        return None


def updated(before: Mapping[str, ModelRoutes], config: Mapping[str, Mapping[str, Any]]) -> dict[str, ModelRoutes]:
    """Return the routes of a new configuration; applications that stay keep their handles and counts.

    Args:
        before: routes until now, by model.
        config: objective_s, deployment, apps, and the revision of each and the share of some, by model.
    """
    known = {app: route for model in before.values() for app, route in model.routes.items()}
    return {
        name: ModelRoutes(
            model["objective_s"],
            {
                app: known.get(app)
                or Route(app, model["deployment"], revision=model.get("revisions", {}).get(app, FIRST_REVISION))
                for app in model["apps"]
            },
            shares={int(revision): share for revision, share in model.get("shares", {}).items()},
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
