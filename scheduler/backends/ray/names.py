"""What Headroom's things are called on Ray, and what is written on them so that Ray alone can tell what runs."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
        owner: identity of the store that started it; "" before runs carried one.
    """

    job_id: JobId
    attempt: int
    slots: tuple[Slot, ...]
    owner: str = ""

    @property
    def name(self) -> str:
        """Name of the submission and of its placement group."""
        return run_name(self.job_id, self.attempt, self.owner)

    def as_metadata(self) -> dict[str, str]:
        """Return the metadata to submit with."""
        slots = [[slot.host, list(slot.devices)] for slot in self.slots]
        said = {"job_id": self.job_id, "attempt": self.attempt, "slots": slots, "owner": self.owner}
        return {LABEL_KEY: json.dumps(said)}

    @classmethod
    def of(cls, metadata: Mapping[str, str] | None) -> Self | None:
        """Read a label back; None when the submission is nobody's who schedules as we do."""
        if not metadata or LABEL_KEY not in metadata:
            return None
        try:
            content = json.loads(metadata[LABEL_KEY])
            owner = str(content.get("owner", ""))
            return cls(JobId(content["job_id"]), int(content["attempt"]), slots_of(content["slots"]), owner)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None  # anybody may write what they like there


@dataclass(slots=True)
class Names:
    """Whose things are whose, by their names.

    Attributes:
        owner: identity of our store.
        adopted: names of strays that are ours now.
    """

    owner: str = ""
    adopted: frozenset[str] = frozenset()
    _known: dict[tuple[JobId, int], str] = field(default_factory=dict)

    def owns(self, label: RunLabel) -> bool:
        """Whether a run is ours; the names of those that were adopted are remembered."""
        if label.name in self.adopted:
            self._known[label.job_id, label.attempt] = label.name
            return True
        return label.owner == self.owner

    def owns_group(self, name: str) -> bool:
        """Whether a placement group is ours."""
        return (
            name in self.adopted or re.fullmatch(rf"{NAMESPACE}-{_prefix(self.owner)}[0-9]+-[0-9]+", name) is not None
        )

    def run(self, job_id: JobId, attempt: int) -> str:
        """Return the name of one of our runs."""
        return self._known.get((job_id, attempt)) or run_name(job_id, attempt, self.owner)


def mark_of(owner: str) -> str:
    """Return enough of an owner's identity to be part of names."""
    return owner.replace("-", "")[:8]


def run_name(job_id: JobId, attempt: int, owner: str = "") -> str:
    """Return the name of one attempt's submission and placement group."""
    return f"{NAMESPACE}-{_prefix(owner)}{job_id}-{attempt}"


def _prefix(owner: str) -> str:
    return f"{mark_of(owner)}-" if owner else ""


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
