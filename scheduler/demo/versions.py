"""New versions of the demo's community model: trained by jobs, published, rolled out, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from scheduler.client import Client
from scheduler.demo.programme import SWAPPED, TRAINING, VERSIONS, Submission
from scheduler.wire.models import ModelHistory, RolloutState

FIRST: Final = 1
"""The revision that serves when the demo begins."""


@dataclass(frozen=True, slots=True)
class Version:
    """What became of one version.

    Attributes:
        job: that trained it.
        revision: of the model.
        fate: "done", "rolled back" or "failed"; how far it is when that is not known yet, "" when it was not begun.
        at: when, ISO 8601 on the replay's clock.
        requests, failed: that it got while it was tried, and how many of them it did not answer.
        why: it was rolled back.
    """

    job: str
    revision: int
    fate: str = ""
    at: str = ""
    requests: int = 0
    failed: int = 0
    why: str = ""


@dataclass(slots=True)
class Versions:
    """Has one version after the other trained, and looks at what becomes of them.

    Attributes:
        client: of the control plane.
        submissions: the jobs that train them.
    """

    client: Client
    submissions: Sequence[Submission] = VERSIONS
    _submitted: int = 0
    _rollouts: dict[int, RolloutState] = field(default_factory=dict)

    def begin(self, model: Mapping[str, object]) -> None:
        """Take the model over from the file of the cluster, so that it may change; what serves stays as it is."""
        self.client.deploy(model, take_over=True)

    def go_on(self, now_s: float) -> None:
        """Look at the version on its way; have the next one trained when it is time."""
        if self._submitted and not self._is_over(FIRST + self._submitted):
            self._look(self.client.model_history(SWAPPED).item)
            return
        left = self.submissions[self._submitted :]
        if left and left[0].at.timestamp() <= now_s:
            self.client.submit(left[0].job, working_dir=TRAINING)
            self._submitted += 1

    def all(self) -> tuple[Version, ...]:
        """Return what became of each."""
        return tuple(
            _version(str(one.job["name"]), revision, self._rollouts.get(revision))
            for revision, one in enumerate(self.submissions, start=FIRST + 1)
        )

    def _is_over(self, revision: int) -> bool:
        return revision in self._rollouts and self._rollouts[revision].is_over

    def _look(self, history: ModelHistory) -> None:
        if history.rollout is not None:
            self._rollouts[history.rollout.revision] = history.rollout


def _version(job: str, revision: int, rollout: RolloutState | None) -> Version:
    if rollout is None:
        return Version(job, revision)
    at, new = rollout.since.isoformat(), rollout.new
    return Version(job, revision, rollout.phase, at, new.requests, new.failed, rollout.reason)
