"""The composition root: puts a control plane together from a configuration."""

import os
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Final

from fastapi import FastAPI

from records.fault import Say, nobody
from scheduler.api.app import create_app
from scheduler.api.presenting.covering import coverage_of
from scheduler.api.site import Site
from scheduler.backends.ray.applications import ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.cluster import RayCluster
from scheduler.backends.ray.local import LocalHostSpec, LocalRay
from scheduler.backends.ray.remains import RunRemains
from scheduler.cli.attempt_logs import AttemptLogs
from scheduler.cli.traffic_sources import servers_of, sources_of
from scheduler.config import schema
from scheduler.config.queues import queue_names, submitters_of
from scheduler.config.schema import Config, RemoteRay
from scheduler.config.wiring import limits_of, policy_of, retention_of, secrets_of, served_of, settings_of
from scheduler.control.admission import House
from scheduler.control.board import Board, Report
from scheduler.control.clocks import ReplayClock, WallClock
from scheduler.control.crews import Threads
from scheduler.control.cycle import Cycle
from scheduler.control.desk import Desk
from scheduler.control.leading import Leader
from scheduler.control.listening import Crews
from scheduler.control.packages import PackageShelf
from scheduler.control.ports import Clock
from scheduler.control.private import close_state
from scheduler.control.processes import OneProcess
from scheduler.control.pruning import Pruner
from scheduler.control.records import AttemptTotal
from scheduler.control.remembering import Remembered
from scheduler.control.secrets import SecretShelf
from scheduler.control.settings import Served
from scheduler.control.shares import Foresight, gpu_shares
from scheduler.model.observation import Observation
from scheduler.model.policy import Policy
from scheduler.store.backup import back_up
from scheduler.store.leases import HeldLease
from scheduler.store.replays import Replays
from scheduler.store.sql import SqlStore
from scheduler.telemetry.metrics import Metrics

CLAIM_PERIODS: Final = 3
CLAIM_MARGIN_S: Final = 60.0
"""A control plane of which its cluster has not heard for so many cycles and wall seconds is silent."""
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
        cluster: Ray.
        cycle: takes the turns.
        desk: what people may ask.
        board: what the loop shows.
        pruner: drops what is over and old, beside the loop.
        fitters: fit forecasts, beside this process.
        stop: set it (then `poke`) to end the loop.
        poke: set it to end a pause of the loop.
    """

    config: Config
    clock: Clock
    store: SqlStore
    cluster: RayCluster
    cycle: Cycle
    desk: Desk
    board: Board
    pruner: Pruner
    fitters: OneProcess
    stop: threading.Event
    poke: threading.Event

    def close(self) -> None:
        """Let go of everything; what runs on the cluster goes on."""
        self.fitters.close()
        self.cluster.close()
        self.store.close()


def local_ray(section: schema.LocalRay, state_dir: Path) -> LocalRay:
    """Return the local Ray cluster of a configuration, not started."""
    hosts = [
        LocalHostSpec(
            name=host.name,
            cpus=host.cpus,
            memory_mib=host.memory,
            gpus=host.gpus,
            gpu_model=host.gpu_model,
            gpu_memory_mib=host.gpu_memory,
            gpu_partitions=host.gpu_partitions,
            labels=dict(host.labels),
        )
        for host in section.hosts
    ]
    return LocalRay(hosts, state_dir)


@dataclass(frozen=True, slots=True)
class Seat:
    """By what right, and from where, a control plane acts.

    Attributes:
        lease: the right to act, which all writes and orders carry.
        url: where its API answers.
        take_over: follow a control plane with another store that is silent.
    """

    lease: HeldLease
    url: str
    take_over: bool = False


def this_process() -> str:
    """Return this process and its host, for people."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def compose(config: Config, ray: RemoteRay, seat: Seat, say: Say = nobody) -> ControlPlane:
    """Wire a control plane to a Ray cluster that runs.

    Args:
        config: checked by `load_config`.
        ray: where the cluster answers.
        seat: by what right it acts.
        say: is told what was assumed of recorded files.

    Raises:
        ConfigError: a file of the configuration cannot be read, or the store has a newer schema.
        Unreachable: the store does not answer.
    """
    close_state(config.state_dir)
    clock = clock_of(config.replay, config.state_dir)
    store = SqlStore(store_url(config), fence=seat.lease.fence.number, marker=config.state_dir / "store.held")
    board, stop, poke = Board(), threading.Event(), threading.Event()
    served = served_of(config.models)
    cluster = _cluster(config, ray, seat=seat, clock=clock, specs=store, served=served)
    policy = policy_of(config.policy, config.queues)
    fitters = OneProcess(Threads("forecast", 1, 2 * FIT_WITHIN_S), FIT_WITHIN_S)
    cycle = Cycle(
        cluster=cluster,
        store=store,
        clock=clock,
        served=served,
        sources=sources_of(config, say),
        policy=policy,
        settings=settings_of(config.control, config.policy, config.queues),
        board=board,
        tallies=cluster.tallies,
        crews=Crews(Threads("traffic", READERS, READ_WITHIN_S), fitters, poke.set),
        keep_replay=Replays(config.state_dir / "replays").keep,
        servers=servers_of(config),
    )
    desk = _desk(config, store=store, board=board, clock=clock, gate=cycle.gate, poke=poke)
    pruner = Pruner(
        rules=retention_of(config.retention),
        store=store,
        archive=store.archive,
        remains=RunRemains(config.state_dir, seat.lease.fence.owner),
        packages=desk.packages,
        clock=clock,
        board=board,
        prove=seat.lease.prove,
    )
    return ControlPlane(config, clock, store, cluster, cycle, desk, board, pruner, fitters, stop, poke)


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a control plane that waits answers with: the records, and the last plan that the leader wrote down.

    Attributes:
        config: what it was made from.
        store: read only.
        board: shows what `follow` reads.
        app: the HTTP API and the page.
    """

    config: Config
    store: SqlStore
    board: Board
    app: FastAPI

    def follow(self, message: str) -> None:
        """Show the last plan in the store, and say why there is no newer one of ours.

        Raises:
            Unreachable: the store does not answer.
        """
        cycles = self.store.cycles(limit=1)
        if not cycles:
            self.board.degrade(message)
            return
        seen = cycles[0].snapshot
        observation = Observation(seen.taken_at_s, seen.hosts, (), seen.replicas)
        report = Report(cycles[0], observation, degraded=message)
        self.board.publish(report, gpu_shares(report, Foresight())[0])


def compose_stand_in(config: Config, leader: Callable[[], Leader | None]) -> StandIn:
    """Wire a control plane that waits.

    Args:
        config: checked by `load_config`.
        leader: says who leads.

    Raises:
        Unreachable: the store does not answer.
    """
    close_state(config.state_dir)
    clock = clock_of(config.replay, config.state_dir)
    store, board = SqlStore(store_url(config), fence=0), Board()
    desk = _desk(config, store=store, board=board, clock=clock, gate=threading.RLock(), poke=Event())
    metrics = _metrics(board, store, policy_of(config.policy, config.queues))
    return StandIn(config, store, board, _app(config, clock=clock, desk=desk, metrics=metrics, leader=leader))


def store_url(config: Config) -> str:
    """Return the store's URL: what the configuration says, or SQLite inside the state directory."""
    return config.store or f"sqlite:///{config.state_dir.resolve() / 'headroom.db'}"


