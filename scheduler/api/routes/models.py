"""Models at run time: deploy a revision, look at it, steer its rollout, take a model away."""

from fastapi import APIRouter

from scheduler.api.access import Caller, Operator, Role, Submitter, Viewer
from scheduler.api.answers import listing, single
from scheduler.api.presenting.rollouts import deployment_outlook, deployment_view, history_view, proposal_view
from scheduler.api.site import Parts, PartsDep
from scheduler.control.model_records import Proposal as Proposed
from scheduler.control.models.draft import ModelDraft
from scheduler.control.service.models import RolloutVerb
from scheduler.model.errors import ConfigError
from scheduler.model.workloads import JobId
from scheduler.wire.base import Listing, Single
from scheduler.wire.models import (
    Deployment,
    DeploymentOutlook,
    ModelHistory,
    ModelOrder,
    Proposal,
    Rejection,
    RolloutOrder,
)

router = APIRouter(prefix="/api/v1", tags=["models"])


@router.post("/models", status_code=201)
def deploy(parts: PartsDep, caller: Operator, order: ModelOrder) -> Single[Deployment]:
    """Make a model, or the next revision of one, and let it take over; it is stored when this answers.

    What is just as what is there, or on its way, changes nothing.
    """
    draft = _draft(parts, order)
    made = parts.service.models.deploy(draft, by=caller.person, take_over=order.take_over)
    return single(parts, "Deployment", deployment_view(made))


@router.post("/models/outlook")
def outlook(parts: PartsDep, _: Operator, order: ModelOrder) -> Single[DeploymentOutlook]:
    """Check a model as deploying it would, and say what that would do; nothing is changed."""
    draft = _draft(parts, order)
    made, found = parts.service.models.try_out(draft, take_over=order.take_over)
    return single(parts, "DeploymentOutlook", deployment_outlook(made, found))


@router.get("/models/{model}/revisions")
def history(parts: PartsDep, caller: Viewer, model: str) -> Single[ModelHistory]:
    """Return a deployed model with its revisions, oldest first; removed ones too."""
    record, revisions = parts.service.models.history(model)
    return single(parts, "ModelHistory", history_view(record, revisions, in_full=_sees_arguments(caller)))


@router.post("/models/{model}/rollout")
def steer(parts: PartsDep, caller: Operator, model: str, order: RolloutOrder) -> Single[ModelHistory]:
    """Pause, resume or undo a rollout, or begin one to a revision that is there."""
    if (order.action == "to") != bool(order.revision):
        raise ConfigError('"revision" goes with "to", and with nothing else', help='{"action": "to", "revision": 3}')
    verb = None if order.action == "to" else RolloutVerb(order.action)
    record = parts.service.models.rollout(model, verb, to=order.revision, by=caller.person)
    return single(parts, "ModelHistory", history_view(record))


@router.delete("/models/{model}")
def remove(parts: PartsDep, caller: Operator, model: str) -> Single[ModelHistory]:
    """Take a model away: its requests are answered, its room is freed, its history stays."""
    return single(parts, "ModelHistory", history_view(parts.service.models.remove(model, by=caller.person)))


@router.get("/proposals")
def list_proposals(parts: PartsDep, caller: Viewer) -> Listing[Proposal]:
    """Return the models that wait for an operator's word, oldest first."""
    in_full, proposed = _sees_arguments(caller), parts.service.models.proposals()
    return listing(parts, "ProposalList", [proposal_view(one, in_full=in_full) for one in proposed])


@router.post("/proposals", status_code=201)
def propose(parts: PartsDep, caller: Submitter, order: ModelOrder) -> Single[Proposal]:
    """Ask operators to deploy a model; what others than they propose is a community model."""
    is_ours = caller.role >= Role.OPERATOR
    draft = parts.site.models.draft(order.model if is_ours else order.model | {"community": True}, order.source)
    return single(parts, "Proposal", proposal_view(parts.service.models.propose(draft, by=caller.person)))


@router.post("/proposals/{model}/approve")
def approve(parts: PartsDep, caller: Operator, model: str) -> Single[Deployment]:
    """Deploy what is proposed."""

    def draft(proposal: Proposed) -> ModelDraft:
        source = f"{proposal.source or 'a proposal'} of {proposal.by}"
        return parts.site.models.draft_again(proposal.body, source)

    return single(parts, "Deployment", deployment_view(parts.service.models.approve(model, draft, by=caller.person)))


@router.post("/proposals/{model}/reject")
def reject(parts: PartsDep, caller: Operator, model: str, order: Rejection | None = None) -> Single[Proposal]:
    """Decline what is proposed, and say why."""
    reason = order.reason if order else ""
    return single(parts, "Proposal", proposal_view(parts.service.models.reject(model, reason, by=caller.person)))


def _draft(parts: Parts, order: ModelOrder) -> ModelDraft:
    if not order.from_job:
        return parts.site.models.draft(order.model, order.source)
    name = order.model.get("name")
    if not isinstance(name, str) or len(order.model) > 1 or order.take_over:
        raise ConfigError('"from_job" goes with the name of a model only', help='{"name": "edit-check"}')
    return parts.service.models.from_job(name, JobId(order.from_job))


def _sees_arguments(caller: Caller) -> bool:
    """Whether somebody may read what replicas are started with; who only looks on may not."""
    return caller.role >= Role.SUBMITTER
