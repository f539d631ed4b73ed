"""Models that are deployed at run time, on the wire: revisions, rollouts, and what is asked of them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from scheduler.wire.base import Resource, Why


class ModelCard(Resource):
    """What a model is, for people."""

    description: str = ""
    licence: str = ""
    source: str = ""
    """Where more is told of it."""
    trained_by: str = ""


class Compared(Resource):
    """Requests of one revision while it was compared with another one."""

    requests: int
    failed: int
    late: int


class RolloutState(Resource):
    """How far a rollout is."""

    revision: int
    """Which takes over."""
    phase: str
    """starting, trying or replacing; done, rolled back or failed when it is over."""
    since: datetime
    """Of the phase."""
    began: datetime
    share: float = 0.0
    """Part of the requests that it gets while it is tried."""
    paused: bool = False
    reason: str = ""
    """Why it was rolled back or failed."""
    new: Compared
    old: Compared
    """The revision before, in the same time."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in {"done", "rolled back", "failed"}


class ModelRevision(Resource):
    """One revision of a model; it never changes."""

    number: int
    at: datetime
    by: str
    source: str
    artifact: str = ""
    """Digest of the artifact that a job has published and its replicas are started with."""
    changed: tuple[str, ...] = ()
    """What is otherwise than in the revision before, a sentence a key."""
    state: str
    """serves, rollout (its rollout goes on), or past."""
    fate: str = ""
    """How it did."""
    model: dict[str, object] = Field(default_factory=dict)
    """Its section with all defaults, for those who may see arguments."""


class ModelHistory(Resource):
    """A model that was deployed, with all its revisions, oldest first."""

    name: str
    serving: int
    """Number of the revision that serves; 0 when none does."""
    removed: datetime | None = None
    removing: bool = False
    rollout: RolloutState | None = None
    """The last one begun."""
    revisions: tuple[ModelRevision, ...] = ()


class ModelOrder(Resource):
    """Deploy a model: the content of its file, as it stands there."""

    model: dict[str, object]
    source: str = ""
    """Where it comes from, for people."""
    from_job: str = ""
    """Number of a job: the model that `model` names, {"name": NAME}, as it is, but with the artifact of that job."""
    take_over: bool = False
    """Though it belongs to the file that the control plane was started with."""


class Deployment(Resource):
    """What became of a deployment."""

    name: str
    revision: int
    is_new: bool
    """Whether a revision was made; else what was sent is just what is there, or on its way."""
    is_rolled_out: bool
    """Whether replicas are replaced for it."""
    changed: tuple[str, ...] = ()


class DeploymentOutlook(Deployment):
    """What would become of a deployment; nothing was changed."""

    where: tuple[str, ...] = ()
    """"host:device,device" of each first replica that would start in the next plan."""
    why: Why | None = None
    """Why not all of them would."""
    preempts: tuple[str, ...] = ()
    """A sentence for each job that would be stopped for them."""
    delays: tuple[str, ...] = ()
    """Jobs that would start in the next plan, were it not for them."""


class Proposal(Resource):
    """A model that somebody wants deployed, until an operator has decided."""

    name: str
    by: str
    at: datetime
    source: str = ""
    card: ModelCard = ModelCard()
    model: dict[str, object] = Field(default_factory=dict)
    """Its section with all defaults."""


class Rejection(Resource):
    """Why a proposal is not taken."""

    reason: str = ""


class RolloutOrder(Resource):
    """Steer a rollout, or begin one."""

    action: Literal["pause", "resume", "undo", "to"]
    revision: int = Field(default=0, ge=0)
    """Of `to`: which revision is to serve."""
