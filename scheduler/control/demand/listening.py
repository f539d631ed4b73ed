"""Listens to all traffic sources beside the loop: a turn takes what is there and never waits for a source."""

import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final, TypeVar

from forecasting.fitted import Fitted
from forecasting.flashcrowd import FlashCrowds
from forecasting.track_record import TrackRecord
from scheduler.control.demand.traffic import (
    ForecastRequest,
    SourceState,
    Task,
    asked,
    corrected,
    fitted,
    heard,
    mute,
    task_of,
)
from scheduler.control.isolation.bulkheads import Bulkheads, Part, pause_s, reason_of
from scheduler.control.isolation.crews import AtOnce, Crew
from scheduler.control.ports import Traffic, TrafficSource
from scheduler.control.records import EventKind
from scheduler.control.reports.unheard import Unheard

T = TypeVar("T")
PATIENT_FOR: Final = 3
"""Failures in a row after which a source is asked with pauses only: one try after each, until one succeeds."""
FIRST_PAUSE_S: Final = 30.0
LONGEST_PAUSE_S: Final = 300.0
"""Wall seconds."""
SLOW_S: Final = 60.0
"""Wall seconds after which a source that is being read and says nothing counts as silent; and one that still waits to
be read, unless its server answers others meanwhile: then it is we who have not come to it."""


@dataclass(slots=True)
class Breaker:
    """How often something failed in a row, and when it is tried again; the pauses of two are never alike.

    Attributes:
        name: of what fails.
        patient_for: failures in a row without a pause.
    """

    name: str
    patient_for: int = PATIENT_FOR
    failures: int = 0
    again_s: float = 0.0

    def failed(self, now_s: float, speed: float) -> None:
        """Take note of a failure at an epoch second of a world that goes at `speed`."""
        self.failures += 1
        beyond = self.failures - self.patient_for
        if beyond >= 0:
            jitter = 0.5 + zlib.crc32(f"{self.name} {self.failures}".encode()) / 2**33
            self.again_s = now_s + pause_s(beyond + 1, FIRST_PAUSE_S, LONGEST_PAUSE_S) * jitter * speed

    def worked(self) -> None:
        """Take note of a success."""
        self.failures, self.again_s = 0, 0.0

    def lets(self, now_s: float, speed: float) -> bool:
        """Whether it may be tried now."""
        return not 0 < self.again_s - now_s <= LONGEST_PAUSE_S * speed


