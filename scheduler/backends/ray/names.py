"""What Headroom's things are called on Ray, and what is written on them so that Ray alone can tell what runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.workloads import JobId

MIB: Final = 2**20
NAMESPACE: Final = "headroom"
"""Ray namespace of our placement groups."""
LABEL_KEY: Final = "headroom"
"""Key of a submission's metadata."""


@dataclass(frozen=True, slots=True)
class RunLabel:
    """What a submission says of itself.

    Attributes:
        job_id: whose attempt.
        attempt: its number.
        slots: one per worker, in rank order.
    """

    job_id: JobId
    attempt: int
    slots: tuple[Slot, ...]

    @property
    def name(self) -> str:
        """Name of the submission and of its placement group."""
        return run_name(self.job_id, self.attempt)

    def as_metadata(self) -> dict[str, str]:
        """Return the metadata to submit with."""
        slots = [[slot.host, list(slot.devices)] for slot in self.slots]
        return {LABEL_KEY: json.dumps({"job_id": self.job_id, "attempt": self.attempt, "slots": slots})}

    @classmethod
    def of(cls, metadata: Mapping[str, str] | None) -> Self | None:
        """Read a label back; None when the submission is not ours."""
        if not metadata or LABEL_KEY not in metadata:
            return None
        content = json.loads(metadata[LABEL_KEY])
        return cls(JobId(content["job_id"]), content["attempt"], slots_of(content["slots"]))


def run_name(job_id: JobId, attempt: int) -> str:
    """Return the name of one attempt's submission and placement group."""
    return f"headroom-{job_id}-{attempt}"


def slots_of(pairs: Sequence[Sequence[Any]]) -> tuple[Slot, ...]:
    """Read (host, devices) pairs from JSON."""
    return tuple(Slot(host, tuple(devices)) for host, devices in pairs)


def bundle_of(shape: Shape) -> dict[str, float]:
    """Return a shape as Ray counts it; Ray refuses empty bundles and knows ten-thousandths."""
    amounts = {
        "CPU": shape.cpu_milli / 1000,
        "GPU": shape.total_gpu_milli / WHOLE_DEVICE_MILLI,
        "memory": float(shape.memory_mib * MIB),
    }
    return {name: amount for name, amount in amounts.items() if amount} or {"CPU": 0.001}
