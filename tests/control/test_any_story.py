"""Any story that people, hosts, the cluster and death can write together ends with every job where it belongs."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from scheduler.control.patience import Patience
from scheduler.control.records import DesiredState, HostMark, Outcome
from scheduler.control.settings import Settings
from scheduler.model.errors import Unreachable
from scheduler.model.hosts import HostState
from scheduler.model.workloads import JobId

HOSTS = ("a", "b", "c")
ENDLESS = 10**6
SETTINGS = Settings(
    period_s=5.0,
    min_runtime_s=0.0,
    scale_down_after_s=20.0,
    margin=0.0,
    reactive=True,
    patience=Patience(12.0, 5.0, 10.0, 50),
)


class Death(BaseException):
    """The process ends here."""


class Story(RuleBasedStateMachine):
    """Everything that may happen between two turns, and a turn that may not be the last."""

    build: Callable[..., Any]

    def __init__(self) -> None:
        """Begin with three hosts and a model whose load is told."""
        super().__init__()
        self.load = 5.0
        self.lab = type(self).build(hosts=3)
        self.lab.settings = SETTINGS
        self.lab.serve("edit-check", lambda _: self.load, max_replicas=4)
        self.accepted: list[JobId] = []

    @rule(workers=st.integers(1, 3), priority=st.sampled_from([25, 50, 75]), steps=st.sampled_from([5, 30, ENDLESS]))
    def submit(self, workers: int, priority: int, steps: int) -> None:
        """Accept another job."""
        job_id = self.lab.submit("job", workers=workers, priority=priority)
        self.lab.cluster.steps = {**self.lab.cluster.steps, job_id: steps}
        self.accepted.append(job_id)

    @rule(pick=st.integers(0, 20), desired=st.sampled_from(DesiredState))
    def wish(self, pick: int, desired: DesiredState) -> None:
        """Let an owner change their mind."""
        if self.accepted:
            job = self.lab.store.job(self.accepted[pick % len(self.accepted)])
            if not job.state.is_final and job.desired is not DesiredState.STOP:
                self.lab.store.save(replace(job, desired=desired))

    @rule(rps=st.sampled_from([0.0, 5.0, 15.0, 40.0]))
    def change_load(self, rps: float) -> None:
        """Change the traffic."""
        self.load = rps

    @rule(name=st.sampled_from(HOSTS), noticed=st.booleans())
    def lose(self, name: str, *, noticed: bool) -> None:
        """Lose a host with all that is on it, or with runs that are still shown."""
        self.lab.cluster.lose(name, noticed=noticed)

    @rule(name=st.sampled_from(HOSTS))
    def regain(self, name: str) -> None:
        """Get a host back, empty."""
        self.lab.cluster.hosts[name] = replace(self.lab.cluster.hosts[name], state=HostState.READY)

    @rule(name=st.sampled_from(HOSTS), state=st.sampled_from([HostState.CORDONED, HostState.DRAINING]))
    def mark(self, name: str, state: HostState) -> None:
        """Cordon or drain a host."""
        self.lab.store.mark_host(HostMark(name, state, "", self.lab.clock.at_s))

    @rule(name=st.sampled_from(HOSTS))
    def unmark(self, name: str) -> None:
        """Let a host take work again."""
        self.lab.store.unmark_host(name)

    @rule(turns=st.integers(1, 6), pause_s=st.sampled_from([1.0, 5.0, 20.0]))
    def turn(self, turns: int, pause_s: float) -> None:
        """Take turns in peace."""
        self.lab.turns(turns, pause_s)

    @rule(after=st.integers(0, 6))
    def refuse(self, after: int) -> None:
        """Take a turn in which the cluster refuses all but the first few actions."""
        self.lab.cluster.refuses = _after(after, lambda: True)
        self.lab.turns(1)
        self.lab.cluster.refuses = lambda _: False

    @rule(after=st.integers(0, 6))
    def fall_silent(self, after: int) -> None:
        """Take a turn in which the cluster stops answering amid the actions."""
        self.lab.cluster.refuses = _after(after, _no_answer)
        self.lab.turns(1)
        self.lab.cluster.refuses = lambda _: False

    @rule(after=st.integers(0, 6), acted=st.booleans())
    def die(self, after: int, *, acted: bool) -> None:
        """Die amid the actions, and begin anew; the last action may have reached the cluster."""
        real = self.lab.cluster.apply
        count = iter(range(after + 1))

        def apply(action: Any) -> None:
            last = next(count, None) is None
            if not last or acted:
                real(action)
            if last:
                raise Death

        self.lab.cluster.apply = apply
        try:
            self.lab.cycle.turn()
        except Death:
            self.lab.restart()
        self.lab.cluster.apply = real
        self.lab.clock.at_s += 1.0

    @invariant()
    def nobody_runs_twice(self) -> None:
        """At most one run of a job holds room."""
        holding = [run.job_id for run in self.lab.cluster.holding]
        assert len(holding) == len(set(holding))

    @invariant()
    def nobody_is_lost(self) -> None:
        """Every job that was accepted is in the store, its attempts in order, at most the last of them open."""
        jobs = {job.job_id: job for job in self.lab.store.jobs(open_only=False)}
        assert list(jobs) == self.accepted
        for job in jobs.values():
            assert [a.number for a in job.attempts] == list(range(1, len(job.attempts) + 1))
            assert not any(attempt.is_open for attempt in job.attempts[:-1])

    def teardown(self) -> None:
        """Let peace return; then everything ends as its owner wished."""
        for name in HOSTS:
            self.regain(name)
            self.unmark(name)
        self.load = 5.0
        self.lab.turns(15, 5.0)
        for job in self.lab.store.jobs():
            if self.lab.cluster.steps[job.job_id] == ENDLESS:
                self.lab.store.save(replace(job, desired=DesiredState.STOP))
        self.lab.turns(25, 100.0)
        for job in self.lab.store.jobs(open_only=False):
            ends = {
                DesiredState.RUN: {"Succeeded"},
                DesiredState.HOLD: {"Held", "Succeeded"},
                DesiredState.STOP: {"Stopped", "Succeeded"},
            }
            assert job.state.value in ends[job.desired], job
            assert sum(attempt.outcome is Outcome.SUCCEEDED for attempt in job.attempts) == (job.state == "Succeeded")
        assert self.lab.cluster.runs == {}
        assert len(self.lab.cluster.replicas) == 1


def _after(count: int, then: Callable[[], bool]) -> Callable[[object], bool]:
    left = iter(range(count))
    return lambda _: False if next(left, None) is not None else then()


def _no_answer() -> bool:
    raise Unreachable("the cluster does not answer")


@pytest.mark.slow
def test_any_story_ends_well(build_lab: Callable[..., Any]) -> None:
    machine = type("AnyStory", (Story,), {"build": staticmethod(build_lab)})
    run_state_machine_as_test(machine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None))