@dataclass(slots=True)
class SourceListener:
    """One source: what is known of it, and what is being done to know more; `done` is called when some of it is."""

    name: str
    source: TrafficSource
    request: ForecastRequest
    speed: float
    done: "Callable[[SourceListener], None]" = lambda _: None
    known: SourceState = field(default_factory=SourceState)
    _reading: "Future[Traffic] | None" = None
    _waits_since_s: float = 0.0
    _is_read: bool = False
    _fitting: "tuple[Task, Future[tuple[Fitted, FlashCrowds | None]]] | None" = None
    _reads: Breaker = field(init=False)
    _fits: Breaker = field(init=False)

    def __post_init__(self) -> None:
        self.known = replace(self.known, is_foreseen=self.request.forecasts)
        self._reads, self._fits = Breaker(self.name), Breaker(f"{self.name}'s forecast", 1)

    def ask(self, readers: Crew, now_s: float) -> None:
        """Begin to read, unless that goes on or has failed lately."""
        if self._reading is None and self._reads.lets(now_s, self.speed):
            self._reading = readers.submit(asked, self.source, now_s)
            self._waits_since_s, self._is_read = now_s, False
            self._reading.add_done_callback(lambda _: self.done(self))

    def take(self, fitters: Crew, now_s: float, server_heard_s: float = -inf) -> None:
        """Take in what was read and fitted, and begin to fit what is to be fitted.

        Args:
            fitters: who fits.
            now_s: the present.
            server_heard_s: when its server last answered anybody.
        """
        self._take_reading(now_s, server_heard_s)
        if self._fitting is None and self._fits.lets(now_s, self.speed):
            self._begin_fit(fitters, now_s)
        self._take_fit(now_s)
        self.known = corrected(self.known, self.request, now_s)

    @property
    def is_unheard(self) -> bool:
        """Whether the source has never answered."""
        return self.known.traffic is None

    @property
    def is_busy(self) -> bool:
        """Whether something is being done that is not done yet."""
        return any(one is not None and not one.done() for one in (self._reading, self._fitting and self._fitting[1]))

    def gave_up(self, error: BaseException, now_s: float) -> None:
        """Take note that the source could not be listened to."""
        self._reading = self._fitting = None
        self._failed(reason_of(error), now_s)

    def _take_reading(self, now_s: float, server_heard_s: float) -> None:
        if self._reading is None:
            return
        if not self._reading.done():
            if self._waited_s(self._reading, now_s, server_heard_s) > SLOW_S * self.speed:
                said = f"no answer for more than {SLOW_S:.0f} s"
                self.known = mute(self.known, self.known.failure or said, now_s)
            return
        reading, self._reading = self._reading, None
        error = reading.exception()
        if error is None:
            self.known = heard(self.known, reading.result(), now_s)
            self._reads.worked()
        else:
            self._failed(reason_of(error), now_s)

    def _waited_s(self, reading: "Future[Traffic]", now_s: float, server_heard_s: float) -> float:
        """Return for how long it has been read, or has waited to be."""
        if reading.running() and not self._is_read:
            self._waits_since_s, self._is_read = now_s, True
        return now_s - (self._waits_since_s if self._is_read else max(self._waits_since_s, server_heard_s))

    def _failed(self, reason: str, now_s: float) -> None:
        self.known = mute(self.known, reason, now_s)
        self._reads.failed(now_s, self.speed)

    def _begin_fit(self, fitters: Crew, now_s: float) -> None:
        task = task_of(self.known, self.request, now_s)
        if task is not None:
            self._fitting = task, fitters.submit(task.fit)
            self._fitting[1].add_done_callback(lambda _: self.done(self))

    def _take_fit(self, now_s: float) -> None:
        if self._fitting is None or not self._fitting[1].done():
            return
        (task, fitting), self._fitting = self._fitting, None
        error = fitting.exception()
        if error is None:
            self.known = fitted(self.known, task, fitting.result())
            self._fits.worked()
        else:
            self.known = replace(self.known, unfit=reason_of(error))
            self._fits.failed(now_s, self.speed)


@dataclass(frozen=True, slots=True)
class Crews:
    """Who reads and who fits.

    Attributes:
        readers: wait for servers.
        fitters: compute.
        is_news: called when all that was begun is done, and some source was heard or foreseen for the first time.
    """

    readers: Crew = field(default_factory=AtOnce)
    fitters: Crew = field(default_factory=AtOnce)
    is_news: Callable[[], None] = lambda: None


