# ruff: noqa: E501  # hosts, jobs and events are tables, a line each
"""A site like Lift Wing on a Monday evening, built from the real nouns: what the API and the page are shown."""

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from policies.registry import policy_from_names
from scheduler.api.app import create_app
from scheduler.api.site import Site
from scheduler.config.model import ModelForms
from scheduler.config.wiring import served_from
from scheduler.control.records import (
    AttemptRecord,
    CycleRecord,
    DesiredState,
    EventKind,
    EventRecord,
    JobRecord,
    Outcome,
)
from scheduler.control.reports.board import Board, GpuShares, ModelOutlook, PeakWindow, RatePoint, Report, RequestCounts
from scheduler.control.runtimes import RunTimes
from scheduler.control.service.admission import SiteLimits
from scheduler.control.service.artifacts import ArtifactShelf
from scheduler.control.service.models import ModelForm
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.service import ControlService
from scheduler.model.demand import Basis, Demand, ModelDemand
from scheduler.model.hosts import Device, Host, HostState
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Observation
from scheduler.model.plan import Booking, Cause, PeakHold, Plan, PreemptJob, Reason, Reservation, Unplaced
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ReplicaState, ServingModel, TrainingJob
from simulations.memory_store import MemoryStore

NOW_S = datetime(2026, 11, 23, 17, 24, tzinfo=UTC).timestamp()
HOUR_S, MINUTE_S = 3600.0, 60.0
CYCLE = 18422
GIB = 1024


def gpu_shape(gpus: int = 1, milli: int = 1000, cpus: int = 8, memory_gib: int = 64, model: str = "") -> Shape:
    models = frozenset({model}) if model else frozenset()
    return Shape(cpus * 1000, memory_gib * GIB, gpus, milli, gpu_models=models)


MODELS = (
    ServingModel("edit-check", gpu_shape(cpus=16), 2, 6, 130.0),
    ServingModel("revertrisk-wikidata", gpu_shape(cpus=12), 2, 5, 220.0),
    ServingModel("gpt-oss-safeguard-20b", gpu_shape(2, cpus=16, memory_gib=128), 1, 2, 1250.0),
    ServingModel("llm-qwen3-14b", gpu_shape(memory_gib=96), 1, 3, 1100.0),
    ServingModel("qwen3.6-27b", gpu_shape(memory_gib=128), 1, 2, 1145.0),
    ServingModel("embeddings", gpu_shape(milli=250, cpus=4, memory_gib=16), 1, 4, 90.0),
    ServingModel("revise-tone-task-generator", gpu_shape(), 1, 2, 240.0),
    ServingModel("articletopic", Shape(20_000, 60 * GIB), 3, 8, 40.0),
    ServingModel("cope-b-a4b", gpu_shape(), 1, 1, 660.0, community=True),
    ServingModel("cope-a-9b", gpu_shape(), 1, 1, 660.0, community=True),
)
LOADS = {  # model: requests/s now, per replica, share of the evening's rise
    "edit-check": (35.1, 15.0, 0.46),
    "revertrisk-wikidata": (6.4, 2.9, 0.3),
    "gpt-oss-safeguard-20b": (11.2, 24.0, 0.25),
    "llm-qwen3-14b": (38.4, 27.0, 0.36),
    "qwen3.6-27b": (9.0, 22.3, 0.3),
    "embeddings": (22.5, 14.7, 0.3),
    "revise-tone-task-generator": (3.1, 7.0, 0.3),
    "articletopic": (140.0, 60.0, 0.25),
    "cope-b-a4b": (2.1, 6.4, 0.2),
    "cope-a-9b": (0.0, 5.0, 0.2),
}
REPLICAS = {
    "edit-check": (("1009", 0), ("1009", 1), ("1015", 3)),
    "revertrisk-wikidata": (("1015", 0), ("1015", 1), ("1015", 2)),
    "gpt-oss-safeguard-20b": (("1012", 0, 1),),
    "llm-qwen3-14b": (("1013", 0), ("1014", 0)),
    "qwen3.6-27b": (("1012", 2),),
    "embeddings": (("1013", 1), ("1013", 1)),
    "revise-tone-task-generator": (("1010", 0),),
    "articletopic": (("1001",), ("1002",), ("1003",), ("1004",)),
    "cope-b-a4b": (("1012", 3),),
    "cope-a-9b": (("1013", 2),),
}


