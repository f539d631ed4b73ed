"""What is told of a job on its object, so that `kubectl describe` says why it waits. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from scheduler.backends.kubernetes.marks import STATUS, slots_text
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.times import micro_time
from scheduler.model.plan import Plan, Reason
from scheduler.model.workloads import JobId, JobState, TrainingJob

CONTROLLER: Final = "headroom/control-plane"
LONGEST_NOTE: Final = 1024
REFUSED: Final = "Refused"
WARNINGS: Final = frozenset({REFUSED, Reason.BACKING_OFF.value, Reason.IMPOSSIBLE_GANG.value, JobState.FAILED.value})


class Said(NamedTuple):
    """What is said of a job.

    Attributes:
        code: of the reason, or of the state; an event tells of another one.
        sentence: for people.
    """

    code: str
    sentence: str

    @property
    def text(self) -> str:
        """The annotation."""
        return f"{self.code}: {self.sentence}" if self.sentence else self.code


def said_before(seen: TrainingObject) -> Said:
    """Return what an object says already."""
    code, _, sentence = seen.annotations.get(STATUS, "").partition(": ")
    return Said(code, sentence)


def sayings(jobs: Iterable[TrainingJob], plan: Plan) -> Iterator[tuple[JobId, Said]]:
    """Yield what is to be said of each open job."""
    for job in jobs:
        unplaced = plan.reason_for(job.job_id)
        if unplaced is not None:
            yield job.job_id, Said(unplaced.reason.value, f"job {job.job_id}: {unplaced.message}")
        elif job.state.holds_room:
            yield job.job_id, Said(job.state.value, f"job {job.job_id} on {slots_text(job.slots)}")


def event_of(seen: TrainingObject, said: Said, now_s: float, instance: str) -> dict[str, Any]:
    """Return the event that tells of another code.

    Args:
        seen: whom it is about.
        said: what is told.
        now_s: epoch seconds.
        instance: which process tells it.
    """
    about = {"apiVersion": seen.kind.group, "kind": seen.kind.name, "namespace": seen.namespace, "name": seen.name}
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"{seen.name[:200]}.{int(now_s * 1e6):x}", "namespace": seen.namespace},
        "eventTime": micro_time(now_s),
        "regarding": {**about, "uid": seen.uid},
        "reason": said.code,
        "action": "Schedule",
        "note": said.sentence[:LONGEST_NOTE] or said.code,
        "type": "Warning" if said.code in WARNINGS else "Normal",
        "reportingController": CONTROLLER,
        "reportingInstance": instance[:128],
    }


def due(
    now: Mapping[str, Said],
    objects: Iterable[TrainingObject],
    told_s: Mapping[str, float],
    now_s: float,
    pause_s: float,
) -> list[tuple[TrainingObject, Said, bool]]:
    """Return what is to be written: the object, what is said, and whether an event tells of it; other codes first.

    A sentence that is otherwise under the same code is written at most once a pause: its numbers change all the time.

    Args:
        now: what is to be said, by origin.
        objects: all there are.
        told_s: when something was last written of it, by origin.
        now_s: epoch seconds.
        pause_s: between two sentences under one code.
    """
    found = []
    for seen in objects:
        said, before = now.get(seen.origin), said_before(seen)
        if said is None or said == before:
            continue
        is_other = said.code != before.code
        if is_other or now_s - told_s.get(seen.origin, 0.0) >= pause_s:
            found.append((seen, said, is_other))
    return sorted(found, key=lambda each: not each[2])
