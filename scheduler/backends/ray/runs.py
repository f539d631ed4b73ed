"""Ray's submissions as runs, and the clean-up that goes with looking: deadlines, ended groups, lost hosts."""

import contextlib
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.link import DriverLink
from scheduler.backends.ray.names import RunLabel
from scheduler.backends.ray.rest import RayRest
from scheduler.backends.ray.stops import StopOrder
from scheduler.backends.ray.training import Training, read_marker
from scheduler.control.ports import Clock
from scheduler.jobkit import MARKER
from scheduler.model.observation import Progress, Run, RunState

STATES: Final[Mapping[str, RunState]] = {
    "PENDING": RunState.STARTING,
    "RUNNING": RunState.RUNNING,
    "SUCCEEDED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "STOPPED": RunState.STOPPED,
}
CLUSTERS_FAULT: Final = frozenset({"JOB_SUPERVISOR_ACTOR_DIED"})
"""Ray's error types that say nothing about the job itself."""
NO_START: Final = frozenset(
    {
        "RUNTIME_ENV_SETUP_FAILURE",
        "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE",
        "JOB_SUPERVISOR_ACTOR_START_FAILURE",
        "JOB_SUPERVISOR_ACTOR_START_TIMEOUT",
    }
)
"""Ray's error types of jobs whose driver was never begun."""
START_S: Final = 180.0
"""Wall seconds that a driver may take to come up; Ray itself would wait for a quarter of an hour."""
MESSAGE_LINES: Final = 15
KNOCK_S: Final = 0.3


