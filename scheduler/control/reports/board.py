"""What the control loop shows to whoever asks: one immutable report, replaced as a whole each cycle."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from forecasting.fitted import Fitted
from forecasting.shares import Share
from forecasting.track_record import TrackRecord
from scheduler.control.clocks import stopwatch_s
from scheduler.control.isolation.bulkheads import Trouble
from scheduler.control.model_records import ModelRecord
from scheduler.control.records import CycleRecord
from scheduler.control.reports.unheard import Unheard
from scheduler.control.runtimes import RunTimes
from scheduler.control.settings import Served
from scheduler.model.demand import Basis, PoolDemand
from scheduler.model.observation import Observation

STARTING: Final = "starting"
"""Why there is no report before the first cycle."""


@dataclass(frozen=True, slots=True)
class RatePoint:
    """Quantiles of a model's load at one future moment, requests per second."""

    at_s: float
    p10: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class PeakWindow:
    """The highest load within `window_s` from now, requests per second, and when p50 sees it."""

    window_s: float
    at_s: float
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class ModelOutlook:
    """What is known of a model's load.

    Attributes:
        model: its name.
        source: name of its traffic source.
        basis: what the demand rests on.
        rps_now: load of this moment, requests per second.
        rps_per_replica: what one replica serves at its objective.
        lead_time_s: warm-up + longest grace + control period.
        history_s: length of the history used.
        source_age_s: age of the last value; infinite before there is one.
        points: the forecast, at least 48 h when there is one, else empty.
        peaks: the highest load of the next 1, 6, 24 and 168 h (as far as the forecast reaches), else empty.
        replicas: (at_s, replicas) the p99 asks for at each point, limits applied.
        recent: (at_s, requests per second) measured over the last two days at least, oldest first.
        forecast: of the source; None without one.
        share: of the model in it.
        record: how the source's forecasts did lately.
    """

    model: str
    source: str
    basis: Basis
    rps_now: float
    rps_per_replica: float
    lead_time_s: float
    history_s: float = 0.0
    source_age_s: float = 0.0
    points: tuple[RatePoint, ...] = ()
    peaks: tuple[PeakWindow, ...] = ()
    replicas: tuple[tuple[float, int], ...] = ()
    recent: tuple[tuple[float, float], ...] = ()
    forecast: Fitted | None = field(default=None, repr=False)
    share: Share = field(default_factory=lambda: Share(1.0))
    record: TrackRecord = field(default_factory=TrackRecord, repr=False)


@dataclass(frozen=True, slots=True)
class PoolPeak:
    """What the models of a pool need at once, in devices (in replicas without devices), limits applied.

    Attributes:
        window_s: from now.
        p50, p99: of the highest sum within the window.
        apart_p99: the sum of each model's own p99 of its highest need.
    """

    window_s: float
    p50: float
    p99: float
    apart_p99: float


