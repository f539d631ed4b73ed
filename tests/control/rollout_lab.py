"""A lab in which models are deployed: revisions that differ in what they run, and requests that are counted."""

import json
from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.model_records import ModelRecord
from scheduler.control.models.draft import ModelDraft
from scheduler.control.reports.board import RequestCounts
from scheduler.control.service.models import ModelForm, ModelService
from scheduler.control.settings import Application, RolloutTerms, Served
from scheduler.model.resources import Shape
from scheduler.model.workloads import ReplicaState, ServingModel, trial_name

TERMS = RolloutTerms(steps=(0.1, 0.5), step_s=20.0, step_requests=20, patience_s=100.0)


def draft(version: int, name: str = "m", **more: Any) -> ModelDraft:
    """Return a model of one GPU and 10 requests per second a replica; each version runs something else."""
    body = json.dumps({"name": name, "version": version, **more})
    return ModelDraft(name, body, read(body), f"{name}.yaml")


def read(body: str) -> Served:
    said = {"min_replicas": 1, "max_replicas": 4, "surge": 1, "gpus": 1, "community": False, **json.loads(body)}
    model = ServingModel(
        said["name"],
        Shape(1000, 1024, said["gpus"]),
        said["min_replicas"],
        said["max_replicas"],
        20.0,
        community=said["community"],
    )
    application = Application(f"v{said['version']}:build")
    return Served(model, "m", 1.0, TargetRate(10.0), surge=said["surge"], application=application, rollout=TERMS)


@dataclass
class RolloutLab:
    """A lab with a service of models; `bad` has the share of failed requests of each revision.

    Attributes:
        rps: of the model.
        lowest: ready replicas' capacity over the load, at its lowest since `watch` was called.
    """

    lab: Any
    rps: float = 5.0
    bad: dict[int, float] = field(default_factory=dict)
    lowest: float = float("inf")
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    declared: dict[str, ModelDraft] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin a new process on the same store and cluster."""
        self.lab.restart()
        self.lab.cycle.read_model = read
        self.lab.cycle.request_counts = self.tallies
        policy, form = policy_from_names(min_runtime_s=0.0), ModelForm(self.declared, read)
        parts = (self.lab.store, self.lab.board, self.lab.clock, policy, form, self.lab.cycle.gate, Event())
        self.service = ModelService(*parts)

    def tallies(self) -> dict[str, RequestCounts]:
        """Count the requests of one turn, spread as the cluster was told, and return all so far."""
        ready = Counter(r.revision for r in self.lab.cluster.replicas.values() if r.state is ReplicaState.READY)
        shares = {one.model.revision: one.share for one in self.lab.cluster.declared if one.share is not None}
        requests = round(self.rps * 5.0)
        left = requests
        for revision in sorted(set(ready) & shares.keys()):
            own = round(requests * min(shares[revision], ready[revision] / ready.total()))
            self._count(revision, own)
            left -= own
        others = sorted(set(ready) - shares.keys())
        for revision in others:
            self._count(revision, left // len(others))
        names = {name for name, _ in self.counts}
        return {name: RequestCounts(self.counts[name, "total"], 0, self.counts[name, "failed"]) for name in names}

    def _count(self, revision: int, requests: int) -> None:
        name = trial_name("m", revision)
        self.counts[name, "total"] += requests
        self.counts[name, "failed"] += round(requests * self.bad.get(revision, 0.0))

    @property
    def record(self) -> ModelRecord:
        return next(one for one in self.lab.store.models() if one.name == "m")

    @property
    def revisions(self) -> list[int]:
        """Revisions of the replicas that are there, sorted."""
        return sorted(one.revision for one in self.lab.cluster.replicas.values() if one.model == "m")

    def turns(self, count: int) -> None:
        """Take turns, and keep what is served at the least."""
        for _ in range(count):
            self.lab.turns(1)
            ready = sum(r.state is ReplicaState.READY for r in self.lab.cluster.replicas.values() if r.model == "m")
            self.lowest = min(self.lowest, ready * 10.0 / self.rps if self.rps else self.lowest)

    def settle(self, most: int = 200) -> ModelRecord:
        """Take turns until the rollout is over."""
        for _ in range(most):
            if self.record.active is None and len(set(self.revisions)) <= 1:
                break
            self.turns(1)
        return self.record

    def watch(self) -> None:
        """Forget what was served before."""
        self.lowest = float("inf")

    def serve(self, version: int = 1, **more: Any) -> None:
        """Deploy a first revision and wait until it serves as many as it wants."""
        self.service.deploy(draft(version, **more))
        self.settle()
        self.turns(10)
        self.watch()

    def break_(self, revision: int) -> None:
        """Let no replica of a revision come up."""
        self.lab.cluster.broken.add(("m", revision))


def told(lab: Any) -> list[str]:
    return [event.title for event in lab.store.events(limit=1000) if event.subject == "m"]