def web_app(plane: ControlPlane) -> FastAPI:
    """Return the HTTP API and the page of a control plane."""
    logs = AttemptLogs(plane.cluster, plane.desk)
    return _app(plane.config, clock=plane.clock, desk=plane.desk, metrics=metrics_of(plane), logs=logs)


def metrics_of(plane: ControlPlane) -> Metrics:
    """Return the metrics of a control plane; they read its board and its store."""
    return _metrics(plane.board, plane.store, plane.cycle.policy)


def _metrics(board: Board, store: SqlStore, policy: Policy) -> Metrics:
    def lowest(report: Report) -> float | None:
        return coverage_of(report, policy).lowest.ratio

    return Metrics(board, Remembered[Iterable[AttemptTotal]](store.attempt_totals, ()), lowest)


def _app(  # noqa: PLR0913  # the parts of an API, by name
    config: Config,
    *,
    clock: Clock,
    desk: Desk,
    metrics: Metrics,
    logs: AttemptLogs | None = None,
    leader: Callable[[], Leader | None] | None = None,
) -> FastAPI:
    return create_app(
        desk=desk,
        board=desk.board,
        site=Site.of(config, clock),
        bind_host=config.api.host,
        tokens=config.api.tokens,
        metrics=metrics.text,
        logs_of=logs,
        leader=leader,
        backup=partial(back_up, store_url(config)),
    )


def _desk(  # noqa: PLR0913  # the parts of a desk, by name
    config: Config, *, store: SqlStore, board: Board, clock: Clock, gate: AbstractContextManager[object], poke: Event
) -> Desk:
    return Desk(
        store=store,
        board=board,
        clock=clock,
        policy=policy_of(config.policy, config.queues),
        house=House(
            config.priorities,
            queue_names(config.queues),
            config.control.preemption_grace,
            submitters_of(config.queues),
            limits_of(config.limits, config.queues),
            {name: secret.owners for name, secret in config.secrets.items()},
        ),
        packages=PackageShelf(config.state_dir / "packages"),
        gate=gate,
        poke=poke,
    )


def _cluster(  # noqa: PLR0913  # the parts of a cluster, by name
    config: Config, ray: RemoteRay, *, seat: Seat, clock: Clock, specs: SqlStore, served: tuple[Served, ...]
) -> RayCluster:
    return RayCluster(
        ray.address,
        ray.dashboard,
        claimant=Claimant(
            seat.lease,
            this_process(),
            seat.url,
            CLAIM_PERIODS * config.control.period / clock.speed + CLAIM_MARGIN_S,
            seat.take_over,
        ),
        specs=specs,
        clock=clock,
        applications=_applications(config),
        served=[each.model for each in served],
        state_dir=config.state_dir,
        secrets=SecretShelf(secrets_of(config.secrets), config.state_dir.resolve() / "secrets"),
        router_host=config.router.host,
        router_port=config.router.port,
    )


def _applications(config: Config) -> Mapping[str, ServeApplication]:
    return {
        model.name: ServeApplication(
            import_path=model.application.import_path,
            args=model.application.args,
            runtime_env=model.application.runtime_env,
            latency_objective_s=model.latency_objective,
        )
        for model in config.models
        if model.application is not None
    }


def clock_of(replay: schema.Replay | None, state_dir: Path) -> Clock:
    """Return the world's clock; a replay that was begun in this state directory goes on where it would be by now."""
    if replay is None:
        return WallClock()
    start_s = datetime.fromisoformat(replay.start).timestamp()
    return ReplayClock.kept_in(state_dir / "replay.json", start_s, replay.speed)
