"""Plays the demo on the double: a control plane beside it, people who apply jobs, and an evening's peak."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from scheduler.client import Client
from scheduler.config.loading import load_config
from scheduler.control.clocks import ReplayClock
from scheduler.demo.evening import evening_of
from scheduler.demo.kubernetes.double import DoubleCluster
from scheduler.demo.kubernetes.programme import (
    APPLICATIONS,
    CONFIG,
    CPU_HOSTS,
    DEVICES_A_HOST,
    ENDS_AT,
    GPU_HOSTS,
    Application,
)
from scheduler.demo.kubernetes.report import Applied, KubernetesReport, preempted_at, scaled
from scheduler.demo.play import scratch
from scheduler.demo.programme import SPEED, STARTS_AT
from scheduler.demo.report import outcome_of, peak_of
from scheduler.demo.stage import ControlPlane
from scheduler.demo.watch import LOOK_S, Sighting, Watcher, all_over

CLUSTER: Final = "a double of the Kubernetes API: no pod is real"
WARM_UP_S: Final = 60.0
"""Longest wall time until the first replicas are ready."""
APPLAUSE_S: Final = 40.0
"""Longest wall time that the last jobs may still take after the last hour."""

Show = Callable[[Sighting, float], None]
"""Is shown what is seen, and which share of the replay is over."""


class KubernetesDemo:
    """One performance; use it as a context manager, so that nothing is left running.

    Args:
        port: of the API and the page, on loopback.
        reactive: without the forecast.
        say: is told each step of bringing things up and down.
    """

    def __init__(self, port: int, *, reactive: bool, say: Callable[[str], None]) -> None:
        self._port, self._reactive, self._say = port, reactive, say
        self._began_s = time.monotonic()
        self._stack = ExitStack()
        self.url = f"http://127.0.0.1:{port}/"

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._state_dir = stack.enter_context(scratch())
            self._say(f"starting {CLUSTER} ({GPU_HOSTS + CPU_HOSTS} hosts) and the control plane")
            self._config = load_config(CONFIG)
            state_dir = self._state_dir / "state"
            state_dir.mkdir()
            self._clock = ReplayClock.kept_in(state_dir / "replay.json", STARTS_AT.timestamp(), SPEED)
            self._double = stack.enter_context(DoubleCluster(self._config, self._clock))
            flags = ("--reactive",) if self._reactive else ()
            config = self._double.write_files(self._state_dir)
            plane = ControlPlane(config, state_dir, self._port, *flags)
            stack.callback(plane.stop)
            stack.callback(self._say, "taking everything down")
            client = stack.enter_context(Client(self.url, timeout_s=20.0))
            plane.wait_until_live(client)
            self._watcher = Watcher(client)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def play(self, show: Show) -> KubernetesReport:
        """Play from the first replica to the last hour.

        Raises:
            HeadroomError: the control plane or a replica did not come up.
        """
        self._say("waiting for the first replicas")
        self._watcher.until(lambda seen: seen.is_ready, WARM_UP_S, "the first replicas are not ready")
        self._watcher.counting = True
        self._say(f"the load follows recorded traffic, {SPEED:.0f} × as fast")
        self._run(show)
        self._watcher.counting = False
        self._say("waiting for the last training jobs")
        return self._report(self._watcher.until(all_over, APPLAUSE_S, ""))

    def _run(self, show: Show) -> None:
        clock = self._clock
        waiting: Sequence[Application] = APPLICATIONS
        begin_s, end_s = clock.now_s(), ENDS_AT.timestamp()
        while (now_s := clock.now_s()) < end_s:
            for application in waiting:
                if application.at.timestamp() <= now_s:
                    self._double.apply(application)
            waiting = [each for each in waiting if each.at.timestamp() > now_s]
            show(self._watcher.look(), (now_s - begin_s) / (end_s - begin_s))
            time.sleep(LOOK_S)

    def _report(self, seen: Sighting) -> KubernetesReport:
        evening = evening_of(self._config, ENDS_AT)
        jobs = tuple(
            Applied(outcome_of(job), self._double.status_of(job.name), self._double.told_of(job.name))
            for job in seen.jobs
        )
        stopped = preempted_at(jobs)
        return KubernetesReport(
            cluster=CLUSTER,
            mode="reactive" if self._reactive else "forecast",
            speed=SPEED,
            wall_s=round(time.monotonic() - self._began_s, 1),
            hosts=GPU_HOSTS + CPU_HOSTS,
            gpus=GPU_HOSTS * DEVICES_A_HOST,
            min_headroom_ratio=round(self._watcher.least_ratio(), 3),
            preemptions=len(stopped),
            preemptions_before_peak=sum(at < evening.at.isoformat() for at in stopped),
            peak=peak_of(self._watcher, evening),
            revisions=self._double.revisions(),
            jobs=jobs,
            serving=scaled(self._watcher),
        )
