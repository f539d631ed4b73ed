"""For the authors of training jobs: checkpoints that Headroom sees, and stopping in time. Imports nothing but Python.

What Headroom gives every attempt of a job, as environment variables of its driver:

    HEADROOM_JOB_ID, HEADROOM_ATTEMPT
    HEADROOM_CHECKPOINT_DIR     the same folder for all attempts of the job
    HEADROOM_RESUME_STEP        step of the last checkpoint; absent (or empty) when there is none
    HEADROOM_WORKERS            workers of the gang in this attempt
    HEADROOM_GPUS_PER_WORKER    devices (or the share of one) of each worker
    HEADROOM_DEVICES            JSON: per worker its host and the device indices that Headroom counts for it
    HEADROOM_PLACEMENT_GROUP    name of the Ray placement group with one bundle a worker
    HEADROOM_NAMESPACE          Ray namespace of that group

On Kubernetes the pods' templates name those that they want (docs/kubernetes.md), and where it is to be told how far the
job is, for nobody sees its folder there:

    HEADROOM_PROGRESS_URL       takes {"step": 1200, "total_steps": 5000} by POST
    HEADROOM_PROGRESS_TOKEN     with this bearer token, which is good for nothing else

What a job gives back: checkpoints in HEADROOM_CHECKPOINT_DIR and, replaced in one step after each of them, a file
`headroom.json` there: {"step": 1200, "total_steps": 5000}. When told to stop, its driver gets SIGTERM and has the
grace period to save and end; then its workers are killed. `Checkpoints` does all of it:

    checkpoints = Checkpoints(total_steps=5000)
    ray.init(...)                      # replaces signal handlers, so:
    checkpoints.catch_stop()           # after it
    state = load(checkpoints.path) if checkpoints.resume_step else fresh()
    for step in range(checkpoints.resume_step, 5000):
        state = train(state)
        if step % 100 == 99 or checkpoints.stop_requested:
            checkpoints.save(step + 1, lambda file: write(state, file))
        if checkpoints.stop_requested:
            break
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import Any, Final
from urllib.request import Request, urlopen

MARKER: Final = "headroom.json"
"""File in the checkpoint folder by which Headroom learns how far a job has come."""
TOLD_WITHIN_S: Final = 2.0
"""For how long a job waits at most while Headroom is told over HTTP."""


class Checkpoints:
    """Saves a job's state so that the next attempt, and Headroom, find it.

    Args:
        total_steps: steps of the whole job; None when unknown.
        environment: where to read `HEADROOM_*` from; the process's own by default. Without
            HEADROOM_CHECKPOINT_DIR the folder `checkpoints` in the working directory is used, so that a script also
            runs by hand.

    Attributes:
        folder: of this job's checkpoints; exists.
        stop_requested: whether the job was told to save and end.
    """

    def __init__(self, total_steps: int | None = None, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self.folder = Path(environment.get("HEADROOM_CHECKPOINT_DIR", "checkpoints"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.stop_requested = False
        self._total_steps = total_steps
        self._url = environment.get("HEADROOM_PROGRESS_URL", "")
        self._token = environment.get("HEADROOM_PROGRESS_TOKEN", "")

    def catch_stop(self) -> None:
        """Have SIGTERM set `stop_requested`; call it in the main thread, after `ray.init`."""
        signal.signal(signal.SIGTERM, self._request_stop)

    @property
    def path(self) -> Path:
        """File of the last checkpoint; it exists when `resume_step` is not 0."""
        return self.folder / str(self._marker().get("file", "checkpoint"))

    @property
    def resume_step(self) -> int:
        """Step to go on from; 0 when there is no checkpoint."""
        return int(self._marker().get("step", 0))

    def save(self, step: int, write: Callable[[Path], object]) -> Path:
        """Save a checkpoint and announce it; a crash at any point leaves the one before in place.

        Args:
            step: step from which a new attempt would go on.
            write: writes the state to the path it is given.

        Returns:
            The file. Older ones are removed.
        """
        before, file = self.path, self.folder / f"checkpoint-{step}"
        draft = self.folder / f".{file.name}.new"
        write(draft)
        draft.replace(file)
        self._announce(step, file)
        if before != file:
            before.unlink(missing_ok=True)
        self._tell(step)
        return file

    def _announce(self, step: int, file: Path) -> None:
        draft = self.folder / f".{MARKER}.new"
        marker = {"step": step, "total_steps": self._total_steps, "file": file.name}
        draft.write_text(json.dumps(marker), encoding="utf-8")
        draft.replace(self.folder / MARKER)

    def _tell(self, step: int) -> None:
        """Tell Headroom where it is to be told; the job goes on whatever comes of it, and the next time says more."""
        if self._url and self._token:
            body = json.dumps({"step": step, "total_steps": self._total_steps}).encode()
            telling = threading.Thread(target=_post, args=(self._url, self._token, body), daemon=True)
            telling.start()
            telling.join(TOLD_WITHIN_S)

    def _marker(self) -> dict[str, Any]:
        file = self.folder / MARKER
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else {}

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requested = True


def _post(url: str, token: str, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    try:
        request = Request(url, body, headers, method="POST")  # noqa: S310  # from our own annotation
        urlopen(request, timeout=TOLD_WITHIN_S).close()  # noqa: S310  # likewise
    except (OSError, HTTPException, ValueError) as error:  # not there, not ours, or no URL
        logging.getLogger("headroom").warning("Headroom was not told of the checkpoint: %s", error)
