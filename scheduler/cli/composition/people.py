"""What people and monitoring reach of a control plane: the service, the HTTP API with the page, the metrics."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from threading import Event
from typing import Final

from fastapi import FastAPI

from scheduler.api.app import create_app
from scheduler.api.presenting.covering import coverage_of
from scheduler.api.site import Questions, Reload, Site
from scheduler.cli.attempt_logs import AttemptLogs
from scheduler.cli.composition.state import store_url
from scheduler.config.model import draft_of
from scheduler.config.queues import queue_names, submitters_of
from scheduler.config.schema import Config, Kubernetes
from scheduler.config.wiring import limits_of, policy_of, served_from
from scheduler.control.leadership import Leader
from scheduler.control.models.draft import ModelDraft
from scheduler.control.ports import Clock
from scheduler.control.records import AttemptTotal
from scheduler.control.reports.board import Board, Report
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.artifacts import ArtifactShelf
from scheduler.control.service.models import ModelForm
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.progress import ProgressDesk
from scheduler.control.service.service import ControlService
from scheduler.control.upkeep.remembered import Remembered
from scheduler.model.policy import Policy
from scheduler.store.backup import back_up
from scheduler.store.sql import SqlStore
from scheduler.telemetry.metrics import Metrics

GIVEN_TO_KUBERNETES: Final = (
    "kubectl apply a RayJob, Job, JobSet or TrainJob with suspend: true and the label headroom/queue"
)
DECLARED_IN: Final = "cluster.yaml"
"""Source of the models of the file, for people."""


def metrics_over(board: Board, store: SqlStore, policy: Callable[[], Policy]) -> Metrics:
    """Return the metrics that a board and a store show."""

    def lowest(report: Report) -> float | None:
        return coverage_of(report, policy()).lowest.ratio

    return Metrics(board, Remembered[Iterable[AttemptTotal]](store.attempt_totals, ()), lowest)


def api_of(  # noqa: PLR0913  # the parts of an API, by name
    config: Config,
    *,
    clock: Clock,
    service: ControlService,
    metrics: Metrics,
    logs: AttemptLogs | None = None,
    leader: Callable[[], Leader | None] | None = None,
    reload: Reload | None = None,
    questions: Questions | None = None,
    progress_desk: ProgressDesk | None = None,
) -> FastAPI:
    """Return the HTTP API and the page over a service."""
    return create_app(
        service=service,
        board=service.board,
        site=Site.of(config, clock),
        bind_host=config.api.host,
        tokens=config.api.tokens,
        public=config.api.public,
        metrics=metrics.text,
        logs_of=logs,
        leader=leader,
        backup=partial(back_up, store_url(config)),
        reload=reload,
        questions=questions,
        progress_desk=progress_desk,
    )


def drafts_of(config: Config) -> dict[str, ModelDraft]:
    """Return the models of the file, by name."""
    return {model.name: draft_of(model, DECLARED_IN) for model in config.models}


def site_limits_of(config: Config) -> SiteLimits:
    """Return what a site allows."""
    return SiteLimits(
        config.priorities,
        queue_names(config.queues),
        config.control.preemption_grace,
        submitters_of(config.queues),
        limits_of(config.limits, config.queues),
        {name: secret.owners for name, secret in config.secrets.items()},
        GIVEN_TO_KUBERNETES if isinstance(config.backend, Kubernetes) else "",
    )


def service_of(  # noqa: PLR0913  # the parts of a service, by name
    config: Config, *, store: SqlStore, board: Board, clock: Clock, gate: AbstractContextManager[object], poke: Event
) -> ControlService:
    """Return the service of a configuration."""
    return ControlService(
        store=store,
        board=board,
        clock=clock,
        policy=policy_of(config.policy, config.queues),
        site_limits=site_limits_of(config),
        packages=PackageShelf(config.state_dir / "packages"),
        gate=gate,
        poke=poke,
        models=ModelForm(drafts_of(config), served_from, ArtifactShelf(config.state_dir / "artifacts")),
    )


def may_deploy(config: Config, owner: str) -> bool:
    """Whether an owner of jobs is an operator; where there are no tokens, everybody is."""
    return not config.api.tokens or any(one.name == owner and one.role == "operator" for one in config.api.tokens)
