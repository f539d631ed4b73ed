"""Queues on the wire."""

from pydantic import Field

from scheduler.wire.base import Resource


class Amounts(Resource):
    """Amounts of resources; None for those that are not named."""

    cpus: float | None = None
    memory_bytes: int | None = None
    gpus: float | None = None
    gpu_models: dict[str, float] = Field(default_factory=dict)


class Queue(Resource):
    """A queue: what it is guaranteed, holds, borrows and lends."""

    name: str
    weight: float
    submitters: tuple[str, ...] = ()
    """Who may submit to it; everybody when empty."""
    guarantee: Amounts
    borrow_limit: Amounts
    lend_limit: Amounts
    used: Amounts
    guaranteed_gpus: float
    borrowed_gpus: float
    """Devices held above the guarantee."""
    lent_gpus: float
    """Devices that it is guaranteed and does not hold, as far as they are not free."""
    share: float
    """The largest part of the site's cores, memory or devices that it holds, 0 to 1."""
    mean_share: float
    """Likewise of what it held lately, in weights that halve every half-life."""
    running: int
    waiting: int
    waiting_gpus: float
    removed: bool = False
    """Whether it was removed from the file: its jobs run on without a guarantee or limit, and it takes no new ones."""
