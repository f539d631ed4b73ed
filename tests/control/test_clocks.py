"""Clocks: the replay goes faster by exactly its speed, and goes on after a restart."""

import time
from pathlib import Path

import pytest

from scheduler.control.clocks import ReplayClock, WallClock, stopwatch_s

START_S = 1_338_768_000.0


def test_the_wall_clock_is_the_machines() -> None:
    before_s = time.time()
    clock = WallClock()
    assert before_s <= clock.now_s() <= time.time()
    assert clock.to_world_s(123.0) == 123.0
    clock.sleep(0.0)


def test_a_replay_maps_wall_time_to_the_worlds() -> None:
    clock = ReplayClock(START_S, 360.0, wall_start_s=1000.0)
    assert clock.to_world_s(1000.0) == START_S
    assert clock.to_world_s(1010.0) == START_S + 3600.0
    assert clock.speed == 360.0


def test_a_replay_that_begins_now_is_at_its_start_and_sleeps_world_seconds() -> None:
    clock = ReplayClock(START_S, 1e5)
    began_s = clock.now_s()
    assert began_s >= START_S
    clock.sleep(1000.0)
    assert clock.now_s() >= began_s + 1000.0


@pytest.mark.parametrize("speed", [0.0, -1.0])
def test_a_world_that_stands_still_or_goes_back_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="not above 0"):
        ReplayClock(START_S, speed)


def test_a_restarted_process_rejoins_the_same_world(tmp_path: Path) -> None:
    file = tmp_path / "replay.json"
    first = ReplayClock.kept_in(file, START_S, 360.0)
    again = ReplayClock.kept_in(file, START_S, 360.0)
    assert again.to_world_s(first.wall_start_s) == START_S
    assert again.wall_start_s == first.wall_start_s


def test_the_stopwatch_never_goes_back() -> None:
    times = [stopwatch_s() for _ in range(100)]
    assert times == sorted(times)
