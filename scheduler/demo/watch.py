"""What an onlooker of the demo sees through the API, gathered from look to look."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Final

from scheduler.client import Client
from scheduler.model.errors import HeadroomError
from scheduler.wire.base import Listing
from scheduler.wire.jobs import Event, Job
from scheduler.wire.serving import Capacity, ServedModel

LOOK_S: Final = 0.5
"""Wall seconds between looks."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The state at one look.

    Attributes:
        at: the world's time of the cycle that is shown.
        models, capacity, jobs: as the API gives them.
        events: that happened since the look before, oldest first.
    """

    at: datetime
    models: Sequence[ServedModel]
    capacity: Capacity
    jobs: Sequence[Job]
    events: Sequence[Event]

    @property
    def is_ready(self) -> bool:
        """Whether every model has the replicas it wants."""
        return bool(self.models) and all(model.ready >= model.wanted for model in self.models)


@dataclass(slots=True)
class ModelHistory:
    """The extremes of one model since the load began."""

    least_ready: int = 10**9
    most_ready: int = 0
    least_ratio: float = inf
    least_ratio_at: datetime | None = None


@dataclass(slots=True)
class Watcher:
    """Looks again and again, and remembers what the report needs.

    Attributes:
        models: extremes by model, since `counting` was set.
        foreseen_rps: (world's time, the planning quantile of the highest load within the lead time over all models).
        counting: whether the load has begun.
    """

    client: Client
    models: dict[str, ModelHistory] = field(default_factory=dict)
    foreseen_rps: list[tuple[datetime, float]] = field(default_factory=list)
    counting: bool = False
    _last_event: int = 0

    def look(self) -> Sighting:
        """Ask for everything once.

        Raises:
            Unreachable: the control plane does not answer.
        """
        models: Listing[ServedModel] = self.client.models()
        events = self.client.events(after=self._last_event, limit=500).items
        self._last_event = max((event.id for event in events), default=self._last_event)
        jobs = self.client.jobs(all=True).items
        seen = Sighting(models.observed_at, models.items, self.client.capacity(), jobs, events)
        if self.counting:
            self._remember(seen)
        return seen

    def until(self, done: Callable[[Sighting], bool], wall_s: float, complaint: str) -> Sighting:
        """Look until `done`; after `wall_s` complain, or return what is seen when there is nothing to complain of.

        Raises:
            HeadroomError: the complaint.
        """
        deadline_s = time.monotonic() + wall_s
        while True:
            seen = self.look()
            if done(seen) or (time.monotonic() > deadline_s and not complaint):
                return seen
            if time.monotonic() > deadline_s:
                help_ = "the demo needs two idle cores: is this machine busy with other things?"
                raise HeadroomError(f"{complaint} after {wall_s:.0f} s", help=help_)
            time.sleep(LOOK_S)

    def least_ratio(self) -> float:
        """Return the lowest headroom of any model since the load began."""
        return min((history.least_ratio for history in self.models.values()), default=inf)

    def _remember(self, seen: Sighting) -> None:
        for model in seen.models:
            history = self.models.setdefault(model.name, ModelHistory())
            history.least_ready = min(history.least_ready, model.ready)
            history.most_ready = max(history.most_ready, model.ready)
            if model.headroom_ratio is not None and model.headroom_ratio < history.least_ratio:
                history.least_ratio, history.least_ratio_at = model.headroom_ratio, seen.at
        if not self.foreseen_rps or self.foreseen_rps[-1][0] < seen.at:
            self.foreseen_rps.append((seen.at, sum(model.rps_wanted for model in seen.models)))


def all_over(seen: Sighting) -> bool:
    """Whether every job has ended."""
    return all(job.finished_at is not None for job in seen.jobs)
