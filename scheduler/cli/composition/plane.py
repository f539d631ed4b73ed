"""A control plane that leads: the loop, and all that it needs."""

import threading
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI

from records.fault import Say, nobody
from scheduler.api.access import Guard
from scheduler.api.app import renewal
from scheduler.api.site import Questions, Site
from scheduler.cli.attempt_logs import AttemptLogs
from scheduler.cli.composition.cluster import Seat, cluster_of, remains_of
from scheduler.cli.composition.people import api_of, may_deploy, metrics_over, service_of, site_limits_of
from scheduler.cli.composition.reloading import Read, Reloader
from scheduler.cli.composition.state import clock_of, store_url
from scheduler.cli.traffic_sources import servers_of, sources_of
from scheduler.config.otherwise import rules_of
from scheduler.config.schema import Config, Kubernetes, RemoteRay
from scheduler.config.wiring import policy_of, retention_of, served_from, served_of, settings_of
from scheduler.control.cycle import Cycle
from scheduler.control.demand.listening import Crews
from scheduler.control.isolation.crews import Threads
from scheduler.control.isolation.processes import OneProcess
from scheduler.control.ports import Backend, Clock, TakesProgress
from scheduler.control.private_files import close_state
from scheduler.control.reports.board import Board
from scheduler.control.service.configured import NextConfiguration
from scheduler.control.service.progress import KEY, AttemptTokens, ProgressDesk
from scheduler.control.service.publishing import Publisher
from scheduler.control.service.service import ControlService
from scheduler.control.upkeep.pruning import Pruner
from scheduler.control.whatif.desk import WhatIfDesk
from scheduler.control.whatif.etas import EtaDesk
from scheduler.control.whatif.question import Rules
from scheduler.store.replays import Replays
from scheduler.store.sql import SqlStore
from simulations.whatif.beside import BesideTheLoop

READERS: Final = 16
"""Traffic sources that are read at once."""
READ_WITHIN_S: Final = 60.0
"""Wall seconds after which a source that is being read no longer counts among them."""
FIT_WITHIN_S: Final = 120.0
"""Likewise for the one forecast that is fitted at a time."""


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """All parts of a control plane, wired but not running.

    Attributes:
        config: what it was made from.
        clock: the world's time.
        store: what survives a crash.
        cluster: what its orders are carried out by.
        cycle: takes the turns.
        service: what people may ask.
        board: what the loop shows.
        pruner: drops what is over and old, beside the loop.
        publisher: takes in what jobs publish, beside the loop.
        fitters: fit forecasts, beside this process.
        desk: answers what would be otherwise, in a process of its own.
        etas: says when every job starts and ends, in that process too.
        reloader: has the file count again; None where there is none.
        stop: set it (then `poke`) to end the loop.
        poke: set it to end a pause of the loop.
    """

    config: Config
    clock: Clock
    store: SqlStore
    cluster: Backend
    cycle: Cycle
    service: ControlService
    board: Board
    pruner: Pruner
    publisher: Publisher
    fitters: OneProcess
    stop: threading.Event
    poke: threading.Event
    desk: WhatIfDesk
    etas: EtaDesk
    reloader: Reloader | None = None

    def close(self) -> None:
        """Let go of everything; what runs on the cluster goes on."""
        self.desk.close()
        self.fitters.close()
        self.cluster.close()
        self.store.close()


