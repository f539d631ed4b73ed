"""How far one attempt of a simulated job has come, as plain arithmetic over time."""

import math
from dataclasses import dataclass, replace
from typing import Protocol

from scheduler.model.observation import Progress, Run, RunState
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import JobId


@dataclass(frozen=True, slots=True)
class Work:
    """What a job really needs, which nobody but the simulated cluster knows.

    Attributes:
        duration_s: seconds of progress of the whole gang until it succeeds, undisturbed and without start-up; of an
            elastic gang with the most workers it runs with.
        start_up_s: time an attempt needs before it makes progress.
        save_s: time it needs to save a checkpoint when told to stop.
        fails_after_s: progress at which it breaks, if that comes before `duration_s`; None when it does not break.
    """

    duration_s: float
    start_up_s: float = 60.0
    save_s: float = 10.0
    fails_after_s: float | None = None

    @property
    def ends_after_s(self) -> float:
        """Progress at which the job ends, well or badly."""
        return self.duration_s if self.fails_after_s is None else min(self.duration_s, self.fails_after_s)

    @property
    def breaks(self) -> bool:
        """Whether it ends badly."""
        return self.ends_after_s < self.duration_s


class Workload(Protocol):
    """Where the simulated cluster learns what a job really needs."""

    def work(self, job_id: JobId) -> Work:
        """Return a job's work; KeyError when it was never declared."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: when it began, with how much behind it, and how it ended.

    Checkpoints are taken every `checkpoint_interval_s` of work and cost no time (the copy is written while the
    devices go on); the one at the end of a preemption costs `work.save_s`. All of it in seconds; progress in seconds
    of a gang with the most workers, with fewer it is slower in proportion.

    Attributes:
        run: what the cluster shows of it; its `progress` is filled in by `seen_at`.
        shape: of each worker.
        work: see `Work`.
        base_s: progress at which it began, from the checkpoint before.
        checkpoint_interval_s: None when the job never saves.
        speed: seconds of progress per second of work.
        stop_at_s: when it was told to stop; progress ends there.
        saved_s: progress of the checkpoint that a stop saved; None when none did.
        anchor: (progress, epoch seconds) of a checkpoint that is known of an attempt which the simulation did not
            start; later ones follow from it.
    """

    run: Run
    shape: Shape
    work: Work
    base_s: float
    checkpoint_interval_s: float | None
    speed: float = 1.0
    stop_at_s: float | None = None
    saved_s: float | None = None
    anchor: tuple[float, float] | None = None

    @property
    def gpus(self) -> float:
        """Devices that the whole gang holds."""
        return len(self.run.slots) * self.shape.total_gpu_milli / WHOLE_DEVICE_MILLI

    @property
    def key(self) -> tuple[JobId, int]:
        """Identity of the attempt."""
        return self.run.job_id, self.run.attempt

    @property
    def ready_at_s(self) -> float:
        """When start-up is over."""
        return self.run.started_at_s + self.work.start_up_s

    @property
    def ends_at_s(self) -> float:
        """When it ends by itself if nobody disturbs it."""
        return self.ready_at_s + max(0.0, self.work.ends_after_s - self.base_s) / self.speed

    def done_s(self, at_s: float) -> float:
        """Return the progress at a moment, checkpointed or not."""
        until_s = at_s if self.stop_at_s is None else min(at_s, self.stop_at_s)
        return min(self.work.ends_after_s, self.base_s + self.speed * max(0.0, until_s - self.ready_at_s))

    def checkpoint(self, at_s: float) -> tuple[float, float] | None:
        """Return progress and time of this attempt's last checkpoint at a moment, or None when there is none."""
        if self.saved_s is not None and self.run.ended_at_s is not None:
            return self.saved_s, self.run.ended_at_s
        if self.checkpoint_interval_s is None:
            return self.anchor
        from_s, saved_at_s = self.anchor or (self.base_s, self.ready_at_s)
        worked_s = (self.done_s(at_s) - from_s) / self.speed
        kept_s = worked_s // self.checkpoint_interval_s * self.checkpoint_interval_s
        return (from_s + kept_s * self.speed, saved_at_s + kept_s) if kept_s > 0 else self.anchor

    def kept_s(self, at_s: float) -> float:
        """Return the progress from which a next attempt would go on."""
        checkpoint = self.checkpoint(at_s)
        return self.base_s if checkpoint is None else checkpoint[0]

    def seen_at(self, now_s: float) -> Run:
        """Return the attempt as the cluster shows it; one step is one second of progress."""
        run = self.run
        state = RunState.RUNNING if run.state is RunState.STARTING and now_s >= self.ready_at_s else run.state
        checkpoint = self.checkpoint(now_s if run.ended_at_s is None else run.ended_at_s)
        progress = None if checkpoint is None else Progress(int(checkpoint[0]), self.steps, checkpoint[1])
        return Run(run.job_id, run.attempt, run.slots, state, run.started_at_s, run.ended_at_s, progress, run.message)

    def seen_until_s(self, now_s: float) -> float:
        """Return until when it shows nothing but what it shows at a moment, unless somebody disturbs it."""
        if self.run.ended_at_s is not None:
            return math.inf
        if self.run.state is RunState.STARTING and now_s < self.ready_at_s:
            return self.ready_at_s
        if self.checkpoint_interval_s is None:
            return math.inf
        from_s, _ = self.anchor or (self.base_s, self.ready_at_s)
        kept = (self.done_s(now_s) - from_s) / self.speed // self.checkpoint_interval_s
        next_s = from_s + (kept + 1) * self.checkpoint_interval_s * self.speed
        return self.ready_at_s + (next_s - self.base_s) / self.speed

    @property
    def steps(self) -> int:
        """Steps of the whole job."""
        return max(1, round(self.work.duration_s))

    def told_to_stop(self, at_s: float) -> "Attempt":
        """Return it as it is after the order to stop."""
        return replace(self, stop_at_s=at_s, run=replace(self.run, state=RunState.STOPPING))

    def saves_within(self, grace_s: float) -> bool:
        """Whether an order to stop ends in a checkpoint: it can save, has begun to work, and is quick enough."""
        begun = self.stop_at_s is not None and self.stop_at_s > self.ready_at_s
        return begun and self.checkpoint_interval_s is not None and self.work.save_s <= grace_s

    def ended(self, state: RunState, at_s: float, *, saved: bool = False, message: str = "") -> "Attempt":
        """Return it as it is after its end."""
        return replace(
            self,
            run=replace(self.run, state=state, ended_at_s=at_s, message=message),
            saved_s=self.done_s(at_s) if saved else None,
        )
