"""What is written on Kubernetes' objects, so that they alone tell what was asked for and what runs."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from scheduler.backends.kubernetes.times import seconds, whole_time
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

GATE: Final = "headroom/wait"
"""Scheduling gate of the pods of a gang, until all of them are there."""
OBJECT: Final = "headroom/object"
"""Label of pods: the uid of the object they belong to."""
QUEUE: Final = "headroom/queue"
PRIORITY: Final = "headroom/priority"
"""Labels of an object that is given to Headroom; these may be annotations too, the others below are annotations."""
OWNER: Final = "headroom/owner"
HOLD: Final = "headroom/hold"
PREEMPTIBLE: Final = "headroom/preemptible"
CHECKPOINTS: Final = "headroom/checkpoint-interval"
MAX_RUNTIME: Final = "headroom/max-runtime"
MIN_WORKERS: Final = "headroom/min-workers"
WORKERS: Final = "headroom/workers"
JOB: Final = "headroom/job"
ATTEMPT: Final = "headroom/attempt"
STORE: Final = "headroom/store"
SLOTS: Final = "headroom/slots"
STARTED: Final = "headroom/started-at"
GAVE_UP: Final = "headroom/gave-up"
PROGRESS: Final = "headroom/progress"
STATUS: Final = "headroom/status"
"""Annotations that Headroom writes: whose attempt runs where since when, and how it stands."""
RESUME_STEP: Final = "headroom/resume-step"
PROGRESS_URL: Final = "headroom/progress-url"
PROGRESS_TOKEN: Final = "headroom/progress-token"  # noqa: S105  # a name
"""Annotations of pods, beside job and attempt: from where to go on, and where to tell how far it is, with what."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What an object says of its attempt.

    Attributes:
        job_id: whose attempt.
        attempt: its number.
        slots: one per worker, in rank order.
        owner: identity of the store that started it; "" for nobody's.
        started_at_s: when it got its room, epoch seconds.
    """

    job_id: JobId
    attempt: int
    slots: tuple[Slot, ...]
    owner: str
    started_at_s: float

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Self | None:
        """Read them back; None where there is no attempt, or somebody wrote what makes no sense."""
        try:
            slots = slots_of(annotations[SLOTS])
            job_id, attempt = JobId(annotations[JOB]), int(annotations[ATTEMPT])
            return cls(job_id, attempt, slots, annotations.get(STORE, ""), seconds(annotations.get(STARTED)))
        except (KeyError, ValueError):
            return None

    def as_annotations(self) -> dict[str, str]:
        """Return them as they are written."""
        return {
            JOB: str(self.job_id),
            ATTEMPT: str(self.attempt),
            SLOTS: slots_text(self.slots),
            STORE: self.owner,
            STARTED: whole_time(self.started_at_s),
        }


def slots_text(slots: Iterable[Slot]) -> str:
    """Return slots as people read them: "gpu-1:0,1 gpu-2:4,5 cpu-1"."""
    return " ".join(":".join(filter(None, (slot.host, ",".join(map(str, slot.devices))))) for slot in slots)


def slots_of(text: str) -> tuple[Slot, ...]:
    """Read slots back.

    Raises:
        ValueError: they are none.
    """
    parts = [part.partition(":") for part in text.split()]
    return tuple(
        Slot(host, tuple(int(device) for device in devices.split(",") if device)) for host, _, devices in parts
    )


_LENGTHS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def length_s(text: str) -> float:
    """Return a length of time such as "90s", "10m" or "1h30m" in seconds.

    Raises:
        ValueError: it is none.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        msg = f'"{text}" is no length of time such as 90s, 10m or 1h30m'
        raise ValueError(msg)
    return sum(float(number) * _LENGTHS[unit] for number, unit in parts)
