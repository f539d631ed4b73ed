"""A control plane made of canned answers, and a terminal to look at what the command line prints."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scheduler.cli.main import run
from scheduler.wire.base import ErrorAnswer, ErrorBody, Listing, Resource, Single, Why
from scheduler.wire.control import Status
from scheduler.wire.forecasts import Forecast, ForecastPoint, Peak
from scheduler.wire.hosts import Device, DeviceUse, Host
from scheduler.wire.jobs import Attempt, Condition, Event, ExpectedStart, Job, PreemptionRisk
from scheduler.wire.queues import Amounts, Queue
from scheduler.wire.serving import Capacity, CapacityPoint, ServedModel

NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)
CYCLE = 18422
GIB = 2**30


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> dict[str, Any]:
        """The body, read."""
        return json.loads(self.body)


@dataclass
class ControlPlane:
    """Answers with what a test puts into `answers`, by method and path below /api/v1."""

    answers: dict[tuple[str, str], object] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=lambda: {"/backup": "application/vnd.sqlite3"})
    url: str = ""

    def gives(self, method: str, path: str, answer: object) -> None:
        """Answer with a resource, a text, a (status, ErrorBody), or what a function of the request returns."""
        self.answers[method, path] = answer

    def fails(self, method: str, path: str, status: int, message: str, **parts: object) -> None:
        """Answer with an error."""
        body = ErrorBody(code=str(parts.pop("code", "Error")), message=message, **parts)
        self.answers[method, path] = (status, ErrorAnswer(error=body, errors=(body,)))

    def of(self, method: str, path: str) -> list[Asked]:
        """Return what was asked so far of one place."""
        return [one for one in self.asked if (one.method, one.path) == (method, path)]


def listing(kind: str, *items: Resource) -> Listing:
    return Listing(kind=kind, observed_at=NOW, cycle=CYCLE, items=items)


def single(kind: str, item: Resource) -> Single:
    return Single(kind=kind, observed_at=NOW, cycle=CYCLE, item=item)


def a_job(job_id: str, name: str, **changes: object) -> Job:
    plain = {
        "id": job_id,
        "name": name,
        "owner": "ana",
        "queue": "research",
        "priority_class": "normal",
        "priority": 50,
        "preemptible": True,
        "state": "Pending",
        "workers": 1,
        "gpus_per_worker": 1.0,
        "gpus": 1.0,
        "cpus_per_worker": 4.0,
        "memory_bytes_per_worker": 8 * GIB,
        "submitted_at": NOW - timedelta(minutes=22),
        "age_s": 1320.0,
        "wait_s": 1320.0,
        "run_s": 0.0,
        "entrypoint": "python train.py",
        "grace_period_s": 60.0,
        "checkpoint_interval_s": 600.0,
    }
    return Job(**{**plain, **changes})


@pytest.fixture
def jobs() -> tuple[Job, ...]:
    mi300x = {"gpu_models": ("MI300X",)}
    return (
        a_job(
            "398", "revertrisk-v4", priority_class="high", state="Running", gpus=3.0, age_s=15000.0, run_s=15000.0,
            where=("ml-serve1012:0,1,2",), **mi300x,
            expected_end=ExpectedStart(p50=NOW + timedelta(minutes=101), p90=NOW + timedelta(minutes=136)),
            preemption_risk=PreemptionRisk(share=0.22, within_s=6 * 3600.0, lost_gpu_s=1200.0),
        ),
        a_job(
            "409", "embed-wiki-large", state="Preempting", gpus=4.0, age_s=12000.0, where=("ml-serve1014:0,1",),
            **mi300x,
        ),
        a_job(
            "417", "talkpage-tone", priority_class="high", gpus=8.0, order=1,
            why=Why(
                code="InsufficientDevices", message="8 on one host, best 4", asked=8, free=4,
                until=NOW + timedelta(hours=5), blocked_by=("405", "edit-check"),
            ), **mi300x,
        ),
        a_job(
            "420", "addlink-pt", gpus=2.0, workers=2, age_s=540.0, order=2,
            why=Why(code="Reserved", message="next, when 412 ends", until=NOW + timedelta(minutes=50)),
            expected_start=ExpectedStart(p50=NOW + timedelta(minutes=40), p90=NOW + timedelta(hours=3)),
        ),
        a_job(
            "424", "ores-retrain", priority_class="low", state="Held", gpus=0.0, gpus_per_worker=0.0, age_s=93600.0,
            why=Why(code="HeldByOwner", message="wait for labels"),
        ),
    )  # fmt: skip


@pytest.fixture
def described() -> Job:
    return a_job(
        "401", "wikitext-lm", state="Running", gpus=4.0, workers=4, gpu_models=("MI300X",), run_s=41520.0,
        where=("ml-serve1013:3", "ml-serve1013:4", "ml-serve1013:5", "ml-serve1013:6"),
        step=48200, total_steps=100000, checkpointed_at=NOW - timedelta(minutes=3),
        conditions=(
            Condition(type="Accepted", at=NOW - timedelta(hours=14)),
            Condition(type="Admitted", at=NOW - timedelta(hours=11, minutes=34)),
        ),
        attempts=(
            Attempt(
                number=1, started_at=NOW - timedelta(hours=13), ended_at=NOW - timedelta(hours=12), outcome="Preempted",
                cause="for llm-qwen3-14b", checkpoint_step=11900, lost_gpu_s=164.0,
            ),
            Attempt(number=2, started_at=NOW - timedelta(hours=11, minutes=32), resumed_from_step=11900),
        ),
        events=tuple(
            Event(
                id=number, at=NOW - timedelta(minutes=50 - number), cycle=number, kind="training", subject="401",
                title=f"checkpoint {number}",
            )
            for number in range(1, 6)
        ),
    )  # fmt: skip


def _use(holder: str, kind: str, gpu_milli: int = 1000) -> tuple[DeviceUse, ...]:
    return (DeviceUse(holder=holder, name=holder, kind=kind, gpu_milli=gpu_milli),)


@pytest.fixture
def hosts() -> tuple[Host, ...]:
    kinds = ["serving", "serving", "community", "community", "held", "training", "training", "preempting"]
    full = tuple(
        Device(index=index, memory_bytes=192 * GIB, uses=_use(f"x-{kind}", kind)) for index, kind in enumerate(kinds)
    )
    half = tuple(
        Device(index=index, memory_bytes=192 * GIB, uses=_use("edit-check", "serving", 500) if index == 0 else ())
        for index in range(8)
    )
    size = {"cpus": 128.0, "memory_bytes": 1024 * GIB, "gpu_model": "MI300X", "labels": {"rack": "a"}}
    return (
        Host(name="ml-serve1008", state="lost", reason="no heartbeat", since=NOW - timedelta(minutes=33), cpus=48.0,
             cpus_used=0.0, memory_bytes=256 * GIB, memory_bytes_used=0),
        Host(name="ml-serve1012", state="ready", since=NOW - timedelta(days=41), devices=full, cpus_used=92.0,
             memory_bytes_used=676 * GIB, **size),
        Host(name="ml-serve1013", state="ready", devices=half, cpus_used=4.0, memory_bytes_used=8 * GIB, **size),
        Host(name="ml-serve1014", state="draining", reason="power supply swap", since=NOW - timedelta(minutes=22),
             devices=half, cpus_used=63.0, memory_bytes_used=532 * GIB, **size),
    )  # fmt: skip


@pytest.fixture
def models() -> tuple[ServedModel, ...]:
    plain = {
        "owner": "editing", "community": False, "ready": 3, "starting": 0, "wanted": 3, "peak_replicas": 5,
        "peak_at": NOW + timedelta(hours=1, minutes=36), "min_replicas": 1, "max_replicas": 6, "rps_now": 35.1,
        "rps_wanted": 47.0, "rps_per_replica": 15.0, "headroom_ratio": 1.28, "lowest_ratio_48h": 1.08,
        "lead_time_s": 1560.0, "warm_up_s": 130.0, "basis": "forecast", "late_24h": 0, "failed_24h": 0,
        "requests_24h": 90000, "gpus_per_replica": 1.0,
    }  # fmt: skip
    return (
        ServedModel(**plain | {"name": "edit-check"}),
        ServedModel(
            **plain | {"name": "revertrisk-wikidata", "headroom_ratio": 1.05, "rps_now": 6.9, "rps_wanted": 8.6}
        ),
        ServedModel(**plain | {"name": "reference-need", "headroom_ratio": 0.93}),
        ServedModel(
            **plain
            | {"name": "cope-a-9b", "owner": "", "ready": 0, "starting": 1, "headroom_ratio": None, "peak_at": None,
               "why": Why(code="InsufficientDevices", message="1 MI300X needed, none is free", asked=1)}
        ),
    )  # fmt: skip


@pytest.fixture
def capacity() -> Capacity:
    points = tuple(
        CapacityPoint(at=NOW + timedelta(hours=hour), p50=10.0 + hour % 7, p99=12.1 + hour % 7, planned=14.0 + hour % 7,
                      training=17.0 - hour % 7)
        for hour in range(49)
    )  # fmt: skip
    return Capacity(
        verdict="Serving is covered for the next 48 h.", detail="Preempting 409 for edit-check at 18:15.",
        notice="ml-serve1014 is draining.", covered=True, headroom_ratio=1.16, headroom_model="edit-check",
        lowest_ratio=1.08, lowest_at=NOW + timedelta(hours=26), lowest_model="edit-check", horizon_s=172800.0,
        lead_time_s=1560.0, gpus=38, gpus_serving=14.5, gpus_training=17.0, gpus_held=1.5, gpus_reserved=0.5,
        gpus_free=1.5, gpus_drained=3.0, serving_gpus_ready=14.0, serving_gpus_p99_now=12.1, waiting=2,
        oldest_wait_s=1320.0, requests_24h=90000, late_24h=0, failed_24h=0, gpu_s_lost_24h=164.0,
        gpu_s_trained_24h=1e6, preemptions_24h=1,
        points=points,
    )  # fmt: skip


@pytest.fixture
def forecast() -> Forecast:
    points = tuple(
        ForecastPoint(at=NOW + timedelta(hours=hour), p10=20.0, p50=30.0 + hour, p90=40.0 + hour, p99=45.0 + hour)
        for hour in range(24)
    )
    peak = Peak(window_s=86400.0, at=NOW + timedelta(hours=23), p50=53.0, p90=63.0, p99=68.0)
    return Forecast(
        model="edit-check", source="prometheus", basis="forecast", history_s=26 * 604800.0, source_age_s=22.0,
        points=points, peaks=(peak,),
    )  # fmt: skip


@pytest.fixture
def status() -> Status:
    return Status(
        version="0.1.0", cluster="eqiad", backend="ray", state="live", period_s=30.0, speed=1.0, last_plan_at=NOW,
        last_plan_age_s=4.2, plan_duration_s=0.014, role="operator", caller="ana",
    )  # fmt: skip


@pytest.fixture
def events() -> tuple[Event, ...]:
    host, preemption = "ml-serve1014 draining", "409 embed-wiki-large preempted for edit-check"
    before = NOW - timedelta(hours=1)
    return (
        Event(
            id=7, at=before, cycle=18400, kind="host", subject="ml-serve1014", title=host, detail="power supply swap"
        ),
        Event(id=8, at=NOW, cycle=18422, kind="preemption", subject="409", title=preemption),
    )


def _handler(plane: ControlPlane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self._body()
            query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            asked = Asked(self.command, parts.path.removeprefix("/api/v1"), query, body, dict(self.headers))
            plane.asked.append(asked)
            answer = plane.answers.get((asked.method, asked.path))
            if callable(answer):
                answer = answer(asked)
            if answer is None:
                nothing = ErrorBody(code="NotFound", message=f"there is nothing at {parts.path}")
                answer = (404, ErrorAnswer(error=nothing, errors=(nothing,)))
            status, shown = answer if isinstance(answer, tuple) else (200, answer)
            text = shown if isinstance(shown, str) else shown.model_dump_json(by_alias=True)
            self.send_response(status)
            self.send_header("Content-Type", plane.types.get(asked.path, "application/json"))
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # the library's names

        def log_message(self, *_: object) -> None:
            """Keep the test's output quiet."""

    return Handler