def slot(number: str, *devices: int) -> Slot:
    return Slot(f"ml-serve{number}", devices)


def hosts() -> tuple[Host, ...]:
    gpu = [Host(f"ml-serve{n}", 64_000, 512 * GIB, _devices(2), "MI210") for n in (1009, 1010, 1011)]
    gpu += [Host(f"ml-serve{n}", 128_000, 1536 * GIB, _devices(8), "MI300X") for n in (1012, 1013, 1015)]
    drained_at_s, lost_at_s = NOW_S - 22 * MINUTE_S, NOW_S - 33 * MINUTE_S
    drained = Host("ml-serve1014", 128_000, 1536 * GIB, _devices(8), "MI300X")
    gpu.append(replace(drained, state=HostState.DRAINING, reason="power supply swap", since_s=drained_at_s))
    cpu = [Host(f"ml-serve{n}", 48_000, 256 * GIB) for n in range(1001, 1008)]
    cpu.append(Host("ml-serve1008", 48_000, 256 * GIB, state=HostState.LOST, reason="no heartbeat", since_s=lost_at_s))
    return (*gpu, *cpu)


def _devices(count: int) -> tuple[Device, ...]:
    return tuple(Device(index, 192 * GIB) for index in range(count))


def replicas() -> Iterator[Replica]:
    for model, places in REPLICAS.items():
        for number, (host, *devices) in enumerate(places):
            state = ReplicaState.STARTING if model == "cope-a-9b" else ReplicaState.READY
            yield Replica(ReplicaId(f"{model}-{number}"), model, slot(host, *devices), state, NOW_S - 4 * MINUTE_S)


def swing(at_s: float) -> float:
    """The day's shape: 0 at night, 1 at the evening peak of 19:00 UTC, more on Tuesday."""
    hour = (at_s / HOUR_S - 19) % 24
    evening = math.exp(-((min(hour, 24 - hour) / 2.6) ** 2))
    day = 0.5 + 0.5 * math.cos((hour + 3) / 24 * 2 * math.pi)
    return (0.7 * day + 0.42 * evening) * (1.1 if at_s > NOW_S + 12 * HOUR_S else 1.0)


def load(model: str, at_s: float) -> float:
    now, _, rise = LOADS[model]
    return now * (0.35 + 0.65 * swing(at_s) / swing(NOW_S)) * (1 + rise * (swing(at_s) - swing(NOW_S)))


def outlook(model: ServingModel, ahead_h: int = 96) -> ModelOutlook:
    _, per_replica, _ = LOADS[model.name]
    times = [NOW_S + step * 900.0 for step in range(1, ahead_h * 4)]
    points = tuple(_rate_point(model.name, at_s) for at_s in times)
    wanted = [max(model.min_replicas, math.ceil(point.p99 / per_replica)) for point in points]
    peaks = tuple(_peak(points, hours * HOUR_S) for hours in (1, 6, 24, 48))
    steps = tuple((at_s, min(count, model.max_replicas)) for at_s, count in zip(times, wanted, strict=True))
    recent = tuple((at_s, load(model.name, at_s)) for at_s in (NOW_S - step * 900.0 for step in range(200, 0, -1)))
    lead_time_s = model.warm_up_s + 90.0
    return ModelOutlook(
        model.name, "wikipedia-en", Basis.FORECAST, LOADS[model.name][0], per_replica, lead_time_s,
        26 * 7 * 86400.0, 22.0, points, peaks, steps, recent,
    )  # fmt: skip


def _rate_point(model: str, at_s: float) -> RatePoint:
    middle = load(model, at_s)
    spread = 0.03 + 0.05 * min(1.0, (at_s - NOW_S) / (48 * HOUR_S))
    return RatePoint(
        at_s, middle * (1 - 1.3 * spread), middle, middle * (1 + 1.3 * spread), middle * (1 + 2.6 * spread)
    )


