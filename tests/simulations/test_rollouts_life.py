"""Models are deployed, undone and removed while loads change, hosts fail and the control plane is started again."""

import json
from collections import Counter
from threading import Event
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from forecasting.series import Series
from policies.capacity import TargetRate
from policies.registry import policy_from_names
from scheduler.control.cycle import Cycle
from scheduler.control.model_records import ModelRecord
from scheduler.control.models.draft import ModelDraft
from scheduler.control.ports import Traffic
from scheduler.control.reports.board import Board, RequestCounts
from scheduler.control.service.models import ModelForm, ModelService, RolloutVerb
from scheduler.control.settings import Application, RolloutTerms, Served, Settings
from scheduler.model.errors import Conflict, NotFound
from scheduler.model.hosts import Device, Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang, ReplicaState, ServingModel, trial_name
from simulations.work import Work
from simulations.world import World

MONDAY_S = 1_350_259_200.0
PERIOD_S = 10.0
RPS_EACH = 10.0
TERMS = RolloutTerms(steps=(0.3,), step_s=10.0, step_requests=10, patience_s=30.0)
LOOP = Settings(period_s=PERIOD_S, min_runtime_s=0.0, scale_down_after_s=60.0, outlooks=False)


def draft(kind: str, number: int, most: int, surge: int) -> ModelDraft:
    body = json.dumps({"kind": kind, "number": number, "most": most, "surge": surge})
    return ModelDraft("m", body, read(body), "m.yaml")


def read(body: str) -> Served:
    said = json.loads(body)
    model = ServingModel("m", Shape(1000, 1024, 1), 1, said["most"], 30.0)
    application = Application(f"{said['kind']}{said['number']}:build")
    return Served(model, "m", 1.0, TargetRate(RPS_EACH), surge=said["surge"], application=application, rollout=TERMS)


