"""How far attempts say they are, each with a token of its own: for clusters where no file of theirs can be read."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from scheduler.control.ports import Clock, Store, TakesProgress
from scheduler.model.errors import ActionFailed, Conflict
from scheduler.model.observation import Progress
from scheduler.model.workloads import JobId

KEY: Final = "progress"
"""Name of the store's key that tokens are made of."""


@dataclass(frozen=True, slots=True)
class AttemptTokens:
    """Tokens of attempts; they are made of a key and kept nowhere.

    Attributes:
        key: of the store, so that all control planes on it make the same ones.
    """

    key: bytes

    def of(self, job_id: JobId, attempt: int) -> str:
        """Return the token of an attempt."""
        return hmac.new(self.key, f"{job_id}/{attempt}".encode(), hashlib.sha256).hexdigest()

    def knows(self, job_id: JobId, attempt: int, token: str) -> bool:
        """Whether a token is the one of an attempt; takes the same time whatever it is."""
        return hmac.compare_digest(self.of(job_id, attempt).encode(), token.encode())


@dataclass(frozen=True, slots=True)
class ProgressDesk:
    """Takes what attempts say.

    Attributes:
        tokens: by which they are known.
        store: knows which attempts are open.
        clock: the world's time.
        cluster: where it is written down, and seen by the next turn of the loop.
    """

    tokens: AttemptTokens
    store: Store
    clock: Clock
    cluster: TakesProgress

    def tell(self, job_id: JobId, number: int, step: int, total_steps: int | None) -> None:
        """Take note that an attempt has saved its work up to a step.

        Raises:
            NotFound: no such job.
            Conflict: the attempt is over, or the cluster refuses to write it down.
            Unreachable: the store or the cluster does not answer.
        """
        attempts = self.store.job(job_id).attempts
        if not any(one.number == number and one.is_open for one in attempts):
            raise Conflict(f"attempt {number} of job {job_id} is over, or was never begun")
        try:
            self.cluster.report(job_id, number, Progress(step, total_steps, self.clock.now_s()))
        except ActionFailed as error:
            raise Conflict(f"it could not be written down: {error}") from error
