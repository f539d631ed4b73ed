"""One bad thing ends nothing: errors of every kind at every seam, and the loop lives, plans all else, loses nothing."""

import json
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from forecasting.forecaster import Forecaster
from policies.capacity import TargetRate
from policies.may_preempt import shorter_first
from scheduler.control import cycle
from scheduler.control.demand import demand
from scheduler.control.demand import joint_peaks as pools
from scheduler.control.jobs import actions as acting
from scheduler.control.jobs import event_text as sentences
from scheduler.control.jobs import intents, reconcile
from scheduler.control.loop import Backoff, run_forever
from scheduler.control.records import Outcome
from scheduler.control.reports.board import Board
from scheduler.control.runtimes import RunTimes
from scheduler.control.settings import Settings
from scheduler.control.snapshots.workload_stats import WorkloadStats
from scheduler.model.errors import ActionFailed, ConfigError, Conflict, InvariantBroken, NotFound, Unreachable
from scheduler.model.policy import Policy
from scheduler.model.workloads import JobState, ReplicaState

GOOD_RPS, BAD_RPS = 25.0, 5.0
SEEDS = 500
"""Of each property."""
HISTORIES_S = (*[0.0] * 15, 50 * 3600.0)
"""A forecast costs more than all else of a turn: one site in sixteen has enough history for one."""
SETTINGS = Settings(period_s=5.0, min_runtime_s=0.0, scale_down_after_s=20.0, margin=0.0, outlooks=False)


class Unspeakable(Exception):
    """An error that cannot even say what it is."""

    def __str__(self) -> str:
        raise ValueError("no words")


ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: ValueError("of no use"),
    lambda: KeyError("values"),
    lambda: OverflowError("cannot convert float infinity to integer"),
    MemoryError,
    lambda: zlib.error("Error -3 while decompressing data"),
    lambda: RecursionError("maximum recursion depth exceeded"),
    lambda: TypeError("'NoneType' object is not subscriptable"),
    lambda: OSError(28, "No space left on device"),
    AssertionError,
    lambda: ZeroDivisionError("division by zero"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    lambda: ValueError("a lone \ud800 surrogate"),
    StopIteration,
    TimeoutError,
    Unspeakable,
    lambda: RuntimeError("can't start new thread"),
    lambda: np.linalg.LinAlgError("SVD did not converge"),
    lambda: json.JSONDecodeError("Expecting value", "<html>", 0),
    lambda: requests.ConnectionError("refused"),
    lambda: OperationalError("SELECT 1", {}, Exception("database is locked")),
    lambda: InvariantBroken("a gang is torn"),
    lambda: Unreachable("no answer"),
    lambda: ActionFailed("refused"),
    lambda: ConfigError("unknown"),
    lambda: NotFound("no such thing"),
    lambda: Conflict("moved on"),
)