@dataclass(frozen=True, slots=True)
class PoolOutlook:
    """What is known of models on one kind of device together.

    Attributes:
        demand: what is held for them.
        gpus_per_replica: devices of one replica; 0 without devices.
        seen_at_s: when the peaks were last looked for, epoch seconds.
        peaks: of the next 1, 6, 24 and 48 h; empty without a forecast.
    """

    demand: PoolDemand
    gpus_per_replica: float
    seen_at_s: float = 0.0
    peaks: tuple[PoolPeak, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """Requests of one model, counted by the front router.

    Attributes:
        total, late, failed: since the router started; late ones are not failed ones.
    """

    total: int = 0
    late: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class GpuShares:
    """Who held the GPUs at one moment, in devices; the history under the chart.

    Attributes:
        demand: devices that the load of the moment needed (fractional).
        p50, p99: what the forecast had said for this moment one lead time before; NaN when it had not.
        ready: devices of ready replicas of GPU models.
        request_counts: requests by model as the report of that moment had them; the past day is a difference of two.
    """

    at_s: float
    demand: float
    p50: float
    p99: float
    ready: float
    serving: float
    held: float
    reserved: float
    training: float
    free: float
    drained: float
    request_counts: tuple[tuple[str, RequestCounts], ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredWarmUp:
    """What the starts of a model's replicas took.

    Attributes:
        model: its name.
        planned_s: the warm-up by which it is planned: of the declared one and what was seen.
        starts: how many of the newest it rests on.
        usual_s: the same without replicas that are starting still.
    """

    model: str
    planned_s: float
    starts: int
    usual_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The state after one cycle: a value all the way down, told from others by which it is.

    Attributes:
        cycle: what was decided, and from what.
        observation: what the cluster showed.
        outlooks: one per served model, in the order of `snapshot.models`.
        request_counts: requests by model; empty where no router of ours counts them.
        degraded: why the loop cannot do its work ("" when it can), for instance "Ray does not answer, try 3".
        refused: actions the cluster refused since the process began, by kind ("StartJob" and so on).
        pools: models on one kind of device together.
        troubles: what is cut off for now.
        run_times: how long jobs took that have ended.
        warm_ups: of models whose starts were measured.
        served: the models with what is said of them, in the order of `snapshot.served`.
        deployed: those that the store owns, removed ones too.
    """

    cycle: CycleRecord
    observation: Observation
    outlooks: tuple[ModelOutlook, ...] = ()
    request_counts: tuple[tuple[str, RequestCounts], ...] = ()
    degraded: str = ""
    refused: tuple[tuple[str, int], ...] = ()
    pools: tuple[PoolOutlook, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    run_times: RunTimes = field(default_factory=RunTimes, repr=False)
    warm_ups: tuple[MeasuredWarmUp, ...] = ()
    served: tuple[Served, ...] = field(default=(), repr=False)
    deployed: tuple[ModelRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class Effort:
    """What turns have taken since the process began.

    Attributes:
        turns: how many were taken.
        wall_s: seconds from the beginning of each to its end.
        cpu_s: seconds that the loop's own thread computed meanwhile.
    """

    turns: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(slots=True)
class Board:
    """Holds the last report and the recent past; written by the loop, read by any thread.

    Attributes:
        history: newest last, at most a week of cycles that changed something or an hour apart.
        listeners: called with every report, in the loop's thread, after it was published.
        timer: wall seconds since some fixed moment, for the age of the last plan.
    """

    history: deque[GpuShares] = field(default_factory=lambda: deque(maxlen=4096))
    listeners: list[Callable[[Report], None]] = field(default_factory=list)
    timer: Callable[[], float] = stopwatch_s
    _report: Report | None = None
    _degraded: str = STARTING
    _planned_at_s: float | None = None
    _unheard: Unheard = field(default_factory=Unheard)
    _effort: Effort = field(default_factory=Effort)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def publish(self, report: Report, shares: GpuShares | None) -> list[Exception]:
        """Replace the report and wake all who wait; return what listeners raised: it stays theirs.

        Args:
            report: the new one.
            shares: the next point of the history; None when nobody can say.
        """
        with self._changed:
            self._report, self._degraded, self._planned_at_s = report, report.degraded, self.timer()
            if shares is not None:
                self.history.append(shares)
            self._changed.notify_all()
        return [error for listener in self.listeners if (error := _heard(listener, report)) is not None]

    def degrade(self, message: str) -> None:
        """Say why there is no new report."""
        with self._changed:
            self._degraded = message
            self._changed.notify_all()

    def wait_for(self, unheard: Unheard) -> None:
        """Say which traffic sources have not been heard yet."""
        with self._changed:
            self._unheard = unheard

    @property
    def unheard(self) -> Unheard:
        """Which traffic sources have not been heard yet."""
        with self._changed:
            return self._unheard

    def took(self, wall_s: float, cpu_s: float) -> None:
        """Say what a turn has taken."""
        with self._changed:
            before = self._effort
            self._effort = Effort(before.turns + 1, before.wall_s + wall_s, before.cpu_s + cpu_s)

    @property
    def effort(self) -> Effort:
        """What turns have taken."""
        with self._changed:
            return self._effort

    @property
    def plan_age_s(self) -> float | None:
        """Wall seconds since the last plan was published; None before the first."""
        with self._changed:
            return None if self._planned_at_s is None else max(0.0, self.timer() - self._planned_at_s)

    @property
    def report(self) -> Report | None:
        """The last report, or None before the first cycle."""
        with self._changed:
            return self._report

    @property
    def degraded(self) -> str:
        """Why the loop cannot do its work; "" when it can."""
        with self._changed:
            return self._degraded

    def wait_beyond(self, cycle: int, timeout_s: float) -> Report | None:
        """Return the first report after `cycle`, or whatever there is when `timeout_s` wall seconds have passed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._report is not None and self._report.cycle.number > cycle, timeout=timeout_s
            )
            return self._report


def _heard(listener: Callable[[Report], None], report: Report) -> Exception | None:
    try:
        listener(report)
    except Exception as error:  # noqa: BLE001  # what a listener does wrong keeps no other from hearing
        return error
    return None
