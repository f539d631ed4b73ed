"""What the pods of an attempt are told of it when they are let in: annotations, for their environment to refer to.

The template of a suspended Job takes such a change only before its first start up to Kubernetes 1.35; a pod always.
"""

from collections.abc import Callable
from dataclasses import dataclass

from scheduler.backends.kubernetes.marks import ATTEMPT, JOB, PROGRESS_TOKEN, PROGRESS_URL, RESUME_STEP
from scheduler.backends.kubernetes.running import Attempt, last_progress
from scheduler.model.workloads import JobId


def _none(_: JobId, __: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Handout:
    """What is handed out.

    Attributes:
        api: where pods reach our API; "" where that is not said: then they cannot tell how far they are.
        token_of: makes the token with which an attempt does.
    """

    api: str = ""
    token_of: Callable[[JobId, int], str] = _none

    def to(self, attempt: Attempt) -> dict[str, str]:
        """Return the annotations of an attempt's pods."""
        job_id, number = attempt.marks.job_id, attempt.marks.attempt
        said = {JOB: str(job_id), ATTEMPT: str(number)}
        last = last_progress(attempt.seen)
        if last is not None:
            said[RESUME_STEP] = str(last[1].step)
        if self.api:
            said[PROGRESS_URL] = f"{self.api.rstrip('/')}/api/v1/jobs/{job_id}/attempts/{number}/progress"
            said[PROGRESS_TOKEN] = self.token_of(job_id, number)
        return said