def _peak(points: tuple[RatePoint, ...], window_s: float) -> PeakWindow:
    top = max((p for p in points if p.at_s <= NOW_S + window_s), key=lambda p: p.p99)
    return PeakWindow(window_s, top.at_s, top.p50, top.p90, top.p99)


def demand() -> Demand:
    def of(model: ServingModel) -> ModelDemand:
        now, per_replica, _ = LOADS[model.name]
        ahead = outlook(model)
        wanted = max(p.p99 for p in ahead.points[:2])
        held = max(count for _, count in ahead.replicas[:24])
        need = max(model.min_replicas, math.ceil(wanted / per_replica))
        return ModelDemand(
            model.name, math.ceil(now / per_replica), need, max(need, held), now, wanted, per_replica, NOW_S + 5760
        )

    return Demand(tuple(of(model) for model in MODELS))


@dataclass(frozen=True)
class Ask:
    """One line of the queue, from which spec, record and planner's job are made."""

    job_id: str
    name: str
    owner: str
    priority_class: str
    state: JobState
    age_min: float
    workers: int
    shape: Shape
    where: tuple[Slot, ...] = ()
    ran_min: float = 0.0
    step: int | None = None
    total: int | None = None
    saved_min: float | None = None
    preempted_min: float | None = None
    hold_reason: str = ""
    priorities: dict[str, int] = field(default_factory=lambda: {"urgent": 100, "high": 75, "normal": 50, "low": 25})

    @property
    def queue(self) -> str:
        """Teams that answer for models share one queue, all others another."""
        return "product" if self.owner in {"moderation", "growth"} else "research"

    def spec(self) -> JobSpec:
        """What was asked for."""
        return JobSpec(
            self.name, "python train.py", Gang(self.workers, self.shape), self.owner, self.queue,
            self.priority_class, self.priorities[self.priority_class], checkpoint_interval_s=600.0,
        )  # fmt: skip

    def record(self) -> JobRecord:
        """The same as stored."""
        desired = DesiredState.HOLD if self.state is JobState.HELD else DesiredState.RUN
        submitted_at_s = NOW_S - self.age_min * MINUTE_S
        attempts = tuple(self._attempts())
        return JobRecord(
            JobId(self.job_id), self.spec(), self.state, desired, submitted_at_s,
            hold_reason=self.hold_reason, attempts=attempts,
        )  # fmt: skip

    def _attempts(self) -> Iterator[AttemptRecord]:
        started_at_s = NOW_S - self.ran_min * MINUTE_S
        saved_at_s = None if self.saved_min is None else NOW_S - self.saved_min * MINUTE_S
        attempt = AttemptRecord(
            JobId(self.job_id), 1, self.where, started_at_s - 9, started_at_s,
            stop_asked_at_s=NOW_S - 22 if self.state is JobState.PREEMPTING else None,
            checkpoint_step=self.step, checkpointed_at_s=saved_at_s, total_steps=self.total,
        )  # fmt: skip
        if self.preempted_min is not None:
            ended_at_s = NOW_S - self.preempted_min * MINUTE_S
            yield replace(
                attempt, slots=(slot("1015", 4, 5, 6, 7),), ended_at_s=ended_at_s, outcome=Outcome.PREEMPTED,
                cause="for the peak of edit-check", lost_gpu_s=164.0,
            )  # fmt: skip
        elif self.where:
            yield attempt

    def planned(self) -> TrainingJob:
        """The same as the planner sees it."""
        spec = self.spec()
        return TrainingJob(
            JobId(self.job_id), self.name, spec.gang, spec.queue, self.owner, spec.priority, state=self.state,
            submitted_at_s=NOW_S - self.age_min * MINUTE_S, attempt=1 if self.where else 0, slots=self.where,
        )  # fmt: skip


