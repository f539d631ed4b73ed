"""Queues with what they are guaranteed, may borrow and lend; and what their owners used lately."""

from dataclasses import dataclass
from typing import Final

DEFAULT_QUEUE: Final = "default"
"""The queue of jobs that name none; it is always there."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts of some resources; None for those that are not named.

    Attributes:
        cpu_milli: thousandths of cores.
        memory_mib: host memory.
        gpu_milli: thousandths of devices, of any model.
        gpu_models: (model, thousandths of devices) pairs, sorted.
    """

    cpu_milli: int | None = None
    memory_mib: int | None = None
    gpu_milli: int | None = None
    gpu_models: tuple[tuple[str, int], ...] = ()

    @property
    def names_any(self) -> bool:
        """Whether any resource is named."""
        return bool(self.gpu_models) or any(one is not None for one in self.plain)

    @property
    def plain(self) -> tuple[int | None, int | None, int | None]:
        """CPU, memory and devices of any model."""
        return (self.cpu_milli, self.memory_mib, self.gpu_milli)


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as a site declares it.

    Attributes:
        name: unique.
        guarantee: what it can always have back; a queue that names nothing is guaranteed nothing.
        borrow_limit: how far above its guarantee it may go; without end in what is not named.
        lend_limit: how much of its guarantee others may use; all of what is not named.
        weight: its part of what is shared beyond guarantees; twice the weight, twice the part.
        submitters: who may submit to it; everybody when empty.
        removed: whether it is declared no longer and kept for the jobs in it: they run on, with no guarantee and no
            limit, at weight 1, and it takes no new ones.
    """

    name: str
    guarantee: Amounts = Amounts()
    borrow_limit: Amounts = Amounts()
    lend_limit: Amounts = Amounts()
    weight: float = 1.0
    submitters: tuple[str, ...] = ()
    removed: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is a name and nothing else."""
        return self.weight == 1.0 and not any(
            amounts.names_any for amounts in (self.guarantee, self.borrow_limit, self.lend_limit)
        )


@dataclass(frozen=True, slots=True)
class MeanUse:
    """What one owner's jobs held in a queue, as a mean over the past in which weights halve every half-life.

    That is the integral of the amounts held, each second weighed by 2 ** -(age / half-life), over the integral of the
    weights alone: in units of the amounts themselves, so that it is compared with what is held now.
    """

    queue: str
    owner: str
    cpu_milli: float = 0.0
    memory_mib: float = 0.0
    gpu_milli: float = 0.0
