# ruff: noqa: S104  # a wildcard address is what is tested
"""Who may tell how far an attempt is: it alone, while it is open."""

from typing import Any

import httpx
import pytest

from scheduler.control.service.progress import ProgressDesk
from scheduler.model.errors import ActionFailed
from scheduler.model.observation import Progress
from scheduler.model.workloads import JobId
from tests.api.test_all_weather import TOKENS
from tests.api.test_every_route import SECRET, VIEWER

RUNS, OVER = JobId("401"), JobId("399")


class Shelf:
    """A cluster that keeps what it is told, or refuses it."""

    def __init__(self) -> None:
        self.told: list[tuple[JobId, int, int, int | None]] = []
        self.refuses = False

    def report(self, job_id: JobId, attempt: int, progress: Progress) -> None:
        if self.refuses:
            raise ActionFailed("it is forbidden")
        self.told.append((job_id, attempt, progress.step, progress.total_steps))


@pytest.fixture
def shelf() -> Shelf:
    """What is told."""
    return Shelf()


def tell(world: Any, shelf: Shelf, token: str, job: str = RUNS, number: int = 1) -> httpx.Response:
    """Tell how far an attempt is, where tokens are needed."""
    desk = ProgressDesk(TOKENS, world.store, world.site.clock, shelf)
    http = world.http(token, bind_host="0.0.0.0", tokens=[VIEWER], progress_desk=desk)
    answer: httpx.Response = http.post(f"/api/v1/jobs/{job}/attempts/{number}/progress", json={"step": 12})
    return answer


def test_an_attempt_that_is_open_tells_how_far_it_is(world: Any, shelf: Shelf) -> None:
    assert tell(world, shelf, TOKENS.of(RUNS, 1)).status_code == 204
    assert shelf.told == [(RUNS, 1, 12, None)]


@pytest.mark.parametrize(("job", "number"), [(OVER, 1), (RUNS, 2)], ids=["over", "never begun"])
def test_one_that_is_not_open_tells_nothing(world: Any, shelf: Shelf, job: JobId, number: int) -> None:
    answer = tell(world, shelf, TOKENS.of(job, number), job, number)
    assert answer.status_code == 409
    assert "is over, or was never begun" in answer.text
    assert shelf.told == []


@pytest.mark.parametrize(
    ("token", "job", "status"),
    [
        ("", RUNS, 401),
        ("wrong", RUNS, 401),
        ("wrong", "999", 401),
        (TOKENS.of(RUNS, 2), RUNS, 401),
        (SECRET, RUNS, 403),
        (SECRET, "999", 404),
    ],
    ids=["none", "wrong", "wrong, of no job", "of another attempt", "a person's", "a person's, of no job"],
)
def test_nobody_else_does_and_those_without_a_token_are_not_told_which_jobs_there_are(
    world: Any, shelf: Shelf, token: str, job: str, status: int
) -> None:
    assert tell(world, shelf, token, job).status_code == status
    assert shelf.told == []


def test_what_the_cluster_refuses_is_said(world: Any, shelf: Shelf) -> None:
    shelf.refuses = True
    answer = tell(world, shelf, TOKENS.of(RUNS, 1))
    assert answer.status_code == 409
    assert "it could not be written down: it is forbidden" in answer.text


def test_where_progress_is_read_from_files_it_is_said(world: Any) -> None:
    answer = world.http().post(f"/api/v1/jobs/{RUNS}/attempts/1/progress", json={"step": 12})
    assert answer.status_code == 403
    assert "it is read from headroom.json beside the checkpoints" in answer.text
