"""Queues and what belongs to them."""

from typing import Annotated

from pydantic import Field

from scheduler.config.schema.base import Section
from scheduler.config.units import Cores, SizeMib


class Quota(Section):
    """Amounts of resources; what is left out is not counted."""

    cpus: Cores | None = None
    """Cores."""
    memory: SizeMib | None = None
    """Memory of hosts."""
    gpus: Annotated[float, Field(ge=0)] | None = None
    """Devices of any model."""
    gpu_models: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Devices of single models."""


def queue_from_name(value: object) -> object:
    """Read a queue of which nothing but the name is said."""
    return {"name": value} if isinstance(value, str) else value


class QueueSection(Section):
    """A queue; its name alone stands for one without terms."""

    name: Annotated[str, Field(min_length=1, examples=["research"])]
    """Unique name."""
    guarantee: Quota = Quota()
    """What it can always have back from other queues; nothing when left out."""
    borrow_limit: Quota = Quota()
    """How far above its guarantee it may go while others leave room; without limit where left out."""
    lend_limit: Quota = Quota()
    """How much of its guarantee others may use while it does not; all of it where left out."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Its part of what is shared beyond guarantees: twice the weight, twice the part."""
    submitters: tuple[str, ...] = ()
    """Who may submit to it, and read what its jobs print, by the name of their token; when left out, everybody may
    submit, and owners and operators read."""
    highest_priority: Annotated[str, Field(examples=["high"])] = ""
    """Highest priority class that its jobs may have; any when left out."""

    def __str__(self) -> str:
        """Return its name, as the default is shown."""
        return self.name
