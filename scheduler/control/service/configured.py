"""What a control plane takes from its file and may take again while it runs: one value, all of which counts or none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from scheduler.control.ports import TrafficSource
from scheduler.control.service.admission import SiteLimits
from scheduler.control.settings import Served, Settings
from scheduler.model.policy import Policy


@dataclass(frozen=True, slots=True)
class Configured:
    """What the loop is told by a file.

    Attributes:
        served: models, most important first.
        sources: traffic by the name that `Served.source` uses; one that stays as it was is the same object.
        servers: which server a traffic source is read from, for people.
        policy: how the site decides.
        settings: see `Settings`.
        limits: what the site allows.
    """

    served: tuple[Served, ...]
    sources: Mapping[str, TrafficSource]
    servers: Mapping[str, str]
    policy: Policy
    settings: Settings
    limits: SiteLimits


def nothing_new() -> None:
    """Say that no file was read again."""


@dataclass(slots=True)
class NextConfiguration:
    """What is to count from the next turn on; a later one replaces one that was not taken up yet. Thread-safe."""

    _lock: Lock = field(default_factory=Lock)
    _waiting: tuple[Configured, Callable[[], None]] | None = None

    def offer(self, configured: Configured, then: Callable[[], None]) -> None:
        """Have something count from the next turn on; `then` lets all others know, and must not fail."""
        with self._lock:
            self._waiting = configured, then

    def take(self) -> Configured | None:
        """Return what counts from now on; None when that is what has counted before."""
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is None:
            return None
        configured, then = waiting
        then()
        return configured
