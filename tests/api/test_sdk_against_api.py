"""The SDK and the server mean the same by every resource and every error."""

from pathlib import Path
from typing import Any

import pytest

from scheduler.client import Client
from scheduler.model.errors import ConfigError, Conflict, NotFound, NotPermitted
from scheduler.wire.hosts import DrainOrder


@pytest.fixture
def client(world: Any) -> Client:
    return Client("http://127.0.0.1:8321", transport=world.http()._transport)


def test_a_job_goes_through_its_life(client: Client, world: Any, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('step')\n")
    job = client.submit(entrypoint="python train.py", gpus=1, priority="high", working_dir=tmp_path)
    assert (job.name, job.priority_class, job.state) == ("train", "high", "Pending")
    assert world.store.job(job.id).spec.working_dir.startswith("sha256:")
    assert job.id in {one.id for one in client.jobs().items}
    assert client.set_priority(job.id, "low").priority == 25
    assert client.hold(job.id, "later").id == client.resume(job.id).id == client.stop(job.id).id == job.id
    with pytest.raises(Conflict):
        client.resume(job.id)


def test_everything_that_can_be_read_is_read(client: Client) -> None:
    assert len(client.hosts().items) == 15
    assert {model.name for model in client.models().items} >= {"edit-check", "articletopic"}
    assert client.capacity().covered
    assert client.forecast("edit-check").points
    assert client.events().items
    assert client.status().role == "operator"
    assert client.job("399").attempts[0].outcome == "Preempted"


def test_hosts_are_cordoned_and_drained(client: Client) -> None:
    assert client.cordon("ml-serve1012", "fan").state == "cordoned"
    assert client.uncordon("ml-serve1012").state == "ready"
    assert client.drain("ml-serve1011", DrainOrder(dry_run=True)).applied is False


def test_errors_keep_their_kind_and_all_their_faults(client: Client, world: Any) -> None:
    with pytest.raises(NotFound):
        client.job("999")
    with pytest.raises(ConfigError) as refused:
        client.submit(entrypoint="python train.py", gpus=9000)
    assert refused.value.faults[0].code == "ImpossibleGang"
    foreign = Client("http://evil.example:8321", transport=world.http()._transport)
    with pytest.raises(NotPermitted):
        foreign.jobs()