def compose(
    config: Config, where: RemoteRay | Kubernetes, seat: Seat, say: Say = nobody, *, read: Read | None = None
) -> ControlPlane:
    """Wire a control plane to a cluster that runs.

    Args:
        config: checked by `load_config`.
        where: the cluster answers.
        seat: by what right it acts.
        say: is told what was assumed of recorded files.
        read: reads the configuration again; None where it cannot be.

    Raises:
        ConfigError: a file of the configuration cannot be read, the store has a newer schema, or there is no way to the
            cluster.
        Unreachable: the store does not answer.
    """
    close_state(config.state_dir)
    clock = clock_of(config.replay, config.state_dir)
    store = SqlStore(store_url(config), fence=seat.lease.fence.number, marker=config.state_dir / "store.held")
    board, stop, poke = Board(), threading.Event(), threading.Event()
    served = served_of(config.models)
    cluster = cluster_of(config, where, seat=seat, clock=clock, specs=store, served=served, board=board)
    policy = policy_of(config.policy, config.queues)
    fitters = OneProcess(Threads("forecast", 1, 2 * FIT_WITHIN_S), FIT_WITHIN_S)
    following, sources = NextConfiguration(), sources_of(config, say)
    cycle = Cycle(
        cluster=cluster,
        store=store,
        clock=clock,
        served=served,
        sources=sources,
        policy=policy,
        settings=settings_of(config.control, config.policy, config.queues),
        board=board,
        request_counts=cluster.request_counts,
        crews=Crews(Threads("traffic", READERS, READ_WITHIN_S), fitters, poke.set),
        keep_replay=Replays(config.state_dir / "replays").keep,
        servers=servers_of(config),
        limits=site_limits_of(config),
        read_model=served_from,
        renewed=following.take,
    )
    service = service_of(config, store=store, board=board, clock=clock, gate=cycle.gate, poke=poke)
    pruner = Pruner(
        rules=retention_of(config.retention),
        store=store,
        archive=store.archive,
        remains=remains_of(config, seat),
        packages=service.packages,
        artifacts=service.models.form.artifacts,
        in_use=lambda: service.models.bodies_in_use(),  # noqa: PLW0108  # its models are others after a reload
        clock=clock,
        board=board,
        prove=seat.lease.prove,
    )
    parts = (sources, cycle, following, service, pruner, poke, say)
    reloader = Reloader(read, config, *parts) if read else None
    publisher = Publisher(
        store=store,
        models=lambda: service.models,
        artifacts=service.models.form.artifacts,
        folder_of=lambda job_id: config.state_dir.resolve() / "checkpoints" / job_id,
        may_deploy=lambda owner: may_deploy(reloader.config if reloader else config, owner),
        clock=clock,
        board=board,
        prove=seat.lease.prove,
    )
    beside = BesideTheLoop()
    desk = WhatIfDesk(beside, board, lambda: Rules(cycle.policy, cycle.settings))
    etas = EtaDesk(beside, board, lambda: Rules(cycle.policy, cycle.settings), lambda: desk.is_playing)
    return ControlPlane(
        config,
        clock,
        store,
        cluster,
        cycle,
        service,
        board,
        pruner,
        publisher,
        fitters,
        stop,
        poke,
        desk,
        etas,
        reloader,
    )


def web_app(plane: ControlPlane) -> FastAPI:
    """Return the HTTP API and the page of a control plane."""
    logs = AttemptLogs(plane.cluster, plane.service)
    metrics, reloader = metrics_over(plane.board, plane.store, lambda: plane.cycle.policy), plane.reloader
    reload = reloader.reload if reloader else None
    plane.etas.record.errors_s.append(metrics.missed)
    questions = Questions(
        plane.desk,
        lambda asked: rules_of(reloader.config if reloader else plane.config, asked),
        lambda: plane.etas.etas,
    )
    app = api_of(
        plane.config,
        clock=plane.clock,
        service=plane.service,
        metrics=metrics,
        logs=logs,
        reload=reload,
        questions=questions,
        progress_desk=_progress_desk(plane),
    )
    if reloader:
        reloader.prepare.append(lambda config: renewal(app, Site.of(config, plane.clock), Guard.of(config.api)))
    return app


def _progress_desk(plane: ControlPlane) -> ProgressDesk | None:
    """Return what takes the progress of attempts; None where the cluster reads it from their files."""
    if not isinstance(plane.cluster, TakesProgress):
        return None
    return ProgressDesk(AttemptTokens(plane.store.key(KEY)), plane.store, plane.clock, plane.cluster)
