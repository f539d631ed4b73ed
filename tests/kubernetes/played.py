"""A double with actors on it, and a clock that the test moves."""

from dataclasses import dataclass, field
from typing import Any

from simulations.kubernetes.actors.cast import Cast
from simulations.kubernetes.actors.stage import Stage, SteppedClock
from simulations.kubernetes.api import Api
from simulations.kubernetes.rest import Rest, path
from tests.kubernetes.conftest import in_namespace

SPACE = "ml"


@dataclass
class Played:
    """A double with actors on it, and a clock that the test moves."""

    api: Api
    rest: Rest
    clock: SteppedClock
    cast: Cast
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        self.stage = self.cast.stage(self.rest, self.clock)

    def make(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object in the test's namespace and let the actors come to rest."""
        made = self.rest.create(in_namespace(body, SPACE) if body["kind"] != "Node" else body)
        self.stage.settle()
        return made

    def pods(self, **query: str) -> list[dict[str, Any]]:
        """Return the namespace's pods."""
        return self.rest.list(path("v1", "pods", SPACE), **query)

    def after(self, seconds: float) -> None:
        """Let time pass and the actors come to rest."""
        self.clock.advance(seconds)
        self.stage.settle()
