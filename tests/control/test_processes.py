"""Errands in another process: done there, told from here, and never waited for longer than the deadline."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from scheduler.control.clocks import stopwatch_s
from scheduler.control.isolation.crews import AtOnce, Threads
from scheduler.control.isolation.processes import OneProcess
from scheduler.model.errors import Unreachable


@pytest.fixture
def crew() -> Iterator[OneProcess]:
    made = OneProcess(AtOnce(), 60.0)
    yield made
    made.close()


def test_an_errand_is_done_in_a_process_that_stays(crew: OneProcess) -> None:
    one, other = (crew.submit(os.getpid).result(timeout=0) for _ in range(2))
    assert one == other != os.getpid()


def test_an_error_is_told_in_words_and_the_next_errand_is_done(crew: OneProcess) -> None:
    error = crew.submit(int, "x").exception(timeout=0)
    assert isinstance(error, Unreachable)
    assert "ValueError: invalid literal for int()" in str(error)
    assert isinstance(crew.submit(open, os.devnull).exception(timeout=0), Unreachable), "no pickle is made of a file"
    assert crew.submit(int, "7").result(timeout=0) == 7


def test_what_somebody_prints_is_no_answer(crew: OneProcess, capfd: pytest.CaptureFixture[str]) -> None:
    assert crew.submit(print, "hello").exception(timeout=0) is None
    assert crew.submit(os.system, "echo hello").result(timeout=0) == 0
    assert capfd.readouterr().out == ""


def test_a_process_that_dies_fails_its_errand_and_is_started_anew(crew: OneProcess) -> None:
    first = crew.submit(os.getpid).result(timeout=0)
    assert isinstance(crew.submit(os.abort).exception(timeout=0), Unreachable)
    os.kill(second := crew.submit(os.getpid).result(timeout=0), signal.SIGKILL)
    assert len({first, second}) == 2
    while crew.submit(int, "7").exception(timeout=0) is not None:
        time.sleep(0.01)


def test_an_errand_that_takes_too_long_is_ended() -> None:
    crew = OneProcess(Threads("t", 1, 600.0, stopwatch_s), 1.0)
    late = crew.submit(time.sleep, 3600.0)
    assert "given up" in str(late.exception(timeout=60))
    crew.close()


def test_a_ctrl_c_does_not_reach_it(crew: OneProcess) -> None:
    assert crew.submit(os.getpgid, 0).result(timeout=0) != os.getpgid(0)
