"""The SDK against the real API over real HTTP: what is accepted, answered and refused."""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from scheduler.client import Client
from scheduler.control.records import AttemptRecord, Outcome
from scheduler.model.errors import ConfigError, Conflict, NotFound, NotPermitted
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, JobState
from scheduler.wire.hosts import DrainOrder


class Live(Protocol):
    """The control plane of the fixture."""

    url: str
    store: object
    packages: object
    lines: dict[tuple[str, int], list[str]]


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.url) as made:
        yield made


def test_a_job_by_keys_is_accepted_and_shown(client: Client) -> None:
    job = client.submit(
        entrypoint="python train.py", gpus=1, workers=2, cpus=4, memory="8Gi", gpu_model="MI300X", priority="high",
        queue="research", max_runtime="6h", checkpoint_interval="10m", grace="30s", preemptible=False, env={"A": "1"},
    )  # fmt: skip
    assert (job.id, job.name, job.state, job.owner) == ("1", "train", "Pending", "operator")
    assert (job.workers, job.gpus, job.gpus_per_worker, job.gpu_models) == (2, 2.0, 1.0, ("MI300X",))
    assert (job.cpus_per_worker, job.memory_bytes_per_worker) == (4.0, 8 * 2**30)
    assert (job.priority_class, job.priority, job.queue, job.preemptible) == ("high", 75, "research", False)
    assert (job.max_runtime_s, job.checkpoint_interval_s, job.grace_period_s) == (21600.0, 600.0, 30.0)
    assert client.job(1).id == "1"
    listed = client.jobs()
    assert (listed.kind, listed.cycle, [one.id for one in listed.items]) == ("JobList", 7, ["1"])


def test_a_job_from_a_file_carries_its_directory(client: Client, live: Live, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "train.py").write_text("print('hello')", encoding="utf-8")
    file = tmp_path / "job.yaml"
    file.write_text("entrypoint: python train.py\nworking_dir: code\nworkers: 1\n", encoding="utf-8")
    job = client.submit(file, workers=3, name="from-file")
    assert (job.name, job.workers) == ("from-file", 3)
    spec = live.store.job(JobId("1")).spec
    with zipfile.ZipFile(live.packages.path(spec.working_dir)) as archive:
        assert archive.namelist() == ["train.py"]
        assert archive.read("train.py") == b"print('hello')"


def test_a_mapping_wins_over_nothing_and_loses_to_keys(client: Client) -> None:
    job = client.submit({"entrypoint": "python a.py", "resources": {"gpus": 2, "cpus": 8}}, gpus=0.5)
    assert (job.name, job.gpus, job.cpus_per_worker) == ("a", 0.5, 8.0)


