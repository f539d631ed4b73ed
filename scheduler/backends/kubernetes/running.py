"""What an object, its marks and its pods say of an attempt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from scheduler.backends.kubernetes.kinds import End
from scheduler.backends.kubernetes.marks import GATE, GAVE_UP, PROGRESS, Marks
from scheduler.backends.kubernetes.objects import TrainingObject
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.times import seconds
from scheduler.model.observation import Progress, Run, RunState

NOT_STARTED: Final = "could not be started"
LOST: Final = "lost"
"""How what is written begins when an attempt is given up."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt on the cluster.

    Attributes:
        seen: its object.
        marks: what is written there.
        pods: of the object that are not over, by name.
        done: how many pods of it have succeeded.
    """

    seen: TrainingObject
    marks: Marks
    pods: tuple[Pod, ...]
    done: int = 0

    @property
    def is_told_to_stop(self) -> bool:
        """Whether it is suspended or deleted, by whomever."""
        return self.seen.is_suspended or self.seen.is_going

    @property
    def is_promised(self) -> bool:
        """Whether room is kept for pods of it that are to come."""
        return not self.is_told_to_stop and self.seen.ending.end is End.OPEN

    @property
    def gang(self) -> tuple[Pod, ...]:
        """The pods that make it whole: those that began with our gate and are not just ending."""
        return tuple(pod for pod in self.pods if not pod.is_going)

    @property
    def expected(self) -> int:
        """How many they are when it is whole; one that has succeeded does not come again."""
        asking, workers = self.seen.asking, len(self.marks.slots)
        if asking is None:
            return workers
        total = asking.total + (workers - asking.standing if asking.total == asking.standing else 0)
        return max(0, min(workers + asking.pods_beside, total - self.done))

    @property
    def is_up(self) -> bool:
        """Whether all its pods run, and what they run has begun."""
        running = [pod for pod in self.gang if pod.phase == "Running"]
        return len(running) >= self.expected and len(running) == len(self.gang) and self.seen.is_up

    @property
    def is_held_back(self) -> bool:
        """Whether a pod of it waits at our gate."""
        return any(GATE in pod.gates for pod in self.gang)


def run_of(attempt: Attempt, before: Run | None, now_s: float) -> Run:
    """Return an attempt as the port shows it.

    Args:
        attempt: as it is now.
        before: as it was shown last; None when it was not.
        now_s: epoch seconds.
    """
    seen, marks = attempt.seen, attempt.marks
    state, message = _state(attempt, before)
    run = Run(
        job_id=marks.job_id,
        attempt=marks.attempt,
        slots=marks.slots,
        state=state,
        started_at_s=marks.started_at_s,
        progress=progress_of(seen, marks.attempt),
        message=message,
    )
    if not state.holds_room:
        was = before.ended_at_s if before is not None else None
        ended_s = was or (seen.ending.at_s if seen.ending.end is not End.OPEN else 0.0) or now_s
        run = replace(run, ended_at_s=max(ended_s, marks.started_at_s))
    return before if before == run and before is not None else run


def last_progress(seen: TrainingObject) -> tuple[int, Progress] | None:
    """Return the last checkpoint that any attempt reported, and which did; None before the first, and for nonsense."""
    try:
        said = json.loads(seen.annotations[PROGRESS])
        total = said.get("total_steps")
        saved = Progress(int(said["step"]), None if total is None else int(total), seconds(said["saved_at"]))
        return int(said["attempt"]), saved
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def progress_of(seen: TrainingObject, attempt: int) -> Progress | None:
    """Return the last checkpoint that an attempt reported; None before the first."""
    last = last_progress(seen)
    return last[1] if last is not None and last[0] == attempt else None


def _state(attempt: Attempt, before: Run | None) -> tuple[RunState, str]:
    ending = attempt.seen.ending
    if ending.end is not End.OPEN:
        if attempt.pods:
            return RunState.RUNNING, ""
        return (RunState.SUCCEEDED, "") if ending.end is End.DONE else (RunState.FAILED, ending.message or "it failed")
    if attempt.is_told_to_stop:
        return _stopping(attempt)
    is_known_up = before is not None and before.state is RunState.RUNNING
    return (RunState.RUNNING if is_known_up or attempt.is_up else RunState.STARTING), ""


def _stopping(attempt: Attempt) -> tuple[RunState, str]:
    seen = attempt.seen
    gave_up = seen.annotations.get(GAVE_UP, "")
    if attempt.pods or not (seen.is_quiet or seen.is_going):
        return RunState.STOPPING, gave_up
    if gave_up.startswith(NOT_STARTED):
        return RunState.NOT_STARTED, gave_up
    if gave_up.startswith(LOST):
        return RunState.LOST, gave_up
    return RunState.STOPPED, f"suspended by {seen.suspended_by}" if seen.suspended_by else ""


def trouble_of(pods: Sequence[Pod]) -> str:
    """Return what is wrong with some pods, the first that says so; "" where none does."""
    return next((f"{pod.name}: {pod.unscheduled or pod.trouble}" for pod in pods if pod.unscheduled or pod.trouble), "")
