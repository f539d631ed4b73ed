"""Training on Ray: a detached placement group holds a gang's room, a Ray job with the same name runs its driver."""

import json
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scheduler.backends.ray.folders import WorkFolders
from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.link import DriverLink
from scheduler.backends.ray.names import NAMESPACE, Names, RunLabel, bundle_of
from scheduler.backends.ray.outputs import Outputs
from scheduler.backends.ray.rest import RayRest
from scheduler.backends.ray.stops import StopOrder, StopOrders
from scheduler.control.ports import Clock, JobSpecs
from scheduler.control.private_files import private_folder
from scheduler.control.service.secrets import SecretShelf
from scheduler.jobkit import MARKER
from scheduler.model.counting import plural
from scheduler.model.errors import ActionFailed, NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import PreemptJob, StartJob
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.model.workloads import JobId

RESERVE_WAIT_S: Final = 2.0
"""Room that was free a moment ago may still be on its way back to Ray's scheduler."""


class Training:
    """Starts and stops runs.

    Args:
        link: makes placement groups.
        rest: submits jobs.
        specs: what to run.
        clock: tells how many wall seconds a grace period is.
        state_dir: has `packages/`, gets `work/`, `checkpoints/`, `stops/`, `logs/`; all hosts must see it.
        names: of our runs.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # the parts that runs are made with
        self, link: DriverLink, rest: RayRest, specs: JobSpecs, clock: Clock, state_dir: Path, names: Names
    ) -> None:
        self.names = names
        self._link, self._rest, self._specs, self._clock = link, rest, specs, clock
        self._state_dir = state_dir.resolve()
        self.stops = StopOrders(self._state_dir / "stops")
        self.secrets = SecretShelf({}, self._state_dir / "secrets")
        self._folders = WorkFolders(self._state_dir)
        self.outputs = Outputs(rest, self._state_dir / "logs")

    def start(self, action: StartJob, fleet: Fleet) -> None:
        """Reserve the slots, all or none, and submit the job into them.

        Raises:
            ActionFailed: a host is gone, there is no room, or Ray refuses the job; nothing is left behind.
            Unreachable: Ray does not answer; what may have begun shows in the next observation.
        """
        label = RunLabel(action.job_id, action.attempt, action.slots, self.names.owner)
        if self._rest.job(label.name) is not None:
            return
        spec = self._spec(action.job_id)
        gone = sorted({slot.host for slot in action.slots if not fleet.is_ready(slot.host)})
        if gone:
            raise ActionFailed(f"{label.name} cannot start: no such host now: {', '.join(gone)}")
        selectors = [fleet.selectors[slot.host] for slot in action.slots]
        submission = self._submission(label, spec, selectors[0])
        if not self._link.reserve(label.name, [bundle_of(spec.gang.shape)] * len(selectors), selectors, RESERVE_WAIT_S):
            where = ", ".join(slot.host for slot in action.slots)
            raise ActionFailed(
                f"{label.name} cannot start: Ray has no room for {plural(len(selectors), 'worker')} on {where}"
            )
        try:
            self._rest.submit(submission)
        except ActionFailed:
            self._link.release([label.name])
            raise

    def preempt(self, action: PreemptJob) -> None:
        """Send SIGTERM to the driver; the room goes with the driver, or when the grace is over.

        Raises:
            Unreachable: Ray does not answer.
        """
        name = self.names.run(action.job_id, action.attempt)
        if self._rest.job(name) is None:
            self._link.release([name])
            return
        self.stops.give(name, StopOrder(time.time() + action.grace_period_s / self._clock.speed))
        self._rest.stop(name)
        if action.grace_period_s <= 0:
            self._link.release([name])

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop an ended run; what it printed is kept.

        A run that was lost may still be going down on Ray: it is hidden, and dropped when it is gone.
        """
        name = self.names.run(job_id, attempt)
        self.secrets.take_back(name)
        self.outputs.keep(name)
        try:
            self._rest.delete(name)
        except ActionFailed:
            self.stops.give(name, StopOrder(0.0, lost=True, forgotten=True))
            return
        self.stops.drop(name)

    def checkpoint_dir(self, job_id: JobId) -> Path:
        """Return the folder of a job's checkpoints."""
        return self._state_dir / "checkpoints" / job_id

    def _spec(self, job_id: JobId) -> JobSpec:
        try:
            return self._specs.spec(job_id)
        except NotFound as error:
            raise ActionFailed(f"job {job_id} cannot start: {error}") from error

    def _submission(self, label: RunLabel, spec: JobSpec, selector: Mapping[str, str]) -> dict[str, Any]:
        try:
            entrypoint, environment = self._entrypoint(label, spec), self._environment(label, spec)
        except (ActionFailed, NotFound, OSError) as error:
            raise ActionFailed(f"job {label.job_id} cannot start: {error}") from error
        return {
            "entrypoint": entrypoint,
            "submission_id": label.name,
            "metadata": label.as_metadata(),
            "runtime_env": {"env_vars": dict(spec.env) | environment},
            "entrypoint_label_selector": dict(selector),
        }

    def _entrypoint(self, label: RunLabel, spec: JobSpec) -> str:
        """Return the command that Ray is told; anybody who may ask Ray sees it, so it names no secret but its file."""
        entrypoint = spec.entrypoint
        if spec.working_dir:
            entrypoint = f"cd {shlex.quote(str(self._folders.unpacked(spec.working_dir)))} && {entrypoint}"
        file = self.secrets.hand_out(label.name, spec.secrets)
        return entrypoint if file is None else f". {shlex.quote(str(file))} && {entrypoint}"

    def _environment(self, label: RunLabel, spec: JobSpec) -> dict[str, str]:
        folder, shape = self.checkpoint_dir(label.job_id), spec.gang.shape
        private_folder(folder)
        marker = read_marker(folder)
        return {
            "HEADROOM_JOB_ID": label.job_id,
            "HEADROOM_ATTEMPT": str(label.attempt),
            "HEADROOM_CHECKPOINT_DIR": str(folder),
            "HEADROOM_WORKERS": str(len(label.slots)),
            "HEADROOM_GPUS_PER_WORKER": f"{shape.total_gpu_milli / WHOLE_DEVICE_MILLI:g}",
            "HEADROOM_DEVICES": json.dumps([[slot.host, list(slot.devices)] for slot in label.slots]),
            "HEADROOM_PLACEMENT_GROUP": label.name,
            "HEADROOM_NAMESPACE": NAMESPACE,
            "RAY_JOB_STOP_WAIT_TIME_S": str(max(1, round(spec.grace_period_s / self._clock.speed))),
        } | ({"HEADROOM_RESUME_STEP": str(marker["step"])} if marker else {})


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Return what a job says of its last checkpoint; None when it says nothing, or something unreadable."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return {"step": int(content["step"]), "total_steps": content.get("total_steps")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # written by people's code: must not stop the loop