PENDING, RUNNING = JobState.PENDING, JobState.RUNNING
FOUR = tuple(slot("1013", index) for index in (3, 4, 5, 6))
ASKS = (
    Ask("398", "revertrisk-v4", "moderation", "high", RUNNING, 262, 1, gpu_shape(3), (slot("1012", 5, 6, 7),), 250, 71_000, 100_000, 6),
    Ask("401", "wikitext-lm", "search", "normal", RUNNING, 700, 4, gpu_shape(), FOUR, 692, 48_200, 100_000, 3),
    Ask("405", "image-topics", "growth", "normal", RUNNING, 180, 1, gpu_shape(4), (slot("1014", 1, 2, 3, 4),), 171, 94_200, 100_000, 1),
    Ask("409", "embed-wiki-large", "search", "normal", JobState.PREEMPTING, 206, 1, gpu_shape(4), (slot("1015", 4, 5, 6, 7),), 200, 5_200, 10_000, 0.4),
    Ask("412", "addlink-fr", "growth", "low", RUNNING, 55, 2, gpu_shape(), (slot("1011", 0), slot("1011", 1)), 48, 6_600, 10_000, 8),
    Ask("417", "talkpage-tone", "moderation", "high", PENDING, 22, 8, gpu_shape(model="MI300X")),
    Ask("420", "addlink-pt", "growth", "normal", PENDING, 9, 2, gpu_shape()),
    Ask("399", "outlink-embed", "search", "normal", JobState.PREEMPTED, 320, 4, gpu_shape(model="MI300X"), ran_min=234, step=18_400, total=60_000, saved_min=87, preempted_min=86),
    Ask("421", "outlink-topic-v3", "search", "normal", PENDING, 4, 1, gpu_shape(2, model="MI300X")),
    Ask("423", "wd-vandalism", "community", "low", PENDING, 1, 1, gpu_shape(milli=500)),
    Ask("406", "article-desc-mt5", "research", "low", PENDING, 361, 16, gpu_shape(model="MI300X")),
    Ask("424", "ores-retrain", "growth", "low", JobState.HELD, 1570, 1, Shape(4000, 8 * GIB), hold_reason="wait for new labels"),
)  # fmt: skip


WHY = (
    Unplaced("417", Reason.INSUFFICIENT_DEVICES, "needs 8 on one host; best host has 1 free, 4 after 18:10. Held for the evening peak until 22:20", 8, 1, NOW_S + 296 * MINUTE_S, ("405",)),
    Unplaced("420", Reason.WAITS_FOR_PREEMPTION, "next: starts on ml-serve1011 when 412 ends", 2, 0, NOW_S + 46 * MINUTE_S, ("412",)),
    Unplaced("399", Reason.HELD_FOR_SERVING, "preempted 15:58 for the peak; resumes from step 18 400", 4, 1),
    Unplaced("421", Reason.INSUFFICIENT_DEVICES, "1 free, 2 asked; may fit when 405 ends, else after the peak", 2, 1, None, ("405",)),
    Unplaced("423", Reason.RESERVED, "starts next cycle in the free part of ml-serve1013:7"),
    Unplaced("406", Reason.INSUFFICIENT_DEVICES, "larger than the GPUs left by day; night window only", 16, 1),
    Unplaced("424", Reason.HELD_BY_OWNER, "held by its owner: “wait for new labels”"),
)  # fmt: skip
PLAN = Plan(
    CYCLE,
    actions=(PreemptJob(JobId("409"), 1, 60.0, Cause.SERVING, "edit-check", 88.0 * 4),),
    reservations=(Reservation("llm-qwen3-14b", (slot("1012", 4),), NOW_S - 600, NOW_S + 600),),
    unplaced=WHY,
    holds=(PeakHold(("edit-check",), Shape(gpu_count=1), (slot("1010", 1),), NOW_S + 5760),),
    bookings=(Booking(JobId("406"), (slot("1013", 3, 4, 5, 6), slot("1012", 0, 1)), NOW_S + 4 * HOUR_S, float("inf")),),
)
EVENTS = (
    (64, EventKind.SERVING, "edit-check", "edit-check 2 → 3 replicas", "ready 1 min 58 s before the load"),
    (48, EventKind.TRAINING, "412", "412 addlink-fr started", "waited 7 min"),
    (36, EventKind.FORECAST, "edit-check", "demand above p90 for 12 min", "forecast corrected +3.1 % for the next 6 h"),
    (33, EventKind.FAILURE, "ml-serve1008", "ml-serve1008 unreachable", "3 replicas of articletopic moved in 9 s; no request lost"),
    (22, EventKind.HOST, "ml-serve1014", "ml-serve1014 draining", "power supply swap"),
    (9, EventKind.TRAINING, "405", "405 checkpointed", "step 94 200"),
    (4, EventKind.SERVING, "cope-a-9b", "cope-a-9b starting on ml-serve1013:2", "warm-up 11 min"),
    (0.3, EventKind.PREEMPTION, "409", "409 embed-wiki-large preempting", "4 GPUs for edit-check ×2, revertrisk-wikidata ×1 by 18:15; cost 1 min 28 s of 4 GPUs"),
)  # fmt: skip