class SourceListeners:
    """All sources."""

    def __init__(
        self,
        sources: Mapping[str, TrafficSource],
        requests: Mapping[str, ForecastRequest],
        crews: Crews,
        speed: float,
        servers: Mapping[str, str],
    ) -> None:
        """Listen to sources by name, each as it is wished, some of them at servers.

        Pauses are in seconds of a world of that speed.
        """
        self._crews, self._has_news, self._speed = crews, False, speed
        self._listeners: dict[str, SourceListener] = {}
        self.listen(sources, requests, servers)
        self.go_on({})

    def listen(
        self, sources: Mapping[str, TrafficSource], requests: Mapping[str, ForecastRequest], servers: Mapping[str, str]
    ) -> None:
        """Listen to these sources from now on, each as it is wished.

        What is known of one that is the same object as before is kept, its forecast until the next one is due.
        """
        known, self.sources = self._listeners, sources
        self._listeners = {
            name: known[name]
            if name in known and known[name].source is source
            else SourceListener(
                name, source, requests[name], self._speed, self._done, SourceState(server=servers.get(name, ""))
            )
            for name, source in sources.items()
        }
        for name, listener in self._listeners.items():
            listener.request = requests[name]
            listener.known = replace(listener.known, is_foreseen=requests[name].forecasts)

    def ask(self, now_s: float) -> None:
        """Begin to ask every source that is to be asked."""
        for listener in self._listeners.values():
            try:
                listener.ask(self._crews.readers, now_s)
            except Exception as error:  # noqa: BLE001  # this source is silent, the others are not
                listener.gave_up(error, now_s)
        self._crews.readers.tend()

    def known(self, now_s: float, walls: Bulkheads) -> dict[str, SourceState]:
        """Return what is known of every source by now."""
        heard_s = self._heard_s()
        for listener in self._listeners.values():
            try:
                listener.take(self._crews.fitters, now_s, heard_s.get(listener.known.server, -inf))
            except Exception as error:  # noqa: BLE001  # likewise
                listener.gave_up(error, now_s)
            _tell(listener, walls)
        self._crews.fitters.tend()
        return {name: listener.known for name, listener in self._listeners.items()}

    def go_on(self, records: Mapping[str, TrackRecord]) -> None:
        """Go on with how the forecasts of sources did before this process began."""
        for name, listener in self._listeners.items():
            listener.known = replace(listener.known, record=records.get(name, listener.known.record))
        self._kept = {name: listener.known.record for name, listener in self._listeners.items()}

    def new_records(self) -> dict[str, TrackRecord]:
        """Return the records that have changed since they were last asked for."""
        records = {name: listener.known.record for name, listener in self._listeners.items()}
        changed = {name: record for name, record in records.items() if record is not self._kept.get(name)}
        self._kept = records
        return changed

    def _heard_s(self) -> dict[str, float]:
        """Return when each server last answered anybody."""
        heard_s: dict[str, float] = {}
        for listener in self._listeners.values():
            known = listener.known
            if known.server and known.traffic is not None and not known.failure:
                heard_s[known.server] = max(known.judged_at_s, heard_s.get(known.server, -inf))
        return heard_s

    @property
    def unheard(self) -> Unheard:
        """Which sources have never been heard."""
        missing = {name: listener.known.server for name, listener in self._listeners.items() if listener.is_unheard}
        return Unheard(tuple(missing), len(self._listeners), tuple(dict.fromkeys(filter(None, missing.values()))))

    def _done(self, listener: SourceListener) -> None:
        """Take note that something was read or fitted; in any thread."""
        self._has_news |= listener.is_unheard or listener.known.fitted is None
        if self._has_news and not any(each.is_busy for each in list(self._listeners.values())):
            self._has_news = False
            self._crews.is_news()


def _tell(listener: SourceListener, walls: Bulkheads) -> None:
    """Tell of a forecast that cannot be made, and of a load that is not believed."""
    part = Part(
        f"the forecast of traffic {listener.name}", listener.name, "planned by the last one, or by the load now"
    )
    if listener.known.unfit:
        walls.tell(
            part.name, "failed", part.kind, listener.name, f"{part.name} failed; {part.without}", listener.known.unfit
        )
    elif listener.known.fitted is not None:
        walls.works(part)
    _tell_record(listener, walls)
    doubt = listener.known.doubt
    state = "doubted" if doubt.is_held else "believed" if doubt.times_s else ""
    title = f"traffic {listener.name} jumps absurdly; {'not believed yet' if doubt.is_held else 'believed now'}"
    if state or walls.was_told(f"load of {listener.name}"):
        title = title if state else f"traffic {listener.name} is as usual again"
        walls.tell(
            f"load of {listener.name}", state, EventKind.FORECAST, listener.name, title, str(doubt) if state else ""
        )


def _tell_record(listener: SourceListener, walls: Bulkheads) -> None:
    """Tell of a forecast that does not keep its word and is widened, and of one that does again."""
    name, record = listener.name, listener.known.record
    part = f"record of {name}'s forecast"
    if record.is_failing:
        walls.tell(part, "failing", EventKind.FORECAST, name, f"the forecast of {name} is widened", str(record))
    elif walls.was_told(part):
        title = f"the forecast of {name} holds again and is widened no more"
        walls.tell(part, "", EventKind.FORECAST, name, title, str(record))
