"""Plays the demo: brings everything up, submits jobs as a user would, watches, and takes everything down again."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import yaml

from scheduler.client import Client
from scheduler.config.loading import load_config
from scheduler.control.clocks import ReplayClock
from scheduler.demo.evening import evening_of, load_until
from scheduler.demo.load import Stream
from scheduler.demo.programme import (
    CONFIG,
    ENDS_AT,
    SPEED,
    STARTS_AT,
    SUBMISSIONS,
    SWAPPED,
    TRAINING,
    Submission,
)
from scheduler.demo.report import Report, report_of
from scheduler.demo.stage import LoadProcess, RayControlPlane
from scheduler.demo.versions import Versions
from scheduler.demo.watch import LOOK_S, Sighting, Watcher, all_over

WARM_UP_S: Final = 60.0
"""Longest wall time until the first replicas are ready."""
APPLAUSE_S: Final = 30.0
"""Longest wall time that the last jobs may still take after the last hour."""

Say = Callable[[str], None]
Show = Callable[[Sighting, "Progress"], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the demo is.

    Attributes:
        share: of the replay that is over, 0 to 1.
        total, late, failed: requests so far.
    """

    share: float
    total: int
    late: int
    failed: int


@dataclass(frozen=True, slots=True)
class Ports:
    """Loopback ports of the API (with the page) and of the front router."""

    api: int
    router: int


class Demo:
    """One performance; use it as a context manager, so that nothing is left running.

    Args:
        ports: see `Ports`.
        reactive: without the forecast.
        say: is told each step of bringing things up and down.
    """

    def __init__(self, ports: Ports, *, reactive: bool, say: Say) -> None:
        self._ports, self._reactive, self._say = ports, reactive, say
        self._began_s = time.monotonic()
        self._config = load_config(CONFIG)
        self._stack = ExitStack()
        self.url = f"http://127.0.0.1:{ports.api}/"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._state_dir = stack.enter_context(scratch())
            self._say("starting Ray (4 hosts with fake GPUs) and the control plane")
            plane = RayControlPlane(self._state_dir, self._ports.api, self._ports.router, reactive=self._reactive)
            stack.callback(plane.stop)
            stack.callback(self._say, "taking everything down")
            self._client = stack.enter_context(Client(self.url, timeout_s=20.0))
            plane.wait_until_live(self._client)
            self._watcher = Watcher(self._client)
            self._versions = Versions(self._client)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def play(self, show: Show) -> Report:
        """Play from the first replica to the last hour.

        Raises:
            HeadroomError: the control plane or a replica did not come up.
        """
        self._say("waiting for the first replicas")
        self._watcher.until(lambda seen: seen.is_ready, WARM_UP_S, "the first replicas are not ready")
        clock = self._clock()
        load = LoadProcess(self._streams(), clock.now_s(), clock.speed)
        self._stack.callback(load.stop)
        self._watcher.counting = True
        self._versions.begin(_section(SWAPPED))
        self._say(f"the load follows recorded traffic, {clock.speed:.0f} × as fast")
        self._run(load, clock, show)
        self._watcher.counting = False
        counts = load.stop()
        self._say("waiting for the last training jobs")
        jobs = self._watcher.until(all_over, APPLAUSE_S, "").jobs
        return report_of(
            mode="reactive" if self._reactive else "forecast",
            speed=clock.speed,
            wall_s=time.monotonic() - self._began_s,
            counts=counts,
            jobs=jobs,
            watcher=self._watcher,
            versions=self._versions.all(),
            evening=evening_of(self._config, ENDS_AT),
        )

    def _run(self, load: LoadProcess, clock: ReplayClock, show: Show) -> None:
        waiting = list(SUBMISSIONS)
        begin_s, end_s = clock.now_s(), ENDS_AT.timestamp()
        while (now_s := clock.now_s()) < end_s:
            waiting = self._submit_due(waiting, now_s)
            self._versions.go_on(now_s)
            counts = load.counts.values()
            share = (now_s - begin_s) / (end_s - begin_s)
            totals = (sum(c.total for c in counts), sum(c.late for c in counts), sum(c.failed for c in counts))
            show(self._watcher.look(), Progress(share, *totals))
            time.sleep(LOOK_S)

    def _submit_due(self, waiting: Sequence[Submission], now_s: float) -> list[Submission]:
        for submission in waiting:
            if submission.at.timestamp() <= now_s:
                self._client.submit(submission.job, working_dir=TRAINING)
        return [submission for submission in waiting if submission.at.timestamp() > now_s]

    def _clock(self) -> ReplayClock:
        return ReplayClock.kept_in(self._state_dir / "replay.json", STARTS_AT.timestamp(), SPEED)

    def _streams(self) -> list[Stream]:
        points = load_until(self._config, ENDS_AT)
        return [
            Stream(
                model=model.name,
                url=f"http://127.0.0.1:{self._ports.router}/models/{model.name}/predict",
                late_after_s=model.latency_objective,
                at_s=[at_s for at_s, _ in points],
                rps=[rps * model.share for _, rps in points],
            )
            for model in self._config.models
        ]


def _section(model: str) -> dict[str, object]:
    """Return a model's section of the demo's file."""
    sections = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["models"]
    return next(dict(section) for section in sections if section["name"] == model)


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new directory that is removed when all went well, and kept for looking into when it did not."""
    folder = Path(tempfile.mkdtemp(prefix="headroom-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
