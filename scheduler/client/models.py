"""Served models: what they are given and will need; deploying, proposing and removing them."""

import os
from collections.abc import Mapping
from pathlib import Path

from scheduler.client.requests import Requests, part
from scheduler.connection import ResourceT
from scheduler.model.errors import ConfigError
from scheduler.wire.base import Listing, Single
from scheduler.wire.forecasts import Forecast
from scheduler.wire.models import (
    Deployment,
    DeploymentOutlook,
    ModelHistory,
    ModelOrder,
    Proposal,
    Rejection,
    RolloutOrder,
)
from scheduler.wire.serving import Capacity, ServedModel


class ModelRequests(Requests):
    """What the client does with served models."""

    def models(self) -> Listing[ServedModel]:
        """Return the served models, most important first."""
        return self.get("/models", Listing[ServedModel])

    def capacity(self) -> Capacity:
        """Return whether serving is covered, until when, and what is being done."""
        return self.get("/capacity", Single[Capacity]).item

    def forecast(self, model: str) -> Forecast:
        """Return the forecast of one model's traffic.

        Raises:
            NotFound: there is no such model.
        """
        return self.get(f"/forecast/{part(model)}", Single[Forecast]).item

    def deploy(
        self,
        model: Mapping[str, object] | str | os.PathLike[str],
        *,
        take_over: bool = False,
        from_job: str | int = "",
    ) -> Single[Deployment]:
        """Deploy a new model, or a new revision of one; what is just as what is there changes nothing.

        Args:
            model: a mapping like the content of a model's file, or the path of such a file.
            take_over: though it belongs to the file that the control plane was started with.
            from_job: number of a job; the model of that name, as it is, gets the artifact that the job has published.

        Raises:
            NotFound: the job has published nothing, or its artifact was pruned.
            ConfigError: with all faults, each with its file and line where it has one.
            Conflict: it belongs to the file, is being removed, or a revision of it is just taking over.
        """
        if from_job:
            return self.send("POST", "/models", Single[Deployment], _from_job(model, from_job))
        return self._offer_model("/models", Single[Deployment], model, take_over=take_over)

    def try_model(
        self,
        model: Mapping[str, object] | str | os.PathLike[str],
        *,
        take_over: bool = False,
        from_job: str | int = "",
    ) -> Single[DeploymentOutlook]:
        """Say what a deployment would do, with all checks of `deploy`; nothing is changed."""
        if from_job:
            return self.send("POST", "/models/outlook", Single[DeploymentOutlook], _from_job(model, from_job))
        return self._offer_model("/models/outlook", Single[DeploymentOutlook], model, take_over=take_over)

    def model_history(self, model: str) -> Single[ModelHistory]:
        """Return a deployed model with its revisions, oldest first; removed ones too.

        Raises:
            NotFound: no such model was ever deployed.
        """
        return self.get(f"/models/{part(model)}/revisions", Single[ModelHistory])

    def steer(self, model: str, action: str, revision: int = 0) -> Single[ModelHistory]:
        """Steer the rollout of a model: "pause", "resume", "undo", or "to" a revision that is there.

        Raises:
            NotFound: no such model or revision.
            Conflict: there is nothing of the kind to be done.
        """
        order = RolloutOrder.model_validate({"action": action, "revision": revision})
        return self.send("POST", f"/models/{part(model)}/rollout", Single[ModelHistory], order)

    def remove_model(self, model: str) -> Single[ModelHistory]:
        """Take a model away: its requests are answered, its room is freed, its history stays.

        Raises:
            NotFound: there is none.
            Conflict: it belongs to the file.
        """
        return self.send("DELETE", f"/models/{part(model)}", Single[ModelHistory])

    def propose(self, model: Mapping[str, object] | str | os.PathLike[str]) -> Single[Proposal]:
        """Ask operators to deploy a model; what others than they propose is a community model.

        Raises:
            ConfigError: with all faults, as `deploy`.
            Conflict: it belongs to the file, or somebody else has proposed one of that name.
        """
        return self._offer_model("/proposals", Single[Proposal], model, take_over=False)

    def proposals(self) -> Listing[Proposal]:
        """Return the models that wait for an operator's word, oldest first."""
        return self.get("/proposals", Listing[Proposal])

    def approve(self, model: str) -> Single[Deployment]:
        """Deploy what is proposed.

        Raises:
            NotFound: nothing of that name is proposed.
            Conflict: as `deploy`.
        """
        return self.send("POST", f"/proposals/{part(model)}/approve", Single[Deployment])

    def reject(self, model: str, reason: str = "") -> Single[Proposal]:
        """Decline what is proposed, and say why.

        Raises:
            NotFound: nothing of that name is proposed.
        """
        return self.send("POST", f"/proposals/{part(model)}/reject", Single[Proposal], Rejection(reason=reason))

    def _offer_model(self, path: str, kind: type[ResourceT], model: object, *, take_over: bool) -> ResourceT:
        """Check a model here, send it, and give the faults found there the lines that they have here."""
        from scheduler.submission import model_document, placed  # noqa: PLC0415  # reading YAML costs time

        document = model_document(model)
        order = ModelOrder(model=document.data, source=Path(document.file).name, take_over=take_over)
        try:
            return self.send("POST", path, kind, order)
        except ConfigError as error:
            raise ConfigError(*(placed(fault, document) for fault in error.faults)) from error


def _from_job(model: object, job_id: str | int) -> ModelOrder:
    return ModelOrder(model={"name": str(model)}, from_job=str(job_id))
