"""What the store keeps of models that are deployed at run time: revisions that never change, and their rollouts."""

from dataclasses import dataclass
from enum import StrEnum

from policies.canary_test import NOTHING_SEEN, Evidence
from scheduler.model.workloads import JobId, ReplicaId


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of a model; it never changes.

    Attributes:
        model: its name.
        number: from 1, without gaps.
        body: JSON of the model's section, with all defaults as they were.
        by: who deployed it.
        at_s: when, epoch seconds.
        source: where it came from, for people: a file's name.
        runs: number that its replicas carry: its own, or that of an earlier revision whose replicas are just the same.
        changed: what is otherwise than in the revision before, a sentence a key.
        fate: how it did, in words; "" while that is open.
    """

    model: str
    number: int
    body: str
    by: str
    at_s: float
    source: str = ""
    runs: int = 0
    changed: tuple[str, ...] = ()
    fate: str = ""


class RolloutPhase(StrEnum):
    """How far a rollout is; the first three go on, the others are over."""

    STARTING = "starting"
    """Replicas of the new revision start; they get no requests."""
    TRYING = "trying"
    """The new revision gets a part of the requests, and is judged."""
    REPLACING = "replacing"
    """It was found good: it takes over replica by replica, and is judged on."""
    DONE = "done"
    ROLLED_BACK = "rolled back"
    FAILED = "failed"
    """It did not start, and there was none before it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self in {RolloutPhase.DONE, RolloutPhase.ROLLED_BACK, RolloutPhase.FAILED}


@dataclass(frozen=True, slots=True)
class RevisionCounts:
    """Requests that one revision has had: all, and those answered late, or not."""

    total: int = 0
    late: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """One revision taking over from another one.

    Attributes:
        to: number of the revision.
        runs: number that its replicas carry.
        began_s: when, epoch seconds.
        phase: see `RolloutPhase`.
        phase_s: since when, epoch seconds.
        step: of the steps of its model, from 0.
        step_s: since when, epoch seconds.
        share: part of the requests that the revision gets while it is tried.
        step_from: requests that the new revision had had by then, as far as they were judged.
        paused: whether it stays where it is; it is judged all the same.
        is_known: whether the revision has served before and is not tried again.
        reason: why it is over, in words.
        seen: requests of the new and of the old revision that were judged already; None before the first look.
        failures, lateness: what they amount to.
        crashes: how often a replica that was ready was not any more.
        ready: replicas of the revision that were ready when last looked at.
    """

    to: int
    runs: int
    began_s: float
    phase: RolloutPhase = RolloutPhase.STARTING
    phase_s: float = 0.0
    step: int = 0
    step_s: float = 0.0
    share: float = 0.0
    step_from: int = 0
    paused: bool = False
    is_known: bool = False
    reason: str = ""
    seen: tuple[RevisionCounts, RevisionCounts] | None = None
    failures: Evidence = NOTHING_SEEN
    lateness: Evidence = NOTHING_SEEN
    crashes: int = 0
    ready: tuple[ReplicaId, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A model that somebody wants deployed; there until an operator has decided.

    Attributes:
        name: of the model; there is one proposal of a name at a time.
        body: JSON of the model's section.
        by: who proposed it.
        at_s: when, epoch seconds.
        source: where it came from, for people.
    """

    name: str
    body: str
    by: str
    at_s: float
    source: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """What a job that succeeded has published, or why it could not.

    Attributes:
        job_id: which job.
        attempt: the one that succeeded.
        model: name of the model it is for.
        owner: of the job.
        at_s: when it was taken in, epoch seconds.
        digest: of the artifact, "sha256:…"; "" where there is none.
        size_bytes, files: what it amounts to.
        data_version: which data it was trained on, as the job says.
        fault: why there is no artifact.
        followed: what became of it by itself, in words; "" where nothing was to.
        is_open: whether it is yet to be handed on to its model.
    """

    job_id: JobId
    attempt: int
    model: str
    owner: str
    at_s: float
    digest: str = ""
    size_bytes: int = 0
    files: int = 0
    data_version: str = ""
    fault: str = ""
    followed: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model that the store owns.

    Attributes:
        name: unique; never used for another model while it is there.
        serving: number of the revision that serves, 0 before the first does.
        runs: number that its replicas carry.
        latest: number of its newest revision.
        before: the one that served before that, 0 when there was none.
        rollout: the last one begun.
        withdrawn: numbers of replicas that are not to serve: rolled back, or given up for a newer one.
        removing_s: since when it is being removed, epoch seconds; None while it is not.
        removed_s: when the last of it was gone, epoch seconds; None before.
    """

    name: str
    serving: int = 0
    runs: int = 0
    latest: int = 1
    before: int = 0
    rollout: Rollout | None = None
    withdrawn: tuple[int, ...] = ()
    removing_s: float | None = None
    removed_s: float | None = None

    @property
    def is_there(self) -> bool:
        """Whether it is served, or is to be."""
        return self.removing_s is None

    @property
    def active(self) -> Rollout | None:
        """The rollout that goes on; None when none does."""
        return None if self.rollout is None or self.rollout.phase.is_over else self.rollout

    @property
    def main(self) -> int:
        """The revision that most of its replicas are to be of; 0 when none is to run."""
        rollout = self.active
        takes_over = rollout is not None and (rollout.phase is RolloutPhase.REPLACING or not self.serving)
        return rollout.to if rollout is not None and takes_over else self.serving

    @property
    def on_trial(self) -> int:
        """The revision that is tried beside it; 0 when none is."""
        rollout = self.active
        return rollout.to if rollout is not None and rollout.to != self.main else 0