def test_faults_of_the_server_get_the_line_they_have_in_the_file(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("entrypoint: python train.py\n\npriority: hgih\ngrace: 5m\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        client.submit(file)
    assert [str(fault) for fault in caught.value.faults] == [
        f'{file}:3: unknown priority "hgih"',
        f"{file}:4: grace: 5m is longer than this cluster waits when it preempts",
    ]
    assert caught.value.faults[0].help == 'did you mean "high"? urgent 100, high 75, normal 50, low 25'


def test_nothing_is_sent_when_the_client_sees_faults_itself(client: Client) -> None:
    with pytest.raises(ConfigError) as caught:
        client.submit(gpus=-1, workerz=2)
    assert [fault.field for fault in caught.value.faults] == ["entrypoint", "resources.gpus", "workerz"]
    assert client.jobs(all=True).items == ()


def test_a_gang_that_can_never_run_is_refused(client: Client) -> None:
    with pytest.raises(ConfigError, match="this gang can never run"):
        client.submit(entrypoint="x", gpus=8, workers=4)
    assert client.jobs(all=True).items == ()


def test_jobs_are_held_resumed_reprioritised_and_stopped(client: Client, live: Live) -> None:
    client.submit(entrypoint="python train.py")
    client.hold(1, "wait for labels")
    assert live.store.job(JobId("1")).hold_reason == "wait for labels"
    client.resume(1)
    assert live.store.job(JobId("1")).hold_reason == ""
    assert client.set_priority(1, "urgent").priority == 100
    client.stop(1)
    assert live.store.job(JobId("1")).desired == "stop"


def test_what_the_state_forbids_is_a_conflict(client: Client, live: Live) -> None:
    client.submit(entrypoint="python train.py")
    live.store.save(replace(live.store.job(JobId("1")), state=JobState.SUCCEEDED, finished_at_s=1.0))
    with pytest.raises(Conflict, match="job 1 train has succeeded already"):
        client.stop(1)
    with pytest.raises(Conflict):
        client.hold(1)


@pytest.mark.parametrize("job_id", [471, "471", "a/b", "a?b#c", "../hosts"])
def test_unknown_jobs_are_not_found_whatever_they_are_called(job_id: str | int, client: Client) -> None:
    for ask in (client.job, client.stop, client.resume, client.hold):
        with pytest.raises(NotFound):
            ask(job_id)


def test_an_unknown_priority_is_named(client: Client) -> None:
    client.submit(entrypoint="python train.py")
    with pytest.raises(ConfigError, match='unknown priority "hgih"'):
        client.set_priority(1, "hgih")


def test_logs_are_read_whole_by_their_tail_and_across_attempts(client: Client, live: Live) -> None:
    client.submit(entrypoint="python train.py")
    attempts = tuple(
        AttemptRecord(JobId("1"), number, (Slot("gpu-1"),), 1.0, 2.0, 3.0 + number, outcome, checkpoint_step=5)
        for number, outcome in ((1, Outcome.PREEMPTED), (2, Outcome.SUCCEEDED))
    )
    live.store.save(replace(live.store.job(JobId("1")), state=JobState.SUCCEEDED, attempts=attempts))
    live.lines[JobId("1"), 1] = ["step 1", "step 5"]
    live.lines[JobId("1"), 2] = ["step 6", "größer", "done"]
    assert list(client.logs(1)) == ["step 6", "größer", "done"]
    assert list(client.logs(1, attempt=1)) == ["step 1", "step 5"]
    assert list(client.logs(1, tail=1)) == ["done"]
    followed = list(client.logs(1, follow=True))
    assert followed[:3] == ["step 6", "größer", "done"]
    with pytest.raises(NotFound, match="no attempt 9"):
        list(client.logs(1, attempt=9))
    with pytest.raises(NotFound):
        list(client.logs(2))


def test_hosts_are_listed_cordoned_and_given_back(client: Client, live: Live) -> None:
    (host,) = client.hosts().items
    assert (host.name, host.gpu_model, len(host.devices), host.state) == ("gpu-1", "MI300X", 4, "ready")
    assert client.cordon("gpu-1", "new disk").name == "gpu-1"
    assert [(mark.host, mark.reason) for mark in live.store.host_marks()] == [("gpu-1", "new disk")]
    client.uncordon("gpu-1")
    assert live.store.host_marks() == ()
    with pytest.raises(NotFound, match="no host gpu-9"):
        client.cordon("gpu-9")


def test_a_drain_can_be_tried_first(client: Client, live: Live) -> None:
    answer = client.drain("gpu-1", DrainOrder(dry_run=True))
    assert (answer.host, answer.applied) == ("gpu-1", False)
    assert live.store.host_marks() == ()
    assert client.drain("gpu-1", DrainOrder(force=True, reason="swap")).applied
    assert [mark.reason for mark in live.store.host_marks()] == ["swap"]


def test_serving_is_shown(client: Client) -> None:
    (model,) = client.models().items
    assert (model.name, model.ready, model.rps_now, model.headroom_ratio) == ("edit-check", 1, 10.0, 1.5)
    capacity = client.capacity()
    assert capacity.covered
    assert capacity.gpus == 4
    forecast = client.forecast("edit-check")
    assert (forecast.source, len(forecast.points), forecast.peaks[0].p99) == ("wiki", 48, 14.0)
    with pytest.raises(NotFound, match="no model edit-chek"):
        client.forecast("edit-chek")


def test_events_and_status_tell_what_happened_and_to_whom(client: Client) -> None:
    client.submit(entrypoint="python train.py")
    (event,) = client.events(subject="1").items
    assert event.subject == "1"
    assert "accepted" in event.title
    status = client.status()
    assert (status.cluster, status.state, status.role, status.caller) == ("small", "live", "operator", "operator")


def test_tokens_decide_what_one_may_do(start: Callable[..., Live], monkeypatch: pytest.MonkeyPatch) -> None:
    live = start(see="viewer", do="submitter", run="operator")
    with Client(live.url) as stranger, pytest.raises(NotPermitted, match="a bearer token is needed"):
        stranger.jobs()
    with Client(live.url, "see") as viewer, pytest.raises(NotPermitted) as caught:
        viewer.submit(entrypoint="python train.py")
    assert caught.value.faults[0].help == "ask for a token with role submitter"
    monkeypatch.setenv("HEADROOM_TOKEN", "do")
    with Client(live.url) as submitter:
        assert submitter.submit(entrypoint="python train.py").owner == "submitter-1"
        with pytest.raises(NotPermitted, match="role submitter may not"):
            submitter.drain("gpu-1")
    with Client(live.url, "run") as operator:
        assert operator.stop(1).id == "1"


def test_a_directory_that_is_too_large_is_refused_by_the_server_too(client: Client, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(2**20 + 1))
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        client.upload(tmp_path)
