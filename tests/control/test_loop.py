"""The loop: goes on whatever a turn raises, says what is wrong, and wakes when poked."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from scheduler.control.loop import Backoff, run_forever
from scheduler.control.reports.board import Board
from scheduler.control.settings import Settings
from scheduler.model.errors import InvariantBroken, Unreachable


class Poke:
    """An event that is never waited for: it notes how long it would have been, and lets the next thing happen."""

    def __init__(self, *then: Callable[[], None]) -> None:
        self.waits: list[float] = []
        self.then = list(then)

    def clear(self) -> None:
        """Do nothing: nobody set it."""

    def wait(self, timeout_s: float) -> None:
        """Note the time, and go on at once."""
        self.waits.append(timeout_s)
        self.then.pop(0)()


class Turns:
    """A cycle whose turns end as they are told to."""

    def __init__(self, *ends: Any, speed: float = 1.0, duration_s: float = 0.0) -> None:
        self.ends, self.taken = list(ends), 0
        self.board, self.settings = Board(), Settings(period_s=30.0)
        self.clock = type("Clock", (), {"speed": speed})()
        self.now_s, self.duration_s = 0.0, duration_s

    def timer(self) -> float:
        """Return the wall time of this little world."""
        return self.now_s

    def turn(self) -> Any:
        """Take one."""
        self.taken += 1
        self.now_s += self.duration_s
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return type("Report", (), {"degraded": end})()


def nothing() -> None:
    """Let nothing happen."""


def run(cycle: Turns, backoff: Backoff | None = None) -> list[float]:
    """Run through all turns and return the pauses between them."""
    stop = threading.Event()
    poke = Poke(*[nothing] * (len(cycle.ends) - 1), stop.set)
    run_forever(cycle, stop, poke, backoff)  # type: ignore[arg-type]  # stand-ins
    return poke.waits


@pytest.mark.parametrize(
    ("speed", "duration_s", "pause_s"), [(1.0, 0.0, 30.0), (360.0, 0.0, 30 / 360), (1.0, 4.0, 26.0), (1.0, 99.0, 0.0)]
)
def test_turns_begin_a_period_of_the_world_apart(speed: float, duration_s: float, pause_s: float) -> None:
    assert run(Turns("", "", speed=speed, duration_s=duration_s)) == [pytest.approx(pause_s)] * 2


def test_what_does_not_answer_is_tried_again_ever_more_patiently_until_it_does() -> None:
    gone = Unreachable("Ray does not answer")
    cycle = Turns(gone, gone, gone, "", gone)
    assert run(cycle, Backoff(1.0, 3.0)) == [1.0, 2.0, 3.0, 30.0, 1.0]
    assert cycle.board.degraded == "Ray does not answer; try 1"


def test_a_turn_that_broke_off_amid_acting_counts_as_no_answer() -> None:
    assert run(Turns("gone", "gone", ""), Backoff(1.0, 8.0)) == [1.0, 2.0, 30.0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InvariantBroken("a gang is torn"), "a gang is torn; try 1"),
        (KeyError("values"), "the control loop failed: KeyError: 'values'; try 1"),
        (MemoryError(), "the control loop failed: MemoryError; try 1"),
        (RecursionError("too deep"), "the control loop failed: RecursionError: too deep; try 1"),
    ],
)
def test_a_bug_is_said_and_the_loop_goes_on_more_patiently(error: Exception, said: str) -> None:
    cycle = Turns("", error)
    assert run(cycle, Backoff(1.0, 3.0)) == [30.0, 1.0]
    assert cycle.board.degraded == said
    assert run(Turns(error, error, "", error), Backoff(1.0, 3.0)) == [1.0, 2.0, 30.0, 1.0]


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(3)])
def test_what_ends_a_process_ends_the_loop(end: BaseException) -> None:
    cycle = Turns("")
    cycle.turn = lambda: (_ for _ in ()).throw(end)
    with pytest.raises(type(end)):
        run(cycle)


def test_a_thousand_failures_do_not_overflow() -> None:
    assert Backoff(1.0, 30.0).pause_s(10**6) == 30.0


def test_a_poke_ends_a_pause_and_stop_ends_the_loop(lab: Any) -> None:
    stop, poke, seen = threading.Event(), threading.Event(), threading.Semaphore(0)
    lab.board.listeners.append(lambda _: seen.release())
    lab.cycle.timer = lambda: 0.0
    loop = threading.Thread(target=run_forever, args=(lab.cycle, stop, poke))
    loop.start()
    assert seen.acquire(timeout=60)
    for _ in range(3):
        poke.set()
        assert seen.acquire(timeout=60), "the loop slept through a poke"
    stop.set()
    poke.set()
    loop.join(timeout=60)
    assert not loop.is_alive()
    assert lab.board.report.cycle.number >= 4
