"""Killed at any point and started again: no job is lost or started twice, and nothing unasked for is left."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler.control.patience import Patience
from scheduler.control.records import DesiredState, Outcome
from scheduler.control.settings import Settings
from scheduler.model.hosts import HostState
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId, JobState
from scheduler.store.sql import SqlStore

TURNS, PAUSE_S = 32, 5.0
SETTINGS = Settings(
    period_s=PAUSE_S,
    min_runtime_s=0.0,
    scale_down_after_s=20.0,
    margin=0.0,
    reactive=True,
    patience=Patience(12.0, 5.0),
)


class Killed(BaseException):
    """The process dies here; nothing may catch it on its way out."""


class Fate:
    """Counts calls, and strikes at one of them."""

    def __init__(self, at: int) -> None:
        """Strike at the call of this number, from 1; never at 0."""
        self.at, self.calls = at, 0

    def strike(self) -> None:
        """Count a call; die when it is the one."""
        self.calls += 1
        if self.calls == self.at:
            raise Killed


class Mortal:
    """Passes calls on, and dies before the one that fate has chosen.

    To die after a call is to die before the next, so every point between two effects is one of these.
    """

    def __init__(self, inner: Any, fate: Fate) -> None:
        """Stand in for a store or a cluster."""
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        def call(*args: Any, **named: Any) -> Any:
            self._fate.strike()
            return found(*args, **named)

        return call


def furnish(lab: Any) -> None:
    """Give a lab a model whose load falls, and jobs: one is in the way, one goes first, one will be stopped."""
    lab.settings = SETTINGS
    begin_s = lab.clock.at_s
    lab.serve("edit-check", lambda at_s: 35.0 if begin_s + 20 <= at_s < begin_s + 60 else 5.0)
    lab.cluster.steps = {"1": 30, "2": 30, "3": 10**6}
    lab.submit("low", workers=2, priority=25)
    lab.submit("high", workers=2, priority=75)
    lab.submit("endless", priority=80)


def happen(lab: Any, turn: int) -> None:
    """Let the world surprise the control plane, in the same turns of every life."""
    if turn == 2:
        lab.cluster.intrude("77", 3, Slot("c", (1,)))
    if turn == 3:
        lab.store.save(replace(lab.store.job(JobId("3")), desired=DesiredState.STOP))
    if turn == 10:
        lab.cluster.lose("b")
    if turn == 20:
        lab.cluster.hosts["b"] = replace(lab.cluster.hosts["b"], state=HostState.READY)


def live(lab: Any, fate: Fate) -> None:
    """Take all turns; when struck, begin again with what the store and the cluster still have."""
    for turn in range(TURNS):
        happen(lab, turn)
        lab.cycle.store, lab.cycle.cluster = Mortal(lab.store, fate), Mortal(lab.cluster, fate)
        try:
            lab.cycle.turn()
        except Killed:
            lab.restart()
        holding = [run.job_id for run in lab.cluster.holding]
        assert len(holding) == len(set(holding)), "a job runs twice"
        lab.clock.at_s += PAUSE_S


def check(lab: Any) -> None:
    """Say what must be true at the end of every life."""
    jobs = {job.spec.name: job for job in lab.store.jobs(open_only=False)}
    states = {name: job.state for name, job in jobs.items()}
    assert states == {"low": JobState.SUCCEEDED, "high": JobState.SUCCEEDED, "endless": JobState.STOPPED}
    assert lab.cluster.holding == []
    assert lab.cluster.runs == {}
    stored = {(job.job_id, a.number) for job in jobs.values() for a in job.attempts}
    began = {(job.job_id, a.number) for job in jobs.values() for a in job.attempts if a.started_at_s is not None}
    assert began == set(lab.cluster.begun) <= stored
    for job in jobs.values():
        assert all(attempt.outcome is not Outcome.OPEN for attempt in job.attempts)
        assert [attempt.number for attempt in job.attempts] == list(range(1, len(job.attempts) + 1))


def test_an_undisturbed_life_sees_every_kind_of_trouble(build_lab: Callable[..., Any]) -> None:
    lab = build_lab(hosts=3)
    furnish(lab)
    live(lab, Fate(0))
    check(lab)
    outcomes = {attempt.outcome for job in lab.store.jobs(open_only=False) for attempt in job.attempts}
    assert outcomes >= {Outcome.SUCCEEDED, Outcome.PREEMPTED, Outcome.STOPPED, Outcome.LOST}
    assert "77 attempt 3 removed" in lab.events()
    assert "b unreachable" in lab.events()


def test_death_between_any_two_effects_loses_nothing(build_lab: Callable[..., Any]) -> None:
    undisturbed, calls = Fate(0), 0
    lab = build_lab(hosts=3)
    furnish(lab)
    live(lab, undisturbed)
    while calls < undisturbed.calls:
        calls += 1
        lab = build_lab(hosts=3)
        furnish(lab)
        fate = Fate(calls)
        live(lab, fate)
        assert fate.calls >= calls, "nobody died"
        check(lab)


@pytest.mark.parametrize("at", [5, 9, 13, 22, 37, 58])
def test_death_with_a_database_on_disk_loses_nothing(build_lab: Callable[..., Any], tmp_path: Path, at: int) -> None:
    url = f"sqlite:///{tmp_path}/headroom.db"
    lab = build_lab(hosts=3, store=SqlStore(url))
    furnish(lab)
    live(lab, Fate(at))
    check(lab)
    lab.store.close()
