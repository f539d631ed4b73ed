"""A long list in pages has everything once, in the order of the whole list, however long the pages are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler.control.records import EventKind, EventRecord
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, JobId, JobState
from scheduler.store.sql import SqlStore

SPEC = JobSpec("lm", "true", Gang(1, Shape(1000)), owner="ada")


def pages(world: Any, path: str, limit: int, **asked: str) -> list[list[str]]:
    http, found, cursor = world.http(), [], ""
    for _ in range(100):
        place = {"cursor": cursor} if cursor else {}
        answer = http.get(f"/api/v1/{path}", params={**asked, "limit": str(limit), **place}).json()
        found.append([str(item["id"]) for item in answer["items"]])
        cursor = answer["next"]
        if not cursor:
            return found
    pytest.fail("pages do not end")


def whole(world: Any, **asked: str) -> list[str]:
    answer = world.http().get("/api/v1/jobs", params=asked).json()
    assert answer["next"] == ""
    return [item["id"] for item in answer["items"]]


@pytest.fixture
def long_world(world: Any) -> Any:
    """The evening, with many jobs that have ended."""
    for number in range(430, 470):
        job = world.store.accept(replace(SPEC, owner="ada" if number % 3 else "bob"), 1.0)
        world.store.save(replace(job, state=JobState.FAILED if number % 2 else JobState.SUCCEEDED, finished_at_s=2.0))
    return world


@pytest.mark.parametrize("limit", [1, 3, 7, 50, 1000])
@pytest.mark.parametrize("asked", [{}, {"all": "true"}, {"all": "true", "owner": "bob"}, {"state": "failed"}], ids=str)
def test_pages_are_the_whole_list_cut(long_world: Any, limit: int, asked: dict[str, str]) -> None:
    found = pages(long_world, "jobs", limit, **asked)
    seen = [job for page in found for job in page]
    assert sorted(seen, key=int) == sorted(whole(long_world, **asked), key=int)
    assert len(seen) == len(set(seen))
    assert all(len(page) == limit for page in found[:-1])
    waiting = [job for job in whole(long_world) if long_world.store.job(JobId(job)).state.is_waiting]
    if not asked:
        assert [job for job in seen if job in waiting] == waiting


def test_a_job_that_comes_meanwhile_is_on_a_later_page(long_world: Any) -> None:
    http = long_world.http()
    first = http.get("/api/v1/jobs", params={"all": "true", "limit": "20"}).json()
    new = long_world.store.accept(SPEC, 1.0)
    rest = pages(long_world, "jobs", 1000, all="true", cursor=first["next"])
    assert new.job_id in rest[0]


@pytest.mark.parametrize("cursor", ["x", "job", "job-", "job--1", "order-1.5", "job-99999999999999", "id-3"])
def test_what_is_no_cursor_is_refused(world: Any, cursor: str) -> None:
    assert world.http().get("/api/v1/jobs", params={"limit": "5", "cursor": cursor}).status_code == 422


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "many"])
def test_pages_have_a_size(world: Any, limit: str) -> None:
    assert world.http().get("/api/v1/jobs", params={"limit": limit}).status_code == 422


@pytest.mark.parametrize("limit", [1, 4, 8, 100])
def test_events_go_back_page_by_page(world: Any, limit: int) -> None:
    found = pages(world, "events", limit)
    assert [int(event) for page in reversed(found) for event in page] == list(range(1, 9))
    after = pages(world, "events", limit, after="3")
    assert [int(event) for page in reversed(after) for event in page] == [4, 5, 6, 7, 8]


def test_the_store_on_disk_gives_pages_as_the_one_in_memory(tmp_path: Path) -> None:
    store = SqlStore(f"sqlite:///{tmp_path}/state.db")
    for _ in range(7):
        store.accept(SPEC, 0.0)
        store.record(EventRecord(1.0, 1, EventKind.HOST, "a", "said"))
    assert [job.job_id for job in store.jobs_after(2, 3)] == ["3", "4", "5"]
    assert store.jobs_after(7, 3) == ()
    assert [event.event_id for event in store.events(before_id=5, limit=2)] == [3, 4]
    assert [event.event_id for event in store.events(after_id=3, before_id=5, limit=9)] == [4]
    store.close()
