"""The API of a control plane that waits: it answers questions, changes nothing, and points to the one that leads."""

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.api.pointing import pointing_to
from scheduler.client import Client
from scheduler.control.leadership import Leader
from scheduler.model.errors import Superseded

LEADER = Leader("process 7 on db1", "http://10.0.0.6:8321", 1.0, 3, 9.0, is_alive=True)
CHANGES = [
    ("POST", "/api/v1/jobs"),
    ("POST", "/api/v1/jobs/1/stop"),
    ("PUT", "/api/v1/jobs/1/priority"),
    ("PUT", f"/api/v1/packages/{'0' * 64}"),
    ("POST", "/api/v1/hosts/ml-serve1013/cordon"),
]


@pytest.mark.parametrize("path", ["jobs", "hosts", "models", "queues", "capacity", "events", "status"])
def test_questions_are_answered(world: Any, path: str) -> None:
    assert world.http(leader=lambda: LEADER).get(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_changes_are_refused_with_the_leaders_address(world: Any, method: str, path: str) -> None:
    answer = world.http(leader=lambda: LEADER).request(method, path, json={})
    assert answer.status_code == 503
    assert answer.headers["Headroom-Leader"] == LEADER.address
    error = answer.json()["error"]
    assert error["code"] == "NotLeader"
    assert error["message"] == "this control plane waits; process 7 on db1 leads, at http://10.0.0.6:8321"


def test_the_output_of_jobs_is_the_leaders_to_give(world: Any) -> None:
    answer = world.http(leader=lambda: LEADER).get("/api/v1/jobs/1/logs")
    assert (answer.status_code, answer.headers["Headroom-Leader"]) == (503, LEADER.address)


def test_its_status_says_that_it_waits_and_for_whom(world: Any) -> None:
    status = world.http(leader=lambda: LEADER).get("/api/v1/status").json()["item"]
    assert (status["state"], status["leader"]) == ("standby", LEADER.address)
    assert world.http().get("/api/v1/status").json()["item"]["state"] == "live"


def test_where_nobody_can_say_who_leads_the_answer_is_to_try_again(world: Any) -> None:
    answer = world.http(leader=lambda: None).post("/api/v1/jobs", json={})
    assert (answer.status_code, answer.headers.get("Headroom-Leader", "")) == (503, "")


def test_nobody_is_sent_to_a_leader_that_is_gone() -> None:
    gone = Leader("process 7 on db1", "http://10.0.0.6:8321", 1.0, 3, 9.0, is_alive=False)
    assert pointing_to(gone).leader == ""


def test_a_former_leader_refuses_and_points_likewise(world: Any) -> None:
    def superseded(*_: object, **__: object) -> None:
        raise Superseded("another control plane leads", leader="http://10.0.0.6:8321")

    world.service.store.accept = superseded
    answer = world.http().post("/api/v1/jobs", json={"entrypoint": "true"})
    assert (answer.status_code, answer.headers["Headroom-Leader"]) == (503, "http://10.0.0.6:8321")


def test_the_sdk_submits_to_the_leader_when_it_asks_the_one_that_waits(
    world: Any, serve: Callable[..., str], tmp_path: Any
) -> None:
    leading = serve(world.app())
    waiting = serve(world.app(leader=lambda: Leader("process 7", leading, 1.0, 3, 9.0, is_alive=True)))
    (tmp_path / "train.py").write_text("print()")
    with Client(waiting) as client:
        job = client.submit(entrypoint="python train.py", working_dir=tmp_path)
        assert client.stop(job.id).state == "Stopped" or client.job(job.id).state
        assert client.url == leading
    assert world.store.job(job.id).spec.working_dir
