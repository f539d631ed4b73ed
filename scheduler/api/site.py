"""What a configuration says of a cluster, and the parts that the routes work with."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Protocol

from fastapi import Depends, Request

from scheduler.api.access import Guard, guard_of
from scheduler.api.coming_starts import ComingStarts
from scheduler.api.public_fields import WITHHELD, public, said
from scheduler.api.recent import Recent
from scheduler.api.redacting import ResourceT
from scheduler.config.differing import Difference
from scheduler.config.model import ModelForms
from scheduler.config.queues import order_name, queue_names
from scheduler.config.schema import Config
from scheduler.config.wiring import policy_of
from scheduler.control.leadership import Leader
from scheduler.control.ports import Clock
from scheduler.control.reports.board import Board
from scheduler.control.service.people import Person
from scheduler.control.service.progress import ProgressDesk
from scheduler.control.service.service import ControlService
from scheduler.control.whatif.desk import WhatIfDesk
from scheduler.control.whatif.etas import Etas
from scheduler.control.whatif.question import Rules
from scheduler.model.policy import Policy
from scheduler.model.workloads import JobId


class Logs(Protocol):
    """Where the output of attempts is read."""

    def __call__(self, job_id: JobId, attempt: int, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield an attempt's lines without their ends; with `follow` until the attempt is over.

        Raises:
            Unreachable: the cluster does not answer.
            NotFound: nothing was kept of that attempt.
        """


class Reload(Protocol):
    """Reads the file of the control plane again."""

    def __call__(self, by: Person, *, dry_run: bool) -> tuple[Difference, ...]:
        """Return what is otherwise in it; that counts from the next turn on.

        Raises:
            ConfigError: with all that is wrong, each with its line; nothing was changed.
            Unreachable: the store does not answer; nothing was changed.
        """


@dataclass(frozen=True, slots=True)
class Questions:
    """What answers questions of the kind "what if".

    Attributes:
        desk: takes them.
        rules_of: reads other rules for the site; raises `ConfigError` with all faults.
        etas: says what is expected of every job.
    """

    desk: WhatIfDesk
    rules_of: Callable[[Mapping[str, object]], Rules]
    etas: Callable[[], Etas] = Etas


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster as its configuration names it.

    Attributes:
        cluster: its name.
        backend: what carries out plans, for instance "local".
        clock: the world's time.
        policy: by which plans are made.
        period_s: seconds of the world between cycles.
        quantile: of the highest load that replicas must cover.
        margin: added to the load where there is no forecast.
        policy_name: for people.
        priorities: integer of each priority class.
        queues: that jobs may name.
        owners: by model.
        longest_grace_s: that a job may ask for.
        release: version of Headroom.
        models: what it takes as a model.
    """

    cluster: str
    backend: str
    clock: Clock
    policy: Policy
    period_s: float = 30.0
    quantile: float = 0.99
    margin: float = 0.15
    policy_name: str = "default"
    priorities: Mapping[str, int] = field(default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25})
    queues: Collection[str] = ("default",)
    owners: Mapping[str, str] = field(default_factory=dict)
    longest_grace_s: float | None = None
    release: str = field(default_factory=lambda: version("headroom-scheduler"))
    models: ModelForms = field(default_factory=ModelForms)

    @classmethod
    def of(cls, config: Config, clock: Clock) -> "Site":
        """Read a configuration."""
        return cls(
            cluster=config.cluster,
            backend=config.backend.kind,
            clock=clock,
            policy=policy_of(config.policy, config.queues),
            period_s=config.control.period,
            quantile=config.control.quantile,
            margin=config.control.margin,
            policy_name=order_name(config.policy.queue_order, config.queues),
            priorities=config.priorities,
            queues=queue_names(config.queues),
            owners={model.name: model.owner for model in config.models},
            longest_grace_s=config.control.preemption_grace,
            models=ModelForms.of(config),
        )

    @property
    def speed(self) -> float:
        """World seconds per wall second."""
        return self.clock.speed


@dataclass(frozen=True, slots=True)
class Parts:
    """What a request may use."""

    service: ControlService
    board: Board
    site: Site
    guard: Guard
    metrics: Callable[[], bytes] | None
    logs: Logs | None
    recent: Recent
    starts: ComingStarts
    leader: Callable[[], Leader | None] | None = None
    """Where it waits for another to end: says from memory who leads."""
    backup: Callable[[Path], object] | None = None
    """Writes the store to a new file."""
    reload: Reload | None = None
    """Reads the file of the control plane again; None where it has none."""
    questions: Questions | None = None
    """None where this one only waits to lead."""
    progress: ProgressDesk | None = None
    """Takes what attempts say of themselves; None where it is read from their files, or this one only waits."""
    is_public: bool = False
    """Whether they are those of a request of somebody without a token."""

    @property
    def etas(self) -> Etas:
        """What is expected of every job."""
        return self.questions.etas() if self.questions else Etas()

    def by(self, site: Site, guard: Guard) -> "Parts":
        """Return them as they are by another configuration."""
        return replace(self, site=site, guard=guard, starts=ComingStarts(site.policy))

    def shown(self, resource: ResourceT) -> ResourceT:
        """Return of a resource what the reader may see."""
        return public(resource) if self.is_public else resource

    def told(self, words: str, *, instead: str = WITHHELD) -> str:
        """Return words that may say anything, or to a reader who may not read them what stands in their place."""
        return said(words, instead) if self.is_public else words

    def for_everybody(self) -> "Parts":
        """Return the same for somebody without a token."""
        return replace(self, is_public=True)


async def parts_of(request: Request) -> Parts:
    """Return the parts of the application that a request came to, as its reader sees them; takes no thread."""
    parts: Parts = request.app.state.parts
    return parts.for_everybody() if guard_of(request).is_stranger(request) else parts


PartsDep = Annotated[Parts, Depends(parts_of)]
