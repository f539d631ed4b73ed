"""The only module that asks the machine what time it is."""

import json
import time
from pathlib import Path
from typing import Self


class WallClock:
    """Real time."""

    speed = 1.0

    def now_s(self) -> float:
        """Return the epoch second."""
        return time.time()

    def to_world_s(self, wall_s: float) -> float:
        """Return `wall_s`: the world's time is the wall's."""
        return wall_s

    def sleep(self, duration_s: float) -> None:
        """Wait."""
        time.sleep(duration_s)


class ReplayClock:
    """A world that starts at some moment of the past and goes `speed` times faster than the wall."""

    def __init__(self, start_s: float, speed: float, wall_start_s: float | None = None) -> None:
        """Start now, or at a wall time (epoch seconds), so that a restarted process can rejoin the same world."""
        if speed <= 0:
            msg = f"speed is {speed}, not above 0"
            raise ValueError(msg)
        self.start_s = start_s
        self.speed = speed
        self.wall_start_s = time.time() if wall_start_s is None else wall_start_s

    @classmethod
    def kept_in(cls, file: Path, start_s: float, speed: float) -> Self:
        """Return the clock that was begun in a file and goes on where it would be by now, or begin it there."""
        if not file.exists():
            begun = {"start_s": start_s, "speed": speed, "wall_start_s": time.time()}
            draft = file.with_suffix(".new")
            draft.write_text(json.dumps(begun), encoding="utf-8")
            draft.replace(file)
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def now_s(self) -> float:
        """Return the world's epoch second."""
        return self.to_world_s(time.time())

    def to_world_s(self, wall_s: float) -> float:
        """Return the world's time at a wall time, epoch seconds."""
        return self.start_s + (wall_s - self.wall_start_s) * self.speed

    def sleep(self, duration_s: float) -> None:
        """Wait for `duration_s` world seconds, which is `duration_s / speed` wall seconds."""
        time.sleep(max(0.0, duration_s / self.speed))


def stopwatch_s() -> float:
    """Return wall seconds since some fixed moment, for durations only."""
    return time.perf_counter()


def computed_s() -> float:
    """Return seconds that this thread has computed, for durations only."""
    return time.thread_time()
