"""Deployed models, their revisions and rollouts on the wire."""

import json
from collections.abc import Iterable
from dataclasses import asdict

from policies.canary_test import Evidence
from scheduler.api.presenting.jobs import places, why_view
from scheduler.api.presenting.times import moment, moment_or_none
from scheduler.control.model_records import ModelRecord, Proposal, Revision, Rollout
from scheduler.control.models.draft import artifact_in
from scheduler.control.service.artifacts import digest_in
from scheduler.control.service.models import Deployed
from scheduler.control.settings import ModelCard
from scheduler.control.whatif.deployment import DeployOutlook
from scheduler.wire.models import Compared, Deployment, DeploymentOutlook, ModelHistory, ModelRevision, RolloutState
from scheduler.wire.models import ModelCard as WireCard
from scheduler.wire.models import Proposal as WireProposal


def card_view(card: ModelCard) -> WireCard:
    """Return what a model is."""
    return WireCard(**asdict(card))


def proposal_view(proposal: Proposal, *, in_full: bool = True) -> WireProposal:
    """Return a proposal; `in_full` as for `history_view`."""
    body = json.loads(proposal.body)
    return WireProposal(
        name=proposal.name,
        by=proposal.by,
        at=moment(proposal.at_s),
        source=proposal.source,
        card=WireCard(**body.get("card", {})),
        model=body if in_full else {},
    )


def rollout_view(rollout: Rollout) -> RolloutState:
    """Return a rollout."""
    return RolloutState(
        revision=rollout.to,
        phase=rollout.phase.value,
        since=moment(rollout.phase_s),
        began=moment(rollout.began_s),
        share=rollout.share,
        paused=rollout.paused,
        reason=rollout.reason,
        new=_compared(rollout.failures, rollout.lateness, is_new=True),
        old=_compared(rollout.failures, rollout.lateness, is_new=False),
    )


def history_view(record: ModelRecord, revisions: Iterable[Revision] = (), *, in_full: bool = False) -> ModelHistory:
    """Return a model with its revisions; `in_full` for those who may see what its replicas are started with."""
    return ModelHistory(
        name=record.name,
        serving=record.serving,
        removed=moment_or_none(record.removed_s),
        removing=record.removing_s is not None and record.removed_s is None,
        rollout=rollout_view(record.rollout) if record.rollout is not None else None,
        revisions=tuple(_revision(one, record, in_full=in_full) for one in revisions),
    )


def deployment_view(made: Deployed) -> Deployment:
    """Return what became of a deployment."""
    return Deployment(
        name=made.record.name,
        revision=made.revision.number,
        is_new=made.is_new,
        is_rolled_out=made.is_rolled_out,
        changed=made.revision.changed,
    )


def deployment_outlook(made: Deployed, found: DeployOutlook) -> DeploymentOutlook:
    """Return what would become of a deployment."""
    return DeploymentOutlook(
        **deployment_view(made).model_dump(),
        where=places(found.slots),
        why=why_view(found.why) if found.why else None,
        preempts=found.preempts,
        delays=found.delays,
    )


def _revision(one: Revision, record: ModelRecord, *, in_full: bool) -> ModelRevision:
    active = record.active
    is_moving = active is not None and active.to == one.number
    state = "serves" if one.number == record.serving else "rollout" if is_moving else "past"
    section = json.loads(one.body)
    return ModelRevision(
        number=one.number,
        at=moment(one.at_s),
        by=one.by,
        source=one.source,
        artifact=digest_in(artifact_in(one.body)),
        changed=one.changed,
        state=state,
        fate=one.fate,
        model=section if in_full else {},
    )


def _compared(failures: Evidence, lateness: Evidence, *, is_new: bool) -> Compared:
    failed, late = (seen.new if is_new else seen.old for seen in (failures, lateness))
    return Compared(requests=failed.requests, failed=failed.bad, late=late.bad)
