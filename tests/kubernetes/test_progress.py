"""A job tells how far it is, by its own token: on the double with the whole control plane and its API."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.api.serving import server_of
from scheduler.backends.kubernetes.handout import Handout
from scheduler.backends.kubernetes.marks import Marks
from scheduler.backends.kubernetes.running import Attempt
from scheduler.cli.composition.plane import ControlPlane, web_app
from scheduler.jobkit import Checkpoints
from scheduler.model.workloads import JobId, JobState
from tests.kubernetes.sited import Site, four, opened, where
from tests.kubernetes.test_gangs_at_the_gate import thing

NAMES = {
    "HEADROOM_JOB_ID": "headroom/job",
    "HEADROOM_ATTEMPT": "headroom/attempt",
    "HEADROOM_RESUME_STEP": "headroom/resume-step",
    "HEADROOM_PROGRESS_URL": "headroom/progress-url",
    "HEADROOM_PROGRESS_TOKEN": "headroom/progress-token",
}
ENV = [
    {"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{key}']"}}}
    for name, key in NAMES.items()
]
OPERATOR = {"name": "boss", "role": "operator", "sha256": "0" * 64}


@contextmanager
def answering(plane: ControlPlane, listener: socket.socket) -> Iterator[None]:
    """Serve the API of a control plane."""
    server = server_of(web_app(plane))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A cluster with a control plane that answers."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    api = {"port": port, "url": f"http://127.0.0.1:{port}", "tokens": [OPERATOR]}
    with listener, opened(tmp_path, monkeypatch, api=api) as made, answering(made.plane, listener):
        yield made


def environment_of(site: Site, job: str) -> dict[str, str]:
    """Return what a kubelet makes of the environment of the pod of a job."""
    pods = site.rest.list("/api/v1/namespaces/ml/pods")
    (pod,) = [pod for pod in pods if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == job]
    said: dict[str, str] = pod["metadata"]["annotations"]
    (container,) = pod["spec"]["containers"]
    paths = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    return {name: said.get(path.split("'")[1], "") for name, path in paths.items()}


def posted(environment: dict[str, str], body: Any, **changes: str) -> int:
    """Return the status with which progress is answered."""
    told = environment | changes
    headers = {"Authorization": f"Bearer {told['HEADROOM_PROGRESS_TOKEN']}"}
    return httpx.post(told["HEADROOM_PROGRESS_URL"], json=body, headers=headers).status_code


def test_what_a_job_tells_counts_when_it_gives_way_and_its_next_attempt_is_told_where_to_go_on(
    site: Site, tmp_path: Path
) -> None:
    body = four("first", workers=1)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = ENV
    site.give(body)
    site.until(site.is_in("first", JobState.RUNNING))
    first = environment_of(site, "first")
    assert (first["HEADROOM_ATTEMPT"], first["HEADROOM_RESUME_STEP"]) == ("1", "")
    folder = {"HEADROOM_CHECKPOINT_DIR": str(tmp_path / "volume")}
    Checkpoints(5000, first | folder).save(1200, Path.touch)
    site.until(lambda: site.job("first").attempts[-1].checkpoint_step == 1200)
    assert site.job("first").attempts[-1].total_steps == 5000
    site.give(four("urgent"), priority="urgent")
    site.until(site.is_in("urgent", JobState.RUNNING))
    assert site.job("first").state is JobState.PREEMPTED
    assert "saved step 1200" in site.told()
    site.turn()
    assert posted(first, {"step": 1300}) == 409, "it is over"
    site.rest.delete(f"{where('jobs')}/urgent", propagationPolicy="Background")
    site.until(site.is_in("first", JobState.RUNNING))
    second = environment_of(site, "first")
    assert (second["HEADROOM_ATTEMPT"], second["HEADROOM_RESUME_STEP"]) == ("2", "1200")
    assert Checkpoints(5000, second | folder).resume_step == 1200
    url = second["HEADROOM_PROGRESS_URL"]
    assert posted(first, {"step": 1300}, HEADROOM_PROGRESS_URL=url) == 401, "a token is of one attempt"
    assert httpx.get(f"{url.partition('/api/')[0]}/api/v1/jobs", headers={
        "Authorization": f"Bearer {second['HEADROOM_PROGRESS_TOKEN']}"
    }).status_code == 401, "it is good for nothing else"  # fmt: skip
    assert posted(second, {"step": 1300}) == 204
    site.until(lambda: site.job("first").attempts[-1].checkpoint_step == 1300)
    assert site.job("first").attempts[0].checkpoint_step == 1200


def test_what_the_cluster_refuses_to_write_down_is_said(site: Site) -> None:
    body = four("first", workers=1)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = ENV
    site.give(body)
    site.until(site.is_in("first", JobState.RUNNING))
    said = environment_of(site, "first")
    site.api.faults.forbidden = lambda request: request.method == "PATCH" and "/jobs/" in request.path
    assert posted(said, {"step": 1300}) == 409


def test_where_the_address_of_the_api_is_not_said_no_token_is_handed_out() -> None:
    one = Attempt(thing(1), Marks(JobId("17"), 2, (), "me", 0.0), ())
    assert Handout().to(one) == {"headroom/job": "17", "headroom/attempt": "2"}
    assert Handout("http://h:1/", lambda *_: "t").to(one)["headroom/progress-url"] == (
        "http://h:1/api/v1/jobs/17/attempts/2/progress"
    )
