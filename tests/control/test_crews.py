"""Crews: bounded, never held up by one who takes too long, and at once where time is simulated."""

import threading

import pytest

from scheduler.control.isolation.crews import AtOnce, Threads


def test_an_errand_done_at_once_is_done_and_keeps_its_error() -> None:
    assert AtOnce().submit(int, "7").result(timeout=0) == 7
    assert isinstance(AtOnce().submit(int, "x").exception(timeout=0), ValueError)
    with pytest.raises(KeyboardInterrupt):
        AtOnce().submit(_interrupted)


def _interrupted() -> None:
    raise KeyboardInterrupt


def test_so_many_threads_at_once_and_no_more() -> None:
    crew, release, running, most = Threads("t", 3, 60.0), threading.Event(), [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        release.wait(60)
        with lock:
            running[0] -= 1

    errands = [crew.submit(work) for _ in range(12)]
    release.set()
    for errand in errands:
        errand.result(timeout=60)
    assert most[0] <= 3


def test_those_who_take_too_long_make_room_for_others() -> None:
    now_s, stuck = [0.0], threading.Event()
    crew = Threads("t", 2, 10.0, lambda: now_s[0])
    begun = threading.Barrier(3)

    def work() -> bool:
        begun.wait()
        return stuck.wait()

    held = [crew.submit(work) for _ in range(2)]
    begun.wait()
    waiting = crew.submit(int, "7")
    crew.tend()
    assert not waiting.done()
    now_s[0] = 11.0
    crew.tend()
    assert waiting.result(timeout=60) == 7
    stuck.set()
    assert [each.result(timeout=60) for each in held] == [True, True]


def test_threads_do_not_keep_a_process_from_ending() -> None:
    found: list[bool] = []
    Threads("t", 1, 10.0).submit(lambda: found.append(threading.current_thread().daemon)).result(timeout=60)
    assert found == [True]
