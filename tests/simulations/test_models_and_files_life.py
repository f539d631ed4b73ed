"""Models are deployed, undone, removed and proposed while the file changes, hosts fail and the process starts again."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from scheduler.config.model import ModelForms, draft_of, read_model
from scheduler.control.model_records import Proposal
from scheduler.control.models.draft import ModelDraft
from scheduler.control.service.models import ModelService, RolloutVerb
from scheduler.control.service.people import Person
from scheduler.model.errors import ConfigError, Conflict, NotFound
from tests.simulations.test_reload_life import ADA, FILE, model
from tests.simulations.test_reload_life import Story as FileStory

TERMS = {"steps": [0.3], "step_time": "10s", "step_requests": 10, "patience": "30s"}
NAMES = st.sampled_from(["mine", "care", "risk"])
"""The last two are names that a file may have, too."""
PEOPLE = st.sampled_from([Person("eve", "submitter"), Person("bob", "submitter")])


def section(name: str, kind: str, number: int, most: int = 2) -> dict[str, object]:
    """Return a model of the store, unlike all before; its replicas start, or do not."""
    runs = {"import_path": "served:build", "args": {"number": number, "kind": kind}}
    return model(name, application=runs, max_replicas=most, rollout=TERMS)


def draft(body: dict[str, object]) -> ModelDraft:
    return draft_of(read_model(body), f"{body['name']}.yaml")


def again(proposal: Proposal) -> ModelDraft:
    """Return what was proposed, checked again."""
    return ModelForms(["wiki"]).draft_again(proposal.body, f"a proposal of {proposal.by}")


class Story(FileStory):
    """As the story of files, with models that people deploy and propose meanwhile."""

    def __init__(self) -> None:
        """Begin with a model of the file that serves."""
        self.revisions: Counter[str] = Counter()
        self.proposed: dict[str, str] = {}
        self.number = 0
        super().__init__()

    @property
    def models(self) -> ModelService:
        """What people say to models."""
        return self.site.service.models

    @property
    def owned(self) -> set[str]:
        """Names of models that the store owns."""
        return {one.name for one in self.models.all() if one.removed_s is None}

    @rule(
        others=st.lists(st.sampled_from(["care", "risk"]), unique=True),
        queues=st.lists(st.sampled_from(["research", "product"]), unique=True),
        most=st.integers(1, 3),
        ageing=st.sampled_from([0, 10]),
        is_wrong=st.booleans(),
    )
    def reload(self, others: list[str], queues: list[str], *, most: int, ageing: int, is_wrong: bool) -> None:
        """Read another file; one that names a model of the store is refused as a whole."""
        if is_wrong or not self.owned.intersection(others):
            super().reload(others, queues, most=most, ageing=ageing, is_wrong=is_wrong)
            return
        with pytest.raises(ConfigError, match="belongs to the store"):
            self.site.reload(**{**self.changes, "models": [model("tone"), *map(model, others)]})
        self.site.write(**self.changes)

    @rule(name=NAMES, kind=st.sampled_from(["good", "good", "broken"]), most=st.integers(1, 2))
    def deploy(self, name: str, kind: str, most: int) -> None:
        """Deploy a revision; of a name that the file has, that is refused."""
        self.number += 1
        self._deploys(name, kind, lambda: self.models.deploy(draft(section(name, kind, self.number, most)), by=ADA))

    @rule(name=NAMES, kind=st.sampled_from(["good", "broken"]), person=PEOPLE)
    def propose(self, name: str, kind: str, person: Person) -> None:
        """Have somebody propose one; another one's proposal of that name stays."""
        self.number += 1
        body = section(name, kind, self.number)
        try:
            self.models.propose(draft(body), by=person)
        except Conflict:
            assert name in self._of_file | self.proposed.keys()
            return
        self.proposed[name] = json.dumps([person.name, self.number, kind])

    @rule(name=NAMES)
    def approve(self, name: str) -> None:
        """Deploy what is proposed; where that cannot be it goes on waiting."""
        kind = json.loads(self.proposed[name])[2] if name in self.proposed else ""
        if self._deploys(name, kind, lambda: self.models.approve(name, again, by=ADA)):
            del self.proposed[name]

    @rule(name=NAMES)
    def reject(self, name: str) -> None:
        """Decline what is proposed."""
        try:
            self.models.reject(name, "no licence", by=ADA)
        except NotFound:
            assert name not in self.proposed
            return
        del self.proposed[name]

    @rule(name=NAMES, verb=st.sampled_from(list(RolloutVerb)))
    def steer(self, name: str, verb: RolloutVerb) -> None:
        """Pause, resume or undo."""
        try:
            self.models.rollout(name, verb, by=ADA)
        except (Conflict, NotFound):
            return

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        """Take one of the store's away."""
        try:
            self.models.remove(name, by=ADA)
        except (Conflict, NotFound):
            return

    @rule(name=NAMES)
    def asks(self, name: str) -> None:
        """Nothing that was accepted is lost, whatever came of it."""
        assert len(self.site.world.store.revisions(name)) == self.revisions[name]
        waiting = {one.name: one.by for one in self.models.proposals()}
        assert waiting == {name: json.loads(said)[0] for name, said in self.proposed.items()}

    @property
    def _of_file(self) -> set[str]:
        return {str(one["name"]) for one in list(self.changes.get("models", FILE["models"]))}  # type: ignore[call-overload]

    def _deploys(self, name: str, kind: str, deploy: Any) -> bool:
        """Deploy something and count it; say whether that was accepted."""
        try:
            made = deploy()
        except (Conflict, NotFound):
            return False
        assert made.is_new
        assert name not in self._of_file
        self.revisions[name] += 1
        if kind == "broken":
            self.site.world.cluster.replicas.broken.add((name, made.revision.number))
        return True

    def teardown(self) -> None:
        """Let it settle: the models of the file serve, and those of the store that are good and were not removed."""
        for name in self.owned:
            self.steer(name, RolloutVerb.RESUME)
        self.turn(150)
        records = self.models.all()
        assert all(one.active is None for one in records if one.removing_s is None), records
        serving = {one.name: one.runs for one in records if one.serving and one.removing_s is None}
        there = {(one.model, one.revision) for one in self.site.world.cluster.replicas.all}
        assert {name for name, _ in there} == self._of_file | serving.keys()
        assert {(name, runs) for name, runs in there if name in serving} == set(serving.items())
        self.asks("mine")
        self.folder.cleanup()


@pytest.mark.slow
def test_whatever_people_and_files_say_nothing_accepted_is_lost_and_what_is_covered_stays_so() -> None:
    run_state_machine_as_test(Story, settings=settings(max_examples=8, stateful_step_count=15, deadline=None))
