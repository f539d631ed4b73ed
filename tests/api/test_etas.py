"""When jobs start and end: what was foretold beside the loop, else what follows from the queue."""

from math import inf
from typing import Any

import pytest

from scheduler.api.site import Questions
from scheduler.control.whatif.answer import Spread
from scheduler.control.whatif.etas import RISK_WITHIN_S, Etas, JobEta
from tests.api.conftest import NOW_S

HOUR_S = 3600.0
BY_ID = {
    "401": JobEta(None, Spread(NOW_S + 5 * HOUR_S, NOW_S + 7 * HOUR_S), 0.22, 1200.0),
    "417": JobEta(Spread(NOW_S - 60, NOW_S + 2 * HOUR_S), Spread(NOW_S + 4 * HOUR_S, inf)),
    "406": JobEta(Spread(inf, inf), Spread(inf, inf)),
}


@pytest.fixture
def http(world: Any) -> Any:
    """Call the API of a control plane that foretells."""
    return world.http(questions=Questions(None, None, lambda: Etas(NOW_S, BY_ID, 20)))  # type: ignore[arg-type]  # not asked


def test_lists_say_when_who_waits_starts_and_who_runs_ends(http: Any) -> None:
    jobs = {job["id"]: job for job in http.get("/api/v1/jobs").json()["items"]}
    runs, waits = jobs["401"], jobs["417"]
    assert runs["expected_start"] is None
    assert runs["expected_end"] == {"p50": "2026-11-23T22:24:00Z", "p90": "2026-11-24T00:24:00Z"}
    assert runs["preemption_risk"] == {"share": 0.22, "within_s": RISK_WITHIN_S, "lost_gpu_s": 1200.0}
    assert waits["expected_start"] == {"p50": "2026-11-23T17:24:02Z", "p90": "2026-11-23T19:24:00Z"}, "never past"
    assert waits["expected_end"] == {"p50": "2026-11-23T21:24:00Z", "p90": None}
    assert waits["preemption_risk"] is None
    assert jobs["406"]["expected_start"] is None, "later than was looked at"
    assert all(job["expected_end"] is None for name, job in jobs.items() if name not in BY_ID)


def test_one_job_says_the_same_and_so_does_its_page(http: Any) -> None:
    assert http.get("/api/v1/jobs/417").json()["item"]["expected_start"]["p90"] == "2026-11-23T19:24:00Z"
    page = http.get("/jobs/401").text
    assert "Expected end" in page
    assert "22 % of being preempted in" in page, page[page.index("Expected end") :][:400]


def test_who_has_not_been_foretold_is_told_by_who_waits_before_it(world: Any) -> None:
    plain = world.http().get("/api/v1/jobs/417").json()["item"]
    without = world.http(questions=Questions(None, None, Etas)).get("/api/v1/jobs/417").json()["item"]  # type: ignore[arg-type]
    assert plain["expected_start"] == without["expected_start"]
    assert plain["expected_end"] is None


def test_capacity_and_page_say_which_sizes_could_start(world: Any) -> None:
    sizes = world.http().get("/api/v1/capacity").json()["item"]["sizes"]
    assert 1 <= len(sizes) <= 2
    assert all(one["gpus"] >= 1 and one["hosts"] >= 1 for one in sizes)
    assert "Could start, stopping nobody:" in world.http().get("/").text
