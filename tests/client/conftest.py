"""The real API over real HTTP on a free port: a small site with one GPU host, one served model and an empty queue."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn

from policies.registry import policy_from_names
from scheduler.api.app import create_app
from scheduler.api.site import Site
from scheduler.config.schema import Token
from scheduler.control.records import CycleRecord
from scheduler.control.reports.board import Board, GpuShares, ModelOutlook, PeakWindow, RatePoint, Report
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.service import ControlService
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.hosts import Device, Host
from scheduler.model.observation import Observation
from scheduler.model.plan import Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, Replica, ReplicaId, ServingModel
from simulations.memory_store import MemoryStore

NOW_S = 1_764_000_000.0
PRIORITIES = {"urgent": 100, "high": 75, "normal": 50, "low": 25}


class StillClock:
    """A clock that stands still."""

    speed = 1.0

    def now_s(self) -> float:
        """Return the one moment there is."""
        return NOW_S

    def to_world_s(self, wall_s: float) -> float:
        """Return what was given."""
        return wall_s

    def sleep(self, duration_s: float) -> None:
        """Return at once."""


@dataclass
class Live:
    """A control plane that answers; `lines` are what attempts wrote."""

    url: str
    store: MemoryStore
    packages: PackageShelf
    lines: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    backup: Callable[[Path], object] = Path.touch

    def back_up(self, file: Path) -> None:
        """Write what was put there."""
        self.backup(file)

    def logs(self, job_id: JobId, attempt: int, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield what was put there; a real backend reads it from Ray."""
        assert isinstance(follow, bool)
        written = self.lines.get((job_id, attempt), [])
        yield from written if tail is None else written[len(written) - tail :]


def _report() -> Report:
    model = ServingModel("edit-check", Shape(4000, 8192, 1), 1, 4, 130.0)
    host = Host("gpu-1", 64_000, 512 * 1024, tuple(Device(index, 192 * 1024) for index in range(4)), "MI300X")
    replica = Replica(ReplicaId("edit-check-1"), "edit-check", Slot("gpu-1", (0,)))
    snapshot = Snapshot.of(version=7, taken_at_s=NOW_S, hosts=(host,), models=(model,), replicas=(replica,))
    demand = Demand((ModelDemand("edit-check", 1, 1, 1, 10.0, 12.0, 15.0, NOW_S + 3600),))
    points = tuple(RatePoint(NOW_S + 3600.0 * hour, 8.0, 10.0, 12.0, 14.0) for hour in range(1, 49))
    outlook = ModelOutlook(
        "edit-check", "wiki", Basis.FORECAST, 10.0, 15.0, 220.0, 30 * 86400.0, 20.0, points,
        (PeakWindow(172800.0, NOW_S + 3600, 10.0, 12.0, 14.0),), tuple((point.at_s, 1) for point in points),
    )  # fmt: skip
    cycle = CycleRecord(7, NOW_S, snapshot, demand, Plan(7), 0.01)
    return Report(cycle, Observation(NOW_S, (host,), (), (replica,)), (outlook,))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Live]]:
    """Start control planes; with `tokens` (role by token) they demand one."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def begin(**tokens: str) -> Live:
        store, board, clock, policy = MemoryStore(), Board(), StillClock(), policy_from_names()
        board.publish(_report(), GpuShares(NOW_S, 0.7, 0.7, 0.9, 1.0, 1.0, 0.0, 0.0, 0.0, 3.0, 0.0))
        packages = PackageShelf(tmp_path / "packages", 2**20)
        service = ControlService(
            store=store, board=board, clock=clock, policy=policy, packages=packages,
            site_limits=SiteLimits(PRIORITIES, ("default", "research"), 60.0),
            gate=threading.Lock(), poke=threading.Event(),
        )  # fmt: skip
        site = Site("small", "ray", clock, policy, queues=("default", "research"), longest_grace_s=60.0)
        live = Live("", store, packages)
        known = [
            Token(name=f"{role}-{number}", role=role, sha256=hashlib.sha256(token.encode()).hexdigest())
            for number, (token, role) in enumerate(tokens.items())
        ]
        app = create_app(service=service, board=board, site=site, tokens=known, logs_of=live.logs, backup=live.back_up)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run)
        thread.start()
        running.append((server, thread))
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        live.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        return live

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture
def live(start: Callable[..., Live]) -> Live:
    """A control plane that takes everybody on this machine."""
    return start()
