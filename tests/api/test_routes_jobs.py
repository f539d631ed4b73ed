"""Jobs over HTTP: accepted once and for good, changed by those who may, and described with reasons."""

import hashlib
import io
import zipfile
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scheduler.model.workloads import JobState

ORDER: dict[str, Any] = {"entrypoint": "python train.py", "priority": "high", "resources": {"gpus": 1}}


def test_a_submission_is_in_the_store_before_the_answer(world: Any) -> None:
    answer = world.http().post("/api/v1/jobs", json=ORDER)
    assert answer.status_code == 201
    job = answer.json()["item"]
    record = world.store.job(job["id"])
    assert (record.spec.name, record.spec.priority, record.spec.owner) == ("train", 75, "operator")
    assert job["state"] == "Pending"
    assert job["why"]["code"] == "NotYetPlanned"


def test_a_job_may_come_wrapped_with_the_digest_of_its_package(world: Any) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("train.py", "")
    content = file.getvalue()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    http = world.http()
    for _ in range(2):
        assert http.put(f"/api/v1/packages/{digest}", content=content).status_code == 204
    answer = http.post("/api/v1/jobs", json={"job": ORDER, "working_dir": digest})
    assert answer.status_code == 201
    assert world.store.job(answer.json()["item"]["id"]).spec.working_dir == digest


def test_a_package_under_a_wrong_digest_is_refused(http: httpx.Client) -> None:
    answer = http.put(f"/api/v1/packages/sha256:{'0' * 64}", content=b"something else")
    assert answer.status_code == 422
    assert "digest" in answer.json()["error"]["message"]


def test_all_faults_of_a_job_are_named_at_once_and_nothing_is_stored(world: Any) -> None:
    before = len(world.store.jobs(open_only=False))
    bad = {"entrypoint": "python train.py", "resorces": {}, "workers": -1, "priority": "hgih"}
    answer = world.http().post("/api/v1/jobs", json=bad)
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert {error["field"] for error in errors} >= {"resorces", "workers", "priority"}
    assert answer.json()["error"] == errors[0]
    assert any("resources" in error["help"] for error in errors)
    assert len(world.store.jobs(open_only=False)) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 422), (b"[1]", 422), (b'{"job": 3}', 422), (b'{"entrypoint": "x", "resources": {"gpus": 9000}}', 422)],
)
def test_nonsense_is_refused_in_the_form_of_every_error(http: httpx.Client, body: bytes, status: int) -> None:
    answer = http.post("/api/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert answer.json()["error"]["message"]


def test_the_list_is_in_the_order_of_trying_and_can_be_narrowed(http: httpx.Client) -> None:
    jobs = http.get("/api/v1/jobs").json()
    assert jobs["kind"] == "JobList"
    assert jobs["cycle"] == 18422
    assert [job["id"] for job in jobs["items"]][:4] == ["417", "420", "399", "421"]
    assert len(jobs["items"]) == 12
    found = http.get("/api/v1/jobs", params={"state": "running", "owner": "growth"}).json()["items"]
    assert {job["id"] for job in found} == {"405", "412"}
    assert http.get("/api/v1/jobs", params={"queue": "default"}).json()["items"] == []
    nowhere = http.get("/api/v1/jobs", params={"queue": "none"})
    assert (nowhere.status_code, nowhere.json()["error"]["message"]) == (404, "no queue none")


def test_ended_jobs_are_listed_only_when_asked_for(world: Any) -> None:
    http = world.http()
    ids = [http.post("/api/v1/jobs", json=ORDER).json()["item"]["id"]]
    record = world.store.job(ids[0])
    world.store.save(replace(record, state=JobState.STOPPED))
    assert ids[0] not in {job["id"] for job in http.get("/api/v1/jobs").json()["items"]}
    assert ids[0] in {job["id"] for job in http.get("/api/v1/jobs", params={"all": True}).json()["items"]}
    assert ids == [job["id"] for job in http.get("/api/v1/jobs", params={"state": "Stopped"}).json()["items"]]


def test_a_waiting_job_says_why_with_numbers(http: httpx.Client) -> None:
    job = http.get("/api/v1/jobs/417").json()["item"]
    assert job["why"] == {
        "code": "InsufficientDevices",
        "message": job["why"]["message"],
        "asked": 8,
        "free": 1,
        "until": "2026-11-23T22:20:00Z",
        "blocked_by": ["405"],
    }
    assert job["order"] == 1


def test_a_preempted_job_shows_its_attempt_and_the_step_it_resumes_from(http: httpx.Client) -> None:
    job = http.get("/api/v1/jobs/399").json()["item"]
    assert job["step"] == 18400
    assert job["attempts"][0]["outcome"] == "Preempted"
    assert [c["type"] for c in job["conditions"]] == ["Accepted", "Admitted", "Running", "Checkpointed", "Preempted"]


def test_changes_are_wishes_in_the_store_and_asking_twice_is_asking_once(world: Any) -> None:
    http = world.http()
    for _ in range(2):
        assert http.post("/api/v1/jobs/401/hold", json={"reason": "new data"}).status_code == 200
    assert (world.store.job("401").desired, world.store.job("401").hold_reason) == ("hold", "new data")
    assert http.post("/api/v1/jobs/401/resume").status_code == 200
    assert world.store.job("401").desired == "run"
    assert http.put("/api/v1/jobs/401/priority", json={"priority": "urgent"}).json()["item"]["priority"] == 100
    for _ in range(2):
        assert http.post("/api/v1/jobs/401/stop").status_code == 200
    assert world.store.job("401").desired == "stop"
    conflict = http.post("/api/v1/jobs/401/resume")
    assert (conflict.status_code, conflict.json()["error"]["code"]) == (409, "Conflict")


def test_what_is_not_there_is_404_and_an_unknown_class_422(http: httpx.Client) -> None:
    for path in ("/api/v1/jobs/999", "/api/v1/nothing", "/jobs/999"):
        answer = http.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "NotFound"
    assert http.put("/api/v1/jobs/401/priority", json={"priority": "hgih"}).status_code == 422
    assert http.put("/api/v1/jobs/401/priority", json={}).json()["error"]["field"] == "priority"


def test_an_outlook_says_what_would_become_of_a_job_and_accepts_nothing(world: Any) -> None:
    before = world.store.jobs(open_only=False)
    answer = world.http().post("/api/v1/jobs/outlook", json=ORDER | {"queue": "research"})
    assert answer.status_code == 200
    item = answer.json()["item"]
    assert (item["name"], item["gpus"], item["queue"]) == ("train", 1.0, "research")
    assert bool(item["where"]) != bool(item["why"])
    assert world.store.jobs(open_only=False) == before


def test_an_outlook_is_asked_for_with_the_checks_of_a_submission(world: Any) -> None:
    wrong = ORDER | {"resources": {"gpus": 9000}}
    assert world.http().post("/api/v1/jobs/outlook", json=wrong).status_code == 422


def test_before_the_first_plan_nobody_knows_what_would_become_of_a_job(empty_world: Any) -> None:
    answer = empty_world.http().post("/api/v1/jobs/outlook", json=ORDER)
    assert answer.status_code == 409
    assert "no plan yet" in answer.json()["error"]["message"]