class Saboteur:
    """Has calls fail: some before they do anything, some after."""

    def __init__(self, seed: int, share: float) -> None:
        self.chance, self.share, self.struck, self.is_at_work = np.random.default_rng(seed), share, 0, True

    def strike(self) -> None:
        """Fail, by chance."""
        if self.is_at_work and self.chance.random() < self.share:
            self.struck += 1
            error = ERRORS[self.chance.integers(len(ERRORS))]()
            raise error

    def on(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return what does the same, and fails now and then."""

        def call(*args: Any, **named: Any) -> Any:
            self.strike()
            done = work(*args, **named)
            self.strike()
            return done

        return call


class Sabotaged:
    """Passes calls on to a store, a cluster or a clock, and has some of them fail."""

    def __init__(self, inner: Any, saboteur: Saboteur, names: Iterable[str] | None = None) -> None:
        self._inner, self._saboteur, self._names = inner, saboteur, names

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._saboteur.on(found) if callable(found) and (not self._names or name in self._names) else found


class BadRule(TargetRate):
    """A capacity rule that fails now and then."""

    saboteur: Saboteur

    def replicas(self, rps: float) -> int:
        """Return the fewest replicas, or fail."""
        self.saboteur.strike()
        return super().replicas(rps)


def furnish(lab: Any, history_s: float = 0.0) -> None:
    """Declare two models with so much history, and submit jobs for the rest of the devices."""
    lab.settings = SETTINGS
    lab.serve("good", lambda _: GOOD_RPS)
    lab.serve("bad", lambda _: BAD_RPS)
    for source in lab.sources.values():
        source.history_s = history_s
    lab.cluster.steps = {"1": 20, "2": 30, "3": 10}
    lab.submit("one")
    lab.submit("pair", workers=2)
    lab.submit("last", priority=25)


def patched(stack: ExitStack, saboteur: Saboteur, *places: tuple[Any, str]) -> None:
    for owner, name in places:
        stack.enter_context(mock.patch.object(owner, name, saboteur.on(getattr(owner, name))))


def break_the_source(lab: Any, saboteur: Saboteur, stack: ExitStack) -> None:
    patched(stack, saboteur, (lab.sources["bad"], "read"))


def break_the_rule(lab: Any, saboteur: Saboteur, _: ExitStack) -> None:
    rule = BadRule(10.0)
    object.__setattr__(rule, "saboteur", saboteur)
    lab.served[1] = replace(lab.served[1], rule=rule)
    lab.cycle.served = lab.served


def break_what_is_shown(lab: Any, saboteur: Saboteur, stack: ExitStack) -> None:
    lab.cycle.settings = replace(SETTINGS, outlooks=True)
    patched(stack, saboteur, (demand, "outlook_of"), (demand, "outlooks_of"), (cycle, "gpu_shares"))
    lab.cycle.request_counts = saboteur.on(dict)
    lab.board.listeners.append(saboteur.on(lambda _: None))


def break_what_is_told(_: Any, saboteur: Saboteur, stack: ExitStack) -> None:
    told = ((intents, "starting"), (intents, "preempting"), (intents, "cause_of"), (intents, "replica_changes"))
    told += ((reconcile, "transition"), (reconcile, "orphan_found"), (acting, "refusal"), (sentences, "span"))
    patched(stack, saboteur, *told, (cycle, "change_events"), (cycle, "new_proposals"))


def break_what_is_learned(_: Any, saboteur: Saboteur, stack: ExitStack) -> None:
    patched(stack, saboteur, (RunTimes, "learn"), (WorkloadStats, "look"))


APART = (break_the_source, break_the_rule, break_what_is_shown, break_what_is_told, break_what_is_learned)


def broken_policy(policy: Policy, saboteur: Saboteur) -> Policy:
    """Return a policy each of whose functions fails now and then, also late: in what it returned."""

    def order(snapshot: Any, decided: Any) -> Iterator[Any]:
        for job in policy.queue_order(snapshot, decided):
            saboteur.strike()
            yield job

    def score(*args: Any) -> Any:
        return saboteur.on(policy.placement_score(*args))

    return replace(
        policy,
        queue_order=saboteur.on(order),
        placement_score=saboteur.on(score),
        victim_cost=saboteur.on(policy.victim_cost),
        may_preempt=saboteur.on(policy.may_preempt),
        may_displace=saboteur.on(shorter_first),
    )


def break_all_else(lab: Any, saboteur: Saboteur, stack: ExitStack) -> None:
    """Break what nothing can be planned without, too."""
    patched(stack, saboteur, (Forecaster, "fit"), (demand, "learn_share"), (pools, "_pool"), (cycle, "plan"))
    patched(stack, saboteur, (demand, "load_of"), (cycle, "intents_of"), (Board, "publish"))
    lab.cycle.policy = broken_policy(lab.cycle.policy, saboteur)
    lab.cycle.cluster = Sabotaged(lab.cluster, saboteur, ("observe", "apply", "forget"))
    lab.cycle.store = Sabotaged(lab.store, saboteur)
    lab.cycle.clock = Sabotaged(lab.clock, saboteur, ("now_s",))
    lab.cycle.timer = saboteur.on(lambda: 0.0)
    lab.cycle.keep_replay = saboteur.on(lambda *_: "a file")


def run(lab: Any, turns: int, each: Callable[[], None], pause_s: float = 5.0) -> None:
    """Let the loop take so many turns; it must not end by itself."""
    stop, left = threading.Event(), [turns]

    class Poke:
        def clear(self) -> None:
            """Do nothing: nobody set it."""

        def wait(self, _: float) -> None:
            each()
            lab.clock.at_s += pause_s
            left[0] -= 1
            if not left[0]:
                stop.set()

    run_forever(lab.cycle, stop, Poke(), Backoff(0.0, 0.0))  # type: ignore[arg-type]  # stand-in
    assert left == [0], "the loop has ended"


def course(lab: Any, turns: int) -> list[Any]:
    """Return what becomes of the good model and of all jobs, turn by turn."""
    seen: list[Any] = []

    def look() -> None:
        ready = sum(r.model == "good" and r.state is ReplicaState.READY for r in lab.cluster.replicas.values())
        jobs = [(job.job_id, job.state, len(job.attempts)) for job in lab.store.jobs(open_only=False)]
        seen.append((ready, jobs))

    run(lab, turns, look)
    return seen


@settings(max_examples=SEEDS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    share=st.sampled_from([0.1, 0.5, 1.0]),
    which=st.sets(st.sampled_from(APART), min_size=1),
    history_s=st.sampled_from(HISTORIES_S),
)
def test_what_fails_is_cut_off_and_all_else_goes_as_if_nothing_had(
    build_lab: Callable[..., Any], seed: int, share: float, which: set[Callable[..., None]], history_s: float
) -> None:
    undisturbed, lab = build_lab(hosts=3), build_lab(hosts=3)
    for each in (undisturbed, lab):
        furnish(each, history_s)
        each.turns(1)  # everything works before it fails
    saboteur = Saboteur(seed, share)
    with ExitStack() as stack:
        for break_it in APART:
            if break_it in which:
                break_it(lab, saboteur, stack)
        assert course(lab, 14) == course(undisturbed, 14)
    assert saboteur.struck or share < 1.0
    serving = [replica for replica in lab.cluster.replicas.values() if replica.model == "bad"]
    assert serving, "what failed is served as before"


@settings(max_examples=SEEDS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.02, 0.1, 0.3]), history_s=st.sampled_from(HISTORIES_S))
def test_the_loop_outlives_everything_and_nothing_accepted_is_lost(
    build_lab: Callable[..., Any], seed: int, share: float, history_s: float
) -> None:
    lab = build_lab(hosts=3)
    furnish(lab, history_s)
    saboteur = Saboteur(seed, share)

    def twice() -> None:
        holding = [run.job_id for run in lab.cluster.holding]
        assert len(holding) == len(set(holding)), "a job runs twice"

    with ExitStack() as stack:
        for break_it in (*APART, break_all_else):
            break_it(lab, saboteur, stack)
        run(lab, 16, twice)
        saboteur.is_at_work = False
        run(lab, 20, twice, 150.0)
    assert lab.board.degraded == ""
    jobs = lab.store.jobs(open_only=False)
    assert len(jobs) == 3
    for job in jobs:
        gave_up = job.state is JobState.FAILED and job.attempt.outcome is Outcome.NEVER_STARTED
        assert job.state is JobState.SUCCEEDED or gave_up, (job.state, job.attempt)
    assert sum(r.model == "good" for r in lab.cluster.replicas.values()) == 3


@pytest.mark.parametrize("error", ERRORS)
def test_what_is_wrong_is_said_once_with_what_is_done_meanwhile(lab: Any, error: Callable[[], Exception]) -> None:
    furnish(lab)
    lab.turns(1)
    with mock.patch.object(demand, "load_of", side_effect=error()):
        lab.turns(12)
        told = [event for event in lab.store.events(limit=1000) if event.subject in {"good", "bad"}]
        failed = [event.title for event in told if "failed" in event.title]
        assert failed == [f"the demand of {name} failed; served as in the plan before" for name in ("good", "bad")]
        assert [trouble.part.subject for trouble in lab.board.report.troubles] == ["bad", "good"]
        assert lab.board.degraded == ""
    lab.turns(60)
    titles = lab.events()
    assert titles.count("the demand of good works again") == 1
    assert lab.board.report.troubles == ()


def test_a_planner_that_fails_leaves_the_last_plan_and_what_it_was_given(build_lab: Callable[..., Any]) -> None:
    lab = build_lab(hosts=3)
    furnish(lab)
    kept: list[tuple[int, str]] = []
    lab.cycle.keep_replay = lambda asked, error: kept.append((asked.number, repr(error))) or "replays/2.jsonl.gz"
    lab.turns(1)
    before = lab.board.report
    with mock.patch.object(cycle, "plan", side_effect=ZeroDivisionError("division by zero")):
        run(lab, 6, lambda: None)
    assert lab.board.report is before
    assert lab.board.degraded.startswith("the planner failed, the last plan stays: ZeroDivisionError: division by zero")
    assert "what it was given is in replays/2.jsonl.gz" in lab.board.degraded
    assert kept == [(2, "ZeroDivisionError('division by zero')")]
    assert [title for title in lab.events() if "failed" in title] == [
        "the planner failed; the last plan stays, it is tried again"
    ]
    lab.turns(40)
    assert lab.board.degraded == ""
    assert {job.state for job in lab.store.jobs(open_only=False)} == {JobState.SUCCEEDED}


def test_a_job_that_breaks_a_step_is_left_aside_with_its_room_and_the_others_go_on(lab: Any) -> None:
    endless, other = lab.submit("endless"), lab.submit("other")
    lab.cluster.steps = {endless: 10**6, other: 20}
    lab.turns(3)
    moved = reconcile._moved

    def breaks(job: Any, *args: Any) -> Any:
        if job.job_id == endless:
            raise KeyError(job.job_id)
        return moved(job, *args)

    with mock.patch.object(reconcile, "_moved", breaks):
        lab.turns(12)
        assert lab.store.job(other).state is JobState.SUCCEEDED
        assert lab.store.job(endless).state is JobState.RUNNING
        assert [run.job_id for run in lab.cluster.holding] == [endless], (
            "it was neither stopped nor its room given away"
        )
        late = lab.submit("late", workers=4)
        lab.turns(3)
        assert lab.store.job(late).attempts == ()
    assert lab.events().count(f"job {endless} failed; left as it is while all others go on") == 1
