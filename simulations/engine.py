"""The virtual clock: events fire in order of time, then priority, then sequence, and nothing else moves time."""

import heapq
import itertools
import math
from collections.abc import Callable
from enum import IntEnum


class Order(IntEnum):
    """What goes first among events of one moment: the world changes, people submit, and only then is it looked at."""

    WORLD = 0
    ARRIVAL = 1
    TURN = 2


class Event:
    """Something that will happen unless it is called off.

    Attributes:
        at_s: when, epoch seconds.
    """

    __slots__ = ("at_s", "do")

    def __init__(self, at_s: float, do: Callable[[], None]) -> None:
        """Plan `do` for `at_s`."""
        self.at_s = at_s
        self.do: Callable[[], None] | None = do

    def call_off(self) -> None:
        """Make it never happen; changes nothing when it already has."""
        self.do = None


class Engine:
    """Time and what happens in it. It is a `scheduler.control.ports.Clock`, so the loop cannot tell the difference."""

    def __init__(self, start_s: float) -> None:
        """Begin at `start_s`, epoch seconds."""
        self._now_s = start_s
        self._heap: list[tuple[float, int, int, Event]] = []
        self._sequence = itertools.count()
        self.fired = 0

    @property
    def speed(self) -> float:
        """One: what is meant in wall time, as pauses after failures, takes as long in the world as it would live."""
        return 1.0

    def now_s(self) -> float:
        """Return the virtual time, epoch seconds."""
        return self._now_s

    def to_world_s(self, wall_s: float) -> float:  # noqa: ARG002  # the protocol's signature
        """Return the present: whatever is read from the wall's world was there all along."""
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        """Let everything due within `duration_s` happen."""
        self.run_until(self._now_s + duration_s)

    def at(self, at_s: float, do: Callable[[], None], order: Order = Order.WORLD) -> Event:
        """Plan `do` for `at_s`, or for this moment when that has passed."""
        event = Event(max(at_s, self._now_s), do)
        heapq.heappush(self._heap, (event.at_s, order, next(self._sequence), event))
        return event

    def after(self, delay_s: float, do: Callable[[], None], order: Order = Order.WORLD) -> Event:
        """Plan `do` for `delay_s` seconds from now."""
        return self.at(self._now_s + delay_s, do, order)

    def next_at_s(self) -> float:
        """Return when the next event is due, epoch seconds; infinity when there is none."""
        while self._heap and self._heap[0][-1].do is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def run_until(self, until_s: float) -> None:
        """Let everything due up to and including `until_s` happen, and stand at `until_s` afterwards."""
        while self.next_at_s() <= until_s:
            at_s, _, _, event = heapq.heappop(self._heap)
            self._now_s = at_s
            self._fire(event)
        self._now_s = max(self._now_s, until_s)

    def _fire(self, event: Event) -> None:
        do, event.do = event.do, None
        if do is not None:
            self.fired += 1
            do()
