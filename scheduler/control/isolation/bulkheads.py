"""Bulkheads: what fails is cut off by name, said once, and tried again with ever longer pauses; all else goes on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from scheduler.control.isolation.told_once import States
from scheduler.control.records import EventKind, EventRecord
from scheduler.model.errors import HeadroomError, Superseded

T = TypeVar("T")
FIRST_S: Final = 10.0
"""Pause after the first failure; doubles with each further one in a row."""
LONGEST_S: Final = 600.0
LONGEST_REASON: Final = 300
FAILED: Final = "failed"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Part:
    """Something that may fail while everything else goes on.

    Attributes:
        name: what it is, for people, for instance "the demand of edit-check"; also what it is known by.
        subject: whom events are about, for instance "edit-check".
        without: what is done meanwhile.
        kind: of its events.
    """

    name: str
    subject: str
    without: str
    kind: EventKind = EventKind.FAILURE


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part that is cut off.

    Attributes:
        part: which.
        reason: why, for people.
        since_s: since when, epoch seconds.
        failures: in a row.
        again_s: when it is tried again, epoch seconds.
        pause_s: how long that was from the last failure.
    """

    part: Part
    reason: str
    since_s: float
    failures: int = 1
    again_s: float = 0.0
    pause_s: float = 0.0

    def __str__(self) -> str:
        """Return it as a sentence."""
        return f"{self.part.name} failed: {self.reason}; {self.part.without}"


def reason_of(error: BaseException) -> str:
    """Return what an error says, on one line, with what to do where it says that; never raises."""
    try:
        text = " ".join(str(error).split())
        if isinstance(error, HeadroomError):
            text = "; ".join(filter(None, (text, error.faults[0].help)))
        else:
            text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    except Exception:  # noqa: BLE001  # an error that cannot even say what it is
        text = type(error).__name__
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}…"


def pause_s(failures: int, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> float:
    """Return the pause after so many failures in a row, at least 1."""
    return float(min(first_s * 2.0 ** min(failures - 1, 30), longest_s))


def spoken(make: Callable[[], EventRecord], otherwise: EventRecord) -> EventRecord:
    """Return an event as it is put into words; the plain one when that fails, as no sentence is worth a decision."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001  # whatever is wrong with the words
        return replace(otherwise, detail=f"it cannot be said more exactly: {reason_of(error)}")


@dataclass(slots=True)
class Bulkheads:
    """Runs parts, each for itself. Used by one thread.

    Attributes:
        speed: seconds of the world per wall second; pauses are wall time.
    """

    speed: float = 1.0
    _now_s: float = 0.0
    _cycle: int = 0
    _troubles: dict[str, Trouble] = field(default_factory=dict)
    _states: States = field(default_factory=States)
    _news: list[EventRecord] = field(default_factory=list)

    def begin(self, now_s: float, cycle: int) -> None:
        """Begin a turn at an epoch second of the world."""
        self._now_s, self._cycle = now_s, cycle

    def within(self, part: Part, work: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """Return what `work` returns; what `otherwise` does while it fails, or is not to be tried yet.

        What ends a process (KeyboardInterrupt, SystemExit) passes, and so does that another one leads.

        Raises:
            Superseded: this process may not act any more.
        """
        if self.is_cut_off(part):
            return otherwise()
        try:
            done = work()
        except Superseded:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is must not reach the others
            self.failed(part, error)
            return otherwise()
        self.works(part)
        return done

    def try_again(self) -> None:
        """Have all that is cut off be tried at once: what it failed on may be another one now."""
        self._troubles = {name: replace(one, again_s=self._now_s) for name, one in self._troubles.items()}

    def is_cut_off(self, part: Part) -> bool:
        """Whether a part failed and is not to be tried again yet."""
        trouble = self._troubles.get(part.name)
        return trouble is not None and 0 < trouble.again_s - self._now_s <= trouble.pause_s

    def failed(self, part: Part, error: BaseException, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        """Take note that a part failed just now; it is tried again after a pause, in wall seconds."""
        log.info("%s failed", part.name, exc_info=error)
        before = self._troubles.get(part.name)
        failures = before.failures + 1 if before else 1
        rest_s = pause_s(failures, first_s, longest_s) * self.speed
        since_s = before.since_s if before else self._now_s
        self._troubles[part.name] = Trouble(part, reason_of(error), since_s, failures, self._now_s + rest_s, rest_s)
        title = f"{part.name} failed; {part.without}"
        self.tell(part.name, FAILED, part.kind, part.subject, title, self._troubles[part.name].reason)

    def works(self, part: Part) -> None:
        """Take note that a part works."""
        self._troubles.pop(part.name, None)
        if self._states.told(part.name):
            self.tell(part.name, "", EventKind.CONTROL, part.subject, f"{part.name} works again")

    def tell(  # noqa: PLR0913, PLR0917  # the fields of an event after whose state it is
        self, name: str, state: str, kind: EventKind, subject: str, title: str, detail: str = ""
    ) -> bool:
        """Tell of something that is in a state, unless that was told; return whether it was news."""
        is_news = self._states.is_news(name, state, self._now_s)
        if is_news:
            self._news.append(EventRecord(self._now_s, self._cycle, kind, subject, title, detail))
        return is_news

    def was_told(self, name: str) -> bool:
        """Whether something was told to be in a state, and not that it is over."""
        return bool(self._states.told(name))

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What is cut off, or has failed and was not tried again since, by name."""
        return tuple(self._troubles[name] for name in sorted(self._troubles))

    @property
    def news(self) -> tuple[EventRecord, ...]:
        """What is to be told, until it was."""
        return tuple(self._news)

    def told(self, news: tuple[EventRecord, ...]) -> None:
        """Take note that news were written down."""
        del self._news[: len(news)]
