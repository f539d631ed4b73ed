"""Ray's submissions as runs, and the clean-up that goes with looking: deadlines, ended groups, lost hosts."""

import contextlib
import socket
import time
from collections.abc import Iterable, Mapping
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
CLUSTERS_FAULT: Final = frozenset({"JOB_SUPERVISOR_ACTOR_DIED", "JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE"})
"""Ray's error types that say nothing about the job itself."""
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

    def observe(self, groups: Iterable[str], fleet: Fleet) -> tuple[Run, ...]:
        """Return all runs that Ray remembers, and take back room that nobody has a right to any more.

        A group without a submission is what a crash between the two leaves behind: it is removed, and the attempt
        is not listed, as if it had never begun.

        Args:
            groups: names of the placement groups that exist.
            fleet: the hosts.

        Raises:
            Unreachable: Ray does not answer.
        """
        labelled = [(label, job) for job in self._rest.jobs() if (label := RunLabel.of(job.get("metadata")))]
        ours = [(label, job) for label, job in labelled if not self._is_forgotten(label, job)]
        runs = tuple(self._run(label, job, fleet) for label, job in ours)
        keep = {label.name for (label, _), run in zip(ours, runs, strict=True) if self._has_right(label.name, run)}
        self._link.release(sorted(set(groups) - keep))
        return runs

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
        started_s = (job["start_time"] or time.time() * 1000) / 1000
        ended_s = (job["end_time"] or time.time() * 1000) / 1000
        return Run(
            label.job_id,
            label.attempt,
            label.slots,
            state,
            self._clock.to_world_s(started_s),
            None if state.holds_room else self._clock.to_world_s(ended_s),
            self._progress(label, started_s),
            _message(job) if state in {RunState.FAILED, RunState.LOST} else "",
        )

    def _state(self, label: RunLabel, job: Mapping[str, Any], fleet: Fleet) -> RunState:
        state, order = STATES[job["status"]], self._training.stops.of(label.name)
        if (order and order.lost) or label.name in self._lost:
            return RunState.LOST
        if state.holds_room and not all(fleet.is_ready(slot.host) for slot in label.slots):
            return self._give_up(label)
        if state is RunState.FAILED and _hosts_fault(label, job, fleet):
            self._lost.add(label.name)  # the host may be back before the run is forgotten
            return RunState.LOST
        return RunState.STOPPING if state.holds_room and order else state

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


def _hosts_fault(label: RunLabel, job: Mapping[str, Any], fleet: Fleet) -> bool:
    """Whether a failure is a host's and not the job's.

    Ray marks a host dead seconds after its workers are gone; a driver may fail before. So the hosts are asked.
    """
    if job.get("error_type") in CLUSTERS_FAULT:
        return True
    return not all(slot.host in fleet.doors and _opens(fleet.doors[slot.host]) for slot in label.slots)


def _opens(door: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(door, KNOCK_S):
        return True
    return False


def _message(job: Mapping[str, Any]) -> str:
    lines = [line for line in (job.get("message") or "no reason given").splitlines() if line.strip()]
    return "\n".join(lines[-MESSAGE_LINES:])


def _changed_s(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return (folder / MARKER).stat().st_mtime
    return 0.0