def request_counts(share: float = 1.0) -> tuple[tuple[str, RequestCounts], ...]:
    counts = {"edit-check": (152_310, 0), "llm-qwen3-14b": (64_000, 2), "revertrisk-wikidata": (32_000, 0)}
    return tuple(
        (name, RequestCounts(round(total * share), round(late * share))) for name, (total, late) in counts.items()
    )


def history(hours: float = 26.0) -> Iterator[GpuShares]:
    """Yield a point every 5 minutes; demand over what had been forecast, capacity in the steps that were taken."""
    gpu_models = [model for model in MODELS if model.shape.gpu_count]
    for step in range(int(hours * 12), -1, -1):
        at_s = NOW_S - step * 300.0
        wobble = 1 + 0.02 * math.sin(step / 2.3) + 0.012 * math.sin(step / 0.7)
        need = sum(load(m.name, at_s) / LOADS[m.name][1] * m.shape.total_gpu_milli / 1000 for m in gpu_models)
        soon = sum(load(m.name, at_s + HOUR_S) / LOADS[m.name][1] * m.shape.total_gpu_milli / 1000 for m in gpu_models)
        serving = 14.0 if step < 3 else max(9.0, min(13.0, math.ceil(max(need, soon) * 1.13)))
        held, drained = (2.0 if step < 30 else 0.0), (3.0 if step < 5 else 0.0)
        training = min(38 - serving - held - drained - 1, 25.0 if 90 < step < 140 else 21.0)
        rest = 38 - serving - held - drained - training
        share = 1 - step / (12 * 26)
        yield GpuShares(
            at_s,
            need * wobble,
            need,
            need * 1.09,
            serving,
            serving,
            held,
            0.0,
            training,
            rest,
            drained,
            request_counts(share),
        )


def observation() -> Observation:
    """What the cluster itself says: of what operators want of hosts it knows nothing."""
    seen = (host if host.state is HostState.LOST else replace(host, state=HostState.READY) for host in hosts())
    return Observation(NOW_S, tuple(seen), (), tuple(replicas()))


QUEUES = (
    Queue("default"),
    Queue("product", guarantee=Amounts(gpu_milli=8000)),
    Queue("research", guarantee=Amounts(gpu_milli=12_000), weight=2.0),
)
USAGE = (MeanUse("product", "growth", gpu_milli=6100.0), MeanUse("research", "search", gpu_milli=9400.0))


def snapshot() -> Snapshot:
    return Snapshot.of(
        version=CYCLE, taken_at_s=NOW_S, hosts=hosts(), models=MODELS, replicas=replicas(),
        jobs=(ask.planned() for ask in ASKS), reservations=PLAN.reservations, queues=QUEUES, usage=USAGE,
    )  # fmt: skip


@cache
def report() -> Report:
    """The last report of the evening; frozen, so that all tests share it."""
    cycle = CycleRecord(CYCLE, NOW_S, snapshot(), demand(), PLAN, 0.014)
    return Report(
        cycle, observation(), tuple(outlook(model) for model in MODELS), request_counts(), run_times=run_times()
    )


def run_times() -> RunTimes:
    """How long the last models of addlink took: less than an hour and a half each."""
    learned, job = RunTimes(), next(ask.record() for ask in ASKS if ask.name == "addlink-pt")
    for minutes in (41, 55, 83):
        attempt = AttemptRecord(job.job_id, 1, (), 0.0, 0.0, ended_at_s=minutes * MINUTE_S, outcome=Outcome.SUCCEEDED)
        learned.learn([replace(job, state=JobState.SUCCEEDED, attempts=(attempt,))])
    return learned