@pytest.fixture
def queues() -> tuple[Queue, ...]:
    """One queue below its guarantee, and one that borrows."""
    product = Queue(
        name="product", weight=1.0, guarantee=Amounts(gpus=16), borrow_limit=Amounts(), lend_limit=Amounts(),
        used=Amounts(gpus=12, cpus=48), guaranteed_gpus=16, borrowed_gpus=0, lent_gpus=4, share=0.3, mean_share=0.41,
        running=5, waiting=0, waiting_gpus=0,
    )  # fmt: skip
    research = Queue(
        name="research", weight=2.0, submitters=("ana", "ci"), guarantee=Amounts(gpus=8), borrow_limit=Amounts(gpus=16),
        lend_limit=Amounts(gpu_models={"MI300X": 4}), used=Amounts(gpus=14, cpus=56), guaranteed_gpus=8,
        borrowed_gpus=6, lent_gpus=0, share=0.35, mean_share=0.28, running=9, waiting=3, waiting_gpus=12,
    )  # fmt: skip
    return (product, research)


@pytest.fixture
def plane(  # noqa: PLR0913, PLR0917  # one fixture for each thing that is shown
    jobs: tuple[Job, ...],
    described: Job,
    hosts: tuple[Host, ...],
    models: tuple[ServedModel, ...],
    queues: tuple[Queue, ...],
    capacity: Capacity,
    forecast: Forecast,
    status: Status,
    events: tuple[Event, ...],
) -> Iterator[ControlPlane]:
    """A control plane on a free port of this machine, with an answer for every question."""
    made = ControlPlane()
    made.gives("GET", "/jobs", listing("JobList", *jobs))
    for job in (*jobs, described):
        made.gives("GET", f"/jobs/{job.id}", single("Job", job))
    made.gives("GET", "/hosts", listing("HostList", *hosts))
    for host in hosts:
        made.gives("GET", f"/hosts/{host.name}", single("Host", host))
    made.gives("GET", "/models", listing("ModelList", *models))
    made.gives("GET", "/queues", listing("QueueList", *queues))
    made.gives("GET", "/capacity", single("Capacity", capacity))
    made.gives("GET", "/forecast/edit-check", single("Forecast", forecast))
    made.gives("GET", "/status", single("Status", status))
    made.gives("GET", "/events", listing("EventList", *events))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@dataclass(frozen=True)
class Shown:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def headroom(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Shown]:
    """Run a command line against `plane`: on a pipe, or with `width` on a terminal of so many columns; times in UTC."""

    def call(*arguments: str, width: int | None = None, local: bool = False) -> Shown:
        out, err = (Terminal(), Terminal()) if width else (io.StringIO(), io.StringIO())
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setenv("HEADROOM_URL", plane.url)
            patch.setenv("TERM", "xterm")
            patch.delenv("HEADROOM_TOKEN", raising=False)
            if width:
                patch.setenv("COLUMNS", str(width))
            code = run([*([] if local else ["--utc"]), *arguments])
        return Shown(code, out.getvalue(), err.getvalue())

    return call
