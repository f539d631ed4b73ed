"""Logs: one attempt, or all that follow each other, with a line between them that says what happened."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scheduler.api.routes import logs as logs_module
from scheduler.control.records import Outcome
from scheduler.model.workloads import JobId, JobState


class Paper:
    """Logs of attempts by number; reading the end of one may change the world."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.read: list[tuple[str, int, bool, int | None]] = []
        self.at_end: dict[int, Any] = {}

    def __call__(self, job_id: JobId, attempt: int, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Yield a line of the attempt, then let the world move on."""
        self.read.append((job_id, attempt, follow, tail))
        yield f"step of attempt {attempt}"
        self.at_end.get(attempt, lambda: None)()


@pytest.fixture
def paper(world: Any, monkeypatch: pytest.MonkeyPatch) -> Paper:
    monkeypatch.setattr(logs_module, "POLL_S", 0.0)
    return Paper(world)


def test_the_latest_attempt_is_read_with_its_tail(world: Any, paper: Paper) -> None:
    answer = world.http(logs_of=paper).get("/api/v1/jobs/401/logs", params={"tail": 5})
    assert answer.text == "step of attempt 1\n"
    assert paper.read == [("401", 1, False, 5)]


def test_an_attempt_that_is_not_there_is_404(world: Any, paper: Paper) -> None:
    http = world.http(logs_of=paper)
    assert http.get("/api/v1/jobs/401/logs", params={"attempt": 7}).status_code == 404
    assert http.get("/api/v1/jobs/417/logs").status_code == 404
    assert http.get("/api/v1/jobs/999/logs").status_code == 404
    assert http.get("/api/v1/jobs/401/logs", params={"attempt": 7, "follow": True}).status_code == 404
    assert paper.read == []


def test_following_one_attempt_ends_with_it(world: Any, paper: Paper) -> None:
    answer = world.http(logs_of=paper).get("/api/v1/jobs/401/logs", params={"attempt": 1, "follow": True, "tail": 2})
    assert answer.text == "step of attempt 1\n"
    assert paper.read == [("401", 1, True, 2)]


def test_following_goes_on_with_the_next_attempt_after_a_preemption(world: Any, paper: Paper) -> None:
    def preempted() -> None:
        job = world.store.job("401")
        first = replace(job.attempt, ended_at_s=job.submitted_at_s, outcome=Outcome.PREEMPTED, cause="for edit-check")
        second = replace(first, number=2, ended_at_s=None, outcome=Outcome.OPEN, cause="", resumed_from_step=48200)
        world.store.save(replace(job, attempts=(first, second)))

    def succeeded() -> None:
        job = world.store.job("401")
        second = replace(job.attempts[1], ended_at_s=job.submitted_at_s, outcome=Outcome.SUCCEEDED)
        done = replace(job, state=JobState.SUCCEEDED, finished_at_s=1.0, attempts=(job.attempts[0], second))
        world.store.save(done)

    paper.at_end = {1: preempted, 2: succeeded}
    lines = world.http(logs_of=paper).get("/api/v1/jobs/401/logs", params={"follow": True, "tail": 3}).text.splitlines()
    assert lines[0::2] == ["step of attempt 1", "step of attempt 2"]
    assert "attempt 1 preempted" in lines[1]
    assert "checkpoint 48200 (for edit-check)" in lines[1]
    assert "attempt 2 succeeded" in lines[3]
    assert [tail for *_, tail in paper.read] == [3, None]


def test_following_a_job_that_is_stopped_before_it_starts_ends(world: Any, paper: Paper) -> None:
    job = world.store.job("417")
    world.store.save(replace(job, state=JobState.STOPPED, finished_at_s=1.0))
    assert world.http(logs_of=paper).get("/api/v1/jobs/417/logs", params={"follow": True}).text == ""


def test_where_no_logs_are_kept_the_answer_says_so(world: Any) -> None:
    answer = world.http().get("/api/v1/jobs/401/logs")
    assert (answer.status_code, answer.json()["error"]["message"]) == (503, "no logs are kept here")
