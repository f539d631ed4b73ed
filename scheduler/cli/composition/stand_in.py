"""A control plane that waits, and answers questions meanwhile."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from fastapi import FastAPI

from scheduler.cli.composition.people import api_of, metrics_over, service_of
from scheduler.cli.composition.state import clock_of, store_url
from scheduler.config.schema import Config
from scheduler.config.wiring import policy_of
from scheduler.control.leadership import Leader
from scheduler.control.private_files import close_state
from scheduler.control.reports.board import Board, Report
from scheduler.control.reports.gpu_history import PastForecasts, gpu_shares
from scheduler.model.observation import Observation
from scheduler.store.sql import SqlStore


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
        self.board.publish(report, gpu_shares(report, PastForecasts())[0])


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
    service = service_of(config, store=store, board=board, clock=clock, gate=threading.RLock(), poke=Event())
    policy = policy_of(config.policy, config.queues)
    metrics = metrics_over(board, store, lambda: policy)
    return StandIn(config, store, board, api_of(config, clock=clock, service=service, metrics=metrics, leader=leader))