@cache
def shares() -> tuple[GpuShares, ...]:
    """The day before, up to the moment of the report."""
    return tuple(history())


class StillClock:
    """A clock that is set by hand."""

    speed = 1.0

    def __init__(self, at_s: float = NOW_S + 2.0) -> None:
        self.at_s = at_s

    def now_s(self) -> float:
        """Return what was set."""
        return self.at_s

    def to_world_s(self, wall_s: float) -> float:
        """Return the same."""
        return wall_s

    def sleep(self, duration_s: float) -> None:
        """Let time pass at once."""
        self.at_s += duration_s


class InProcess(httpx.BaseTransport):
    """Carries whole requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer when the whole body of the answer is there."""
        return anyio.run(self._handle, request)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        whole = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        answer = await self._inner.handle_async_request(whole)
        return httpx.Response(answer.status_code, headers=_unzipped(answer.headers), content=await answer.aread())


def _unzipped(headers: httpx.Headers) -> httpx.Headers:
    return httpx.Headers([pair for pair in headers.multi_items() if pair[0] != "content-encoding"])


@dataclass
class World:
    """A control plane whose loop is the test: it publishes what it likes."""

    store: MemoryStore
    board: Board
    clock: StillClock
    service: ControlService
    site: Site

    def publish(self, shown: Report | None = None) -> None:
        """Make a report the last one, with the moment's shares."""
        shown = shown or report()
        self.board.publish(shown, replace(shares()[-1], at_s=shown.cycle.at_s))
        self.board._planned_at_s = shown.cycle.at_s

    def app(self, **changes: Any) -> FastAPI:
        """Return the application over this control plane."""
        return create_app(service=self.service, board=self.board, site=self.site, **changes)

    def http(self, token: str = "", **changes: Any) -> httpx.Client:
        """Return a client that calls the application without a network."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(transport=InProcess(self.app(**changes)), base_url="http://127.0.0.1:8321", headers=headers)


@pytest.fixture
def empty_world(tmp_path: Path) -> World:
    """A control plane before its first cycle."""
    return world_of(MemoryStore(), tmp_path)


def world_of(store: MemoryStore, folder: Path) -> World:
    clock = StillClock()
    board = Board(timer=clock.now_s)
    policy = policy_from_names()
    site_limits = SiteLimits({"urgent": 100, "high": 75, "normal": 50, "low": 25}, ("default", "product", "research"))
    service = ControlService(
        store=store, board=board, clock=clock, policy=policy, site_limits=site_limits, packages=PackageShelf(folder / "packages", 2 * 2**20),
        gate=threading.Lock(), poke=threading.Event(), models=ModelForm({}, served_from, ArtifactShelf(folder / "artifacts")),
    )  # fmt: skip
    owners = {"edit-check": "editing", "revertrisk-wikidata": "moderation", "llm-qwen3-14b": "research"}
    site = Site(
        "ml-serve-eqiad",
        "ray",
        clock,
        policy,
        queues=("default", "product", "research"),
        owners=owners,
        models=ModelForms(("wikipedia-en",)),
    )
    return World(store, board, clock, service, site)


@pytest.fixture
def world_to_be(tmp_path: Path) -> World:
    """The control plane of that evening with its jobs in the store, before its first cycle."""
    return world_of(MemoryStore(ask.record() for ask in ASKS), tmp_path)


@pytest.fixture
def world(world_to_be: World) -> World:
    """The control plane of a Monday evening, its peak 96 minutes away."""
    for minutes, kind, subject, title, detail in EVENTS:
        world_to_be.store.record(EventRecord(NOW_S - minutes * MINUTE_S, CYCLE, kind, subject, title, detail))
    world_to_be.board.history.extend(shares()[:-1])
    world_to_be.publish()
    return world_to_be


@pytest.fixture
def http(world: World) -> httpx.Client:
    """Call the API of the evening's control plane as somebody on its machine."""
    return world.http()


@pytest.fixture
def serve() -> Iterator[Callable[[FastAPI], str]]:
    """Serve applications on loopback until the test is over; returns their address."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: FastAPI) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = True
    for _, thread in running:
        thread.join(10)
