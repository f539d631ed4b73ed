"""From a job that succeeded to the next revision of a model, without hands; what fails is said, and no more."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from scheduler.control.models.draft import ModelDraft
from scheduler.control.records import AttemptRecord, JobRecord, Outcome
from scheduler.control.service import publishing
from scheduler.control.service.artifacts import ArtifactShelf, digest_in
from scheduler.control.service.models import ModelForm, ModelService
from scheduler.control.service.publishing import Publisher, publish_forever
from scheduler.control.settings import Served
from scheduler.model.errors import Conflict, NotFound, Superseded, Unreachable
from scheduler.model.jobspec import JobSpec, Publishes
from scheduler.model.workloads import Gang, JobId, JobState
from tests.control.conftest import GPU, MONDAY_S, ToldTraffic, build, gpu_hosts
from tests.control.rollout_lab import RolloutLab, read

BODY = {"name": "m", "version": 1, "application": {"import_path": "v:build", "args": {"size": 3}}}


def read_with_args(body: str) -> Served:
    served, arguments = read(body), json.loads(body)["application"]["args"]
    return replace(served, application=replace(served.application, args=arguments))


@dataclass
class Desk:
    """A lab with a model, jobs that succeed, and what takes in what they publish."""

    lab: RolloutLab
    folder: Path
    may_act: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self.shelf = ArtifactShelf(self.folder / "artifacts")
        parts = self.lab.lab
        form, policy = ModelForm({}, read_with_args, self.shelf), self.lab.service.policy
        self.models = ModelService(parts.store, parts.board, parts.clock, policy, form, parts.cycle.gate, Event())

    def publisher(self, **parts: Any) -> Publisher:
        known = {
            "store": self.lab.lab.store,
            "models": lambda: self.models,
            "artifacts": self.shelf,
            "folder_of": lambda job_id: self.folder / job_id,
            "may_deploy": lambda owner: owner == "olga",
            "clock": self.lab.lab.clock,
            "board": self.lab.lab.board,
            "prove": self.may_act,
        }
        return Publisher(**known | parts)

    def job(self, publishes: Publishes | None, owner: str = "olga", weights: str = "v2") -> JobRecord:
        """Make a job that succeeded with its second attempt, and its folder."""
        store = self.lab.lab.store
        job = store.accept(JobSpec("fit", "python fit.py", Gang(1, GPU), owner, publishes=publishes), MONDAY_S)
        attempt = AttemptRecord(job.job_id, 2, (), MONDAY_S, outcome=Outcome.SUCCEEDED)
        store.save(replace(job, state=JobState.SUCCEEDED, attempts=(attempt,), finished_at_s=MONDAY_S + 9.0))
        if weights:
            (self.folder / job.job_id / "model").mkdir(parents=True)
            (self.folder / job.job_id / "model" / "weights").write_text(weights)
        return job

    def told(self, job: JobRecord) -> list[str]:
        return [event.title for event in self.lab.lab.store.events(subject=job.job_id)]

    def artifact(self, number: int) -> str:
        """Return the weights that replicas of a revision find."""
        body = json.loads(self.lab.lab.store.revision("m", number).body)
        assert body["application"]["args"]["size"] == 3, "everything else is as it was"
        return (Path(body["application"]["args"]["artifact"]) / "weights").read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = build(gpu_hosts(2, 2).values())
    lab = RolloutLab(made)
    made.sources["m"] = ToldTraffic(lambda _: lab.rps)
    lab.restart()
    desk = Desk(lab, tmp_path)
    lab.lab.cycle.read_model = read_with_args
    desk.models.deploy(ModelDraft("m", json.dumps(BODY), read_with_args(json.dumps(BODY))))
    lab.settle()
    return desk


def test_what_a_job_published_becomes_the_next_revision(desk: Desk) -> None:
    job = desk.job(Publishes("m", data_version="2026-11"))
    desk.publisher().step()
    made = desk.lab.lab.store.publication(job.job_id)
    assert (made.attempt, made.model, made.owner, made.files, made.data_version) == (2, "m", "olga", 1, "2026-11")
    assert (made.fault, made.followed, made.is_open) == ("", "", False)
    assert desk.told(job) == ["1 fit published an artifact for m"]
    deployed = desk.models.deploy(desk.models.from_job("m", job.job_id))
    assert (deployed.revision.number, deployed.revision.source) == (2, "job 1 attempt 2")
    assert [line.partition(":")[0] for line in deployed.revision.changed] == ["application.args.artifact"]
    assert desk.artifact(2) == "v2"
    assert not desk.models.deploy(desk.models.from_job("m", job.job_id)).is_new, "it is on its way"


def test_an_operators_job_deploys_by_itself_and_others_propose(desk: Desk) -> None:
    automatic = Publishes("m", is_deployed=True)
    theirs = desk.job(automatic, "sue")
    desk.publisher().step()
    (proposal,) = desk.lab.lab.store.proposals()
    assert (proposal.name, proposal.by, proposal.source) == ("m", "sue", "job 1 attempt 2")
    assert desk.lab.record.latest == 1
    assert desk.told(theirs)[-1] == "1 fit: what it published is proposed as the next revision of m"
    ours = desk.job(automatic, "olga", weights="v3")
    desk.publisher().step()
    assert desk.artifact(2) == "v3"
    assert desk.lab.lab.store.revision("m", 2).by == "olga"
    assert desk.told(ours)[-1] == "2 fit: what it published is revision 2 of m"


def test_what_was_not_deployed_by_itself_is_there_all_the_same(desk: Desk) -> None:
    job = desk.job(Publishes("other", is_deployed=True))
    desk.publisher().step()
    made = desk.lab.lab.store.publication(job.job_id)
    assert desk.shelf.wanted(made.digest).is_dir()
    assert made.followed == "was not deployed: no model other was deployed"


def test_a_job_that_left_nothing_says_so_and_keeps_no_other_from_publishing(desk: Desk) -> None:
    empty, good = desk.job(Publishes("m", is_deployed=True), weights=""), desk.job(Publishes("m"))
    publisher = desk.publisher()
    publisher.step()
    assert "left none called" in desk.lab.lab.store.publication(empty.job_id).fault
    assert desk.told(empty) == ["1 fit published nothing for m"]
    assert desk.lab.lab.store.job(empty.job_id).state is JobState.SUCCEEDED
    assert desk.lab.lab.store.publication(good.job_id).digest
    publisher.step()
    assert len(desk.told(empty)) == 1, "it is said once"
    with pytest.raises(NotFound, match="has published nothing"):
        desk.models.from_job("m", empty.job_id)


def test_a_disk_that_is_full_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    job = desk.job(Publishes("m"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.shelf, "take_in", full)
    desk.publisher().step()
    assert desk.lab.lab.store.publication(job.job_id).fault == "cannot be kept: No space left on device"


def test_killed_between_recording_and_deploying_it_is_deployed_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = desk.job(Publishes("m", is_deployed=True))

    class Killed(BaseException):
        """Ends a step as the end of its process would."""

    store, saved = desk.lab.lab.store, desk.lab.lab.store.publish

    for after in (1, 2):
        calls = [0]

        def publish(*parts: Any, calls: list[int] = calls, after: int = after) -> None:
            calls[0] += 1
            if calls[0] >= after:
                raise Killed
            saved(*parts)

        monkeypatch.setattr(store, "publish", publish)
        with pytest.raises(Killed):
            desk.publisher().step()
    monkeypatch.setattr(store, "publish", saved)
    assert store.publication(job.job_id).is_open
    desk.publisher().step()
    assert [one.number for one in store.revisions("m")] == [1, 2]
    assert store.unpublished() == ()


def test_only_what_was_published_for_a_model_becomes_its_revision(desk: Desk) -> None:
    plain, other = desk.job(None), desk.job(Publishes("other"))
    with pytest.raises(NotFound, match="publishes nothing"):
        desk.models.from_job("m", plain.job_id)
    with pytest.raises(NotFound, match="nothing yet"):
        desk.models.from_job("m", other.job_id)
    desk.publisher().step()
    with pytest.raises(Conflict, match="is for other, not for m"):
        desk.models.from_job("m", other.job_id)
    with pytest.raises(NotFound, match="no job 99"):
        desk.models.from_job("m", JobId("99"))


def test_what_may_serve_again_is_in_use_and_what_was_pruned_does_not_come_back(desk: Desk) -> None:
    digests = []
    for weights in ("v2", "v3", "v4"):
        job = desk.job(Publishes("m"), weights=weights)
        desk.publisher().step()
        digests.append(desk.lab.lab.store.publication(job.job_id).digest)
        desk.models.deploy(desk.models.from_job("m", job.job_id))
        desk.lab.settle()
    used = {digest_in(json.loads(b)["application"]["args"].get("artifact")) for b in desk.models.bodies_in_use()}
    assert used == set(digests[1:]), "the one that serves, and the one before"
    assert desk.shelf.drop(digests[0], lambda _: True)
    with pytest.raises(NotFound, match="is gone"):
        desk.models.rollout("m", to=2)
    assert desk.lab.record.active is None
    assert desk.models.rollout("m", to=3).active.to == 3


def test_nothing_is_taken_in_by_whoever_does_not_lead_and_nothing_ends_the_watch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.job(Publishes("m"))
    monkeypatch.setattr(publishing, "REST_S", 0.0)
    troubles = [Unreachable("silent"), ValueError("odd"), Superseded("another one leads")]

    def prove() -> None:
        raise troubles.pop(0)

    publish_forever(desk.publisher(prove=prove), Event())
    assert troubles == []
    assert not desk.shelf.folder.exists()