class Story(RuleBasedStateMachine):
    """Three hosts of three devices, one model, jobs that fill what is left."""

    def __init__(self) -> None:
        """Begin with a revision that serves."""
        super().__init__()
        hosts = [Host(name, 16_000, 32_768, tuple(Device(i, 1024) for i in range(3)), "MI210") for name in "xyz"]
        self.world, self.rps, self.deployed = World(MONDAY_S, hosts), 30.0, 0
        self.kinds: dict[int, str] = {}
        self.most: dict[int, int] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.is_covered = False
        self.begin()
        self.deploy("good", 4, 1)
        self.turn(15)

    def begin(self) -> None:
        """Begin a process on what is there."""
        policy, world = policy_from_names(min_runtime_s=0.0, reservation_s=60.0), self.world
        self.cycle = Cycle(
            cluster=world.cluster,
            store=world.store,
            clock=world.engine,
            served=(),
            sources={"m": self},
            policy=policy,
            settings=LOOP,
            board=Board(),
            request_counts=self.tallies,
            read_model=read,
        )
        parts = world.store, self.cycle.board, world.engine, policy, ModelForm({}, read), self.cycle.gate, Event()
        self.service = ModelService(*parts)

    def read(self, now_s: float) -> Traffic:
        """Return the rate of the moment and no history."""
        return Traffic(Series(0, 3600, np.array([])), self.rps, now_s)

    def tallies(self) -> dict[str, RequestCounts]:
        """Count the requests of one turn, spread as the cluster was told."""
        ready = Counter(r.revision for r in self.ready)
        shares = {runs: share for (_, runs), share in self.world.cluster.shares.items()}
        left = requests = round(self.rps * PERIOD_S)
        for runs in sorted(set(ready) & shares.keys()):
            own = round(requests * min(shares[runs], ready[runs] / ready.total()))
            self.count(runs, own)
            left -= own
        others = sorted(set(ready) - shares.keys())
        for runs in others:
            self.count(runs, left // len(others))
        names = {name for name, _ in self.counts}
        return {name: RequestCounts(self.counts[name, "all"], 0, self.counts[name, "failed"]) for name in names}

    def count(self, runs: int, requests: int) -> None:
        """Count requests of one revision; one that fails does so half of the time."""
        name = trial_name("m", runs)
        self.counts[name, "all"] += requests
        self.counts[name, "failed"] += requests // 2 if self.kinds.get(runs) == "fails" else 0

    @property
    def ready(self) -> list[Any]:
        """Replicas that answer."""
        return [r for r in self.world.cluster.replicas.all if r.state is ReplicaState.READY]

    @property
    def record(self) -> ModelRecord | None:
        """The model."""
        return next(iter(self.world.store.models()), None)

    @property
    def may_be_covered(self) -> bool:
        """Whether the revisions that serve, or are to, may have replicas enough."""
        record = self.record
        to = record.rollout.to if record is not None and record.rollout is not None else 0
        numbers = {record.serving, to} - {0} if record is not None else set()
        return all(self.most[number] * RPS_EACH >= self.rps for number in numbers)

    @rule(
        kind=st.sampled_from(["good", "good", "broken", "fails"]),
        most=st.sampled_from([1, 4, 4]),
        surge=st.integers(0, 2),
    )
    def deploy(self, kind: str, most: int, surge: int) -> None:
        """Deploy a revision."""
        try:
            made = self.service.deploy(draft(kind, self.deployed, most, surge))
        except Conflict:
            return
        self.deployed += 1
        self.kinds[made.revision.number] = kind
        if kind == "broken":
            self.world.cluster.replicas.broken.add(("m", made.revision.number))
        self.most[made.revision.number] = most

    @rule(verb=st.sampled_from(list(RolloutVerb)))
    def steer(self, verb: RolloutVerb) -> None:
        """Pause, resume or undo."""
        try:
            self.service.rollout("m", verb)
        except (Conflict, NotFound):
            return
        self.is_covered = False if verb is RolloutVerb.UNDO and self.record.active is None else self.is_covered

    @rule(pick=st.integers(1, 5))
    def go_to(self, pick: int) -> None:
        """Roll out a revision that is there, whichever it is."""
        try:
            self.service.rollout("m", to=pick)
        except (Conflict, NotFound):
            return

    @rule()
    def remove(self) -> None:
        """Take it away."""
        try:
            self.service.remove("m")
        except NotFound:
            return
        self.is_covered = False

    @rule(workers=st.integers(1, 3))
    def submit(self, workers: int) -> None:
        """Have a job take what is left."""
        spec = JobSpec(
            "train", "python train.py", Gang(workers, Shape(1000, 1024, 1)), priority=25, grace_period_s=20.0
        )
        self.world.submit(spec, Work(3600.0))

    @rule(rps=st.sampled_from([0.0, 5.0, 15.0, 30.0]))
    def change_load(self, rps: float) -> None:
        """Have it asked more or less."""
        self.rps, self.is_covered = rps, False

    @rule(host=st.sampled_from("xyz"))
    def lose(self, host: str) -> None:
        """Lose a host with all that is on it."""
        self.world.cluster.lose_host(host)
        self.is_covered = False

    @rule(host=st.sampled_from("xyz"))
    def regain(self, host: str) -> None:
        """Have it back."""
        self.world.cluster.return_host(host)

    @rule()
    def start_again(self) -> None:
        """Begin anew, with nothing but the store and the cluster."""
        self.begin()

    @rule(count=st.sampled_from([10, 20, 30]))
    def let_go_on(self, count: int) -> None:
        """Take as many turns as a rollout needs."""
        self.turn(count)

    @rule(count=st.integers(1, 6))
    def turn(self, count: int) -> None:
        """Take turns; what was covered stays so."""
        for _ in range(count):
            self.is_covered &= self.may_be_covered
            self.cycle.turn()
            self.world.engine.run_until(self.world.engine.now_s() + PERIOD_S)
            served = len(self.ready) * RPS_EACH
            assert not self.is_covered or served >= self.rps, f"{served} of {self.rps}: {self.record}"
            self.is_covered = (self.is_covered or served >= self.rps > 0) and self.may_be_covered

    @invariant()
    def nothing_is_refused(self) -> None:
        """No start is ever refused: nothing was over-committed."""
        assert self.world.cluster.refused == 0

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every revision that was accepted is there."""
        assert [one.number for one in self.world.store.revisions("m")] == list(range(1, self.deployed + 1))

    def teardown(self) -> None:
        """Let peace return; then one revision serves, or none if none is good."""
        for host in "xyz":
            self.world.cluster.return_host(host)
        self.rps = 5.0
        self.is_covered = False
        record = self.record
        if record is not None and record.active is not None:
            self.steer(RolloutVerb.RESUME)
        self.turn(150)
        record = self.record
        if record is None or record.removing_s is not None:
            assert not self.world.cluster.replicas.all
            return
        assert record.active is None, record
        runs = {r.revision for r in self.world.cluster.replicas.all}
        assert runs == ({record.runs} if record.serving else set())
        assert not record.serving or len(self.ready) >= 1


@pytest.mark.slow
def test_whatever_is_asked_of_models_what_is_covered_stays_so() -> None:
    run_state_machine_as_test(Story, settings=settings(max_examples=60, stateful_step_count=20, deadline=None))