class Runs:
    """Sees what became of the runs that `Training` started, by this process or one before it.

    Args:
        training: knows checkpoints and orders to stop.
        link: removes placement groups.
        rest: lists and stops jobs.
        clock: turns wall times into the world's.
    """

    def __init__(self, training: Training, link: DriverLink, rest: RayRest, clock: Clock) -> None:
        self._training, self._link, self._rest, self._clock = training, link, rest, clock
        self._lost: set[str] = set()
        self.others: tuple[tuple[RunLabel | None, Mapping[str, Any]], ...] = ()
        """Submissions that were not ours when it was last looked, with what they say of themselves."""

    def observe(self, groups: Iterable[str], fleet: Fleet) -> tuple[Run, ...]:
        """Return all our runs that Ray remembers, and take back room of ours that nobody has a right to any more.

        A group without a submission is what a crash between the two leaves behind: it is removed, and the attempt
        is not listed, as if it had never begun.

        Args:
            groups: names of the placement groups that exist.
            fleet: the hosts.

        Raises:
            Unreachable: Ray does not answer.
        """
        names, jobs = self._training.names, [(RunLabel.of(job.get("metadata")), job) for job in self._rest.jobs()]
        self.others = tuple((label, job) for label, job in jobs if label is None or not names.owns(label))
        labelled = [(label, job) for label, job in jobs if label is not None and names.owns(label)]
        ours = [(label, job) for label, job in labelled if not self._is_forgotten(label, job)]
        runs = {label.name: self._run(label, job, fleet) for label, job in ours}
        keep = {name for name, run in runs.items() if self._has_right(name, run)}
        there = {label.name for label, job in labelled if STATES[job["status"]].holds_room}
        here = {name for name in groups if names.owns_group(name)}
        left = self._link.release(sorted((here | there) - keep))
        return tuple(run if name in keep | left else self._over(name, run) for name, run in runs.items())

    def _over(self, name: str, run: Run) -> Run:
        """Return a run of which nothing is left, whatever Ray's list of jobs may say for how long."""
        order = self._training.stops.of(name)
        if not run.state.holds_room or order is None:
            return run
        return replace(run, state=_state_by(order), ended_at_s=self._clock.now_s())

    def _is_forgotten(self, label: RunLabel, job: Mapping[str, Any]) -> bool:
        order = self._training.stops.of(label.name)
        if order is None or not order.forgotten:
            return False
        if not STATES[job["status"]].holds_room:
            self._training.forget(label.job_id, label.attempt)
        return True

    def _has_right(self, name: str, run: Run) -> bool:
        order = self._training.stops.of(name)
        return run.state.holds_room and not (order and time.time() >= order.deadline_s)

    def _run(self, label: RunLabel, job: Mapping[str, Any], fleet: Fleet) -> Run:
        state = self._state(label, job, fleet)
        started_s = _started_s(job)
        ended_s = (job["end_time"] or time.time() * 1000) / 1000
        return Run(
            label.job_id,
            label.attempt,
            label.slots,
            state,
            self._clock.to_world_s(started_s),
            None if state.holds_room else self._clock.to_world_s(ended_s),
            self._progress(label, started_s),
            self._message(label, job, state),
        )

    def _message(self, label: RunLabel, job: Mapping[str, Any], state: RunState) -> str:
        order = self._training.stops.of(label.name)
        if order is not None and order.never_started:
            return (
                f"its driver did not come up within {START_S:.0f} s on {label.slots[0].host}; "
                "what its env sets may keep the worker processes there from starting"
            )
        said = self._training.secrets.hide(job.get("message") or "")  # a job may have printed them
        return _last_lines(said) if state in {RunState.FAILED, RunState.LOST, RunState.NOT_STARTED} else ""

    def _state(self, label: RunLabel, job: Mapping[str, Any], fleet: Fleet) -> RunState:
        state, order = STATES[job["status"]], self._training.stops.of(label.name)
        if (order and order.lost) or label.name in self._lost:
            return RunState.LOST
        if state.holds_room and any(slot.host in fleet.gone for slot in label.slots):
            return self._give_up(label)
        if state is RunState.FAILED:
            return self._why_failed(label, job, fleet, order)
        if order is None and state is RunState.STARTING and time.time() - _started_s(job) > START_S:
            order = StopOrder(time.time(), never_started=True)
            self._training.stops.give(label.name, order)
        return RunState.STOPPING if state.holds_room and order else state

    def _why_failed(self, label: RunLabel, job: Mapping[str, Any], fleet: Fleet, order: StopOrder | None) -> RunState:
        """Tell a job's own failure from its host's, from a start that failed, and from what we did to it ourselves."""
        if not all(slot.host in fleet.doors and _opens(fleet.doors[slot.host]) for slot in label.slots):
            self._lost.add(label.name)  # the host may be back before the run is forgotten
            return RunState.LOST
        error = job.get("error_type")
        if error not in CLUSTERS_FAULT | NO_START:
            return RunState.FAILED
        if order is not None:
            return _state_by(order)
        return RunState.NOT_STARTED if error in NO_START or not job.get("driver_node_id") else RunState.LOST

    def _give_up(self, label: RunLabel) -> RunState:
        self._training.stops.give(label.name, StopOrder(time.time(), lost=True))
        self._rest.stop(label.name)
        return RunState.LOST

    def _progress(self, label: RunLabel, started_s: float) -> Progress | None:
        folder = self._training.checkpoint_dir(label.job_id)
        marker = read_marker(folder)
        saved_s = _changed_s(folder)
        if marker is None or saved_s < started_s:
            return None
        return Progress(marker["step"], marker["total_steps"], self._clock.to_world_s(saved_s))


def _state_by(order: StopOrder) -> RunState:
    """Return what a run is that is gone because of an order."""
    if order.lost:
        return RunState.LOST
    return RunState.NOT_STARTED if order.never_started else RunState.STOPPED


def _started_s(job: Mapping[str, Any]) -> float:
    return float((job["start_time"] or time.time() * 1000) / 1000)


def _opens(door: tuple[str, int]) -> bool:
    """Whether a host can be reached. Ray says so seconds later only, and a driver may fail before."""
    with contextlib.suppress(OSError), socket.create_connection(door, KNOCK_S):
        return True
    return False


def _last_lines(said: str) -> str:
    lines = [line for line in (said or "no reason given").splitlines() if line.strip()]
    return "\n".join(lines[-MESSAGE_LINES:])


def _changed_s(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return (folder / MARKER).stat().st_mtime
    return 0.0
