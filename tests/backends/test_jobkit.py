"""What authors of training jobs rely on."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scheduler import jobkit
from scheduler.backends.ray.training import read_marker
from scheduler.jobkit import MARKER, Checkpoints


def checkpoints_in(folder: Path, total_steps: int | None = 100) -> Checkpoints:
    return Checkpoints(total_steps, {"HEADROOM_CHECKPOINT_DIR": str(folder)})


def test_a_first_attempt_begins_at_zero_in_a_folder_that_exists(tmp_path: Path) -> None:
    fresh = checkpoints_in(tmp_path / "a" / "b")
    assert fresh.resume_step == 0
    assert fresh.folder.is_dir()


def test_the_next_attempt_finds_step_and_state(tmp_path: Path) -> None:
    checkpoints_in(tmp_path).save(40, lambda file: file.write_text("forty", encoding="utf-8"))
    again = checkpoints_in(tmp_path)
    assert (again.resume_step, again.path.read_text(encoding="utf-8")) == (40, "forty")


def test_headroom_reads_what_was_announced(tmp_path: Path) -> None:
    checkpoints_in(tmp_path).save(40, Path.touch)
    assert read_marker(tmp_path) == {"step": 40, "total_steps": 100}


def test_only_the_newest_checkpoint_is_kept(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path)
    for step in (10, 20, 20):
        checkpoints.save(step, Path.touch)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["checkpoint-20", MARKER]


def test_a_crash_while_saving_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoints_in(tmp_path).save(10, lambda file: file.write_text("ten", encoding="utf-8"))

    def torn(file: Path) -> None:
        file.write_text("twe", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        checkpoints_in(tmp_path).save(20, torn)
    assert checkpoints_in(tmp_path).resume_step == 10
    assert checkpoints_in(tmp_path).path.read_text(encoding="utf-8") == "ten"


def test_a_crash_between_any_two_writes_leaves_a_whole_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        """The process dies here."""

    calls, dies_at = 0, 0

    def dying(method: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            nonlocal calls
            calls += 1
            if calls == dies_at:
                raise Crash
            return method(*args, **named)

        return call

    for name in ("write_text", "replace", "unlink"):
        monkeypatch.setattr(Path, name, dying(getattr(Path, name)))
    found = []
    for dies_at in range(1, 7):  # read by `dying`
        folder = tmp_path / str(dies_at)
        calls = -99
        checkpoints_in(folder).save(10, lambda file: file.write_text("state at 10", encoding="utf-8"))
        calls = 0
        with contextlib.suppress(Crash):
            checkpoints_in(folder).save(20, lambda file: file.write_text("state at 20", encoding="utf-8"))
        again = checkpoints_in(folder)
        assert again.path.read_text(encoding="utf-8") == f"state at {again.resume_step}"
        found.append(again.resume_step)
    assert found == [10, 10, 10, 10, 20, 20], "written, renamed, announced, renamed; then the old one goes"


def test_a_job_under_headroom_saves_where_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADROOM_CHECKPOINT_DIR", str(tmp_path / "kept"))
    assert Checkpoints().save(5, Path.touch) == tmp_path / "kept" / "checkpoint-5"


def test_without_headroom_it_works_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Checkpoints(environment={}).save(5, Path.touch)
    assert (tmp_path / "checkpoints" / "checkpoint-5").exists()


def test_sigterm_asks_to_stop_and_does_not_end_the_process(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        checkpoints = checkpoints_in(tmp_path)
        checkpoints.catch_stop()
        assert not checkpoints.stop_requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert checkpoints.stop_requested
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"step": "many"}', '{"step": null}', "\0"])
def test_headroom_is_not_upset_by_what_jobs_write(tmp_path: Path, content: str) -> None:
    (tmp_path / MARKER).write_text(content, encoding="utf-8")
    assert read_marker(tmp_path) is None


def test_a_job_of_unknown_length_says_so(tmp_path: Path) -> None:
    checkpoints_in(tmp_path, None).save(7, Path.touch)
    assert json.loads((tmp_path / MARKER).read_text(encoding="utf-8"))["total_steps"] is None
    assert read_marker(tmp_path) == {"step": 7, "total_steps": None}


def told_at(url: str, folder: Path) -> Checkpoints:
    told = {"HEADROOM_PROGRESS_URL": url, "HEADROOM_PROGRESS_TOKEN": "t"}
    return Checkpoints(100, {"HEADROOM_CHECKPOINT_DIR": str(folder), **told})


@pytest.mark.parametrize("status", [204, 401, 409, 503])
def test_where_there_is_an_address_progress_is_told_there_too_whatever_it_answers(tmp_path: Path, status: int) -> None:
    heard: list[tuple[str | None, object]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as its base wants it
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.append((self.headers["Authorization"], json.loads(body)))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        told_at(f"http://127.0.0.1:{server.server_port}/", tmp_path).save(40, Path.touch)
        answering.join()
    assert heard == [("Bearer t", {"step": 40, "total_steps": 100})]
    assert read_marker(tmp_path) == {"step": 40, "total_steps": 100}


def test_a_job_goes_on_where_nobody_takes_its_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobkit, "TOLD_WITHIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        told_at(f"http://127.0.0.1:{port}/", tmp_path).save(40, Path.touch)
    for url in (f"http://127.0.0.1:{port}/", "no address", "http://[", "http://127.0.0.1:99999/"):
        told_at(url, tmp_path).save(41, Path.touch)
    assert checkpoints_in(tmp_path).resume_step == 41
