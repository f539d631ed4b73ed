"""Replicas that never get ready: given up by a rule, told once, tried again with pauses; training is left alone."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from scheduler.control.isolation.warmups import FIRST_S, LATE_AFTER, LONGEST_S, REFUSED
from scheduler.control.jobs.change_events import KnownState, change_events
from scheduler.model.errors import ActionFailed
from scheduler.model.observation import Observation
from scheduler.model.plan import PreemptJob, StartReplica
from scheduler.model.workloads import ReplicaState

NEVER_S = 1e9
PAUSE_S = 20.0
GIVEN_UP = "starting replicas of edit-check failed; none is started for a while, those that are ready serve"


def started(lab: Any) -> int:
    return sum(isinstance(action, StartReplica) for action in lab.cluster.applied)


def told(lab: Any) -> list[str]:
    return [event.title for event in lab.store.events(limit=10_000) if event.subject == "edit-check"]


def test_what_never_gets_ready_is_given_up_told_once_and_tried_again_ever_more_rarely(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 5.0)
    lab.cluster.warm_up_s = NEVER_S
    begun_s, tries = lab.clock.at_s, []
    while lab.clock.at_s < begun_s + 6 * 3600:
        before = started(lab)
        lab.turns(1, pause_s=PAUSE_S)
        tries += [lab.clock.at_s] * (started(lab) - before)
        assert len(lab.cluster.replicas) <= 2, "the one that is late goes when another one starts elsewhere"
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    rounds, at_once = [p for p in pauses if p >= FIRST_S], [p for p in pauses if p < FIRST_S]
    assert pauses[0] in at_once, "another host is tried"
    assert max(at_once) <= LATE_AFTER * 20.0 + 2 * PAUSE_S
    assert rounds == sorted(rounds)
    assert max(pauses) <= LONGEST_S + LATE_AFTER * 20.0 + 60.0 + 2 * PAUSE_S
    assert len(rounds) <= 12
    assert len(tries) <= 2 * len(rounds) + 2
    assert [title for title in told(lab) if "failed" in title] == [
        "starting edit-check on a failed; other hosts are tried",
        "starting edit-check on b failed; other hosts are tried",
        GIVEN_UP,
    ]
    said = [str(trouble) for trouble in lab.board.report.troubles]
    assert "starting replicas of edit-check failed: not ready after 3 times the warm-up, tried on a, b; " in said[-1]


def cripple(lab: Any, *hosts: str) -> None:
    """Have nothing get ready on some hosts."""
    advance = lab.cluster.advance

    def limping() -> None:
        for name, one in lab.cluster.replicas.items():
            if one.slot.host in hosts and one.state is ReplicaState.STARTING:
                lab.cluster.replicas[name] = replace(one, since_s=one.since_s + NEVER_S)
        advance()
        for name, one in lab.cluster.replicas.items():
            if one.since_s > NEVER_S:
                lab.cluster.replicas[name] = replace(one, since_s=one.since_s - NEVER_S)

    lab.cluster.advance = limping


@pytest.mark.parametrize("hosts", [2, 5])
def test_another_host_is_tried_before_a_model_is_given_up(build_lab: Any, hosts: int) -> None:
    lab = build_lab(hosts=hosts)
    lab.serve("edit-check", lambda _: 25.0, max_per_host=1 if hosts > 3 else 0, max_replicas=3 if hosts > 3 else 2)
    cripple(lab, "a")
    lab.turns(60, pause_s=PAUSE_S)
    replicas = lab.cluster.replicas.values()
    assert {one.state for one in replicas} == {ReplicaState.READY}
    assert len(replicas) == (3 if hosts > 3 else 2)
    assert "a" not in {one.slot.host for one in replicas}
    assert "starting edit-check on a failed; other hosts are tried" in told(lab)
    assert GIVEN_UP not in told(lab)
    assert [str(trouble) for trouble in lab.board.report.troubles if trouble.part.subject == "edit-check"] == [
        "starting edit-check on a failed: not ready after 3 times the warm-up; other hosts are tried"
    ]


def test_a_model_that_fits_one_host_only_is_given_up_without_a_second_try(build_lab: Any) -> None:
    lab = build_lab(hosts=1)
    lab.serve("edit-check", lambda _: 5.0)
    cripple(lab, "a")
    lab.turns(12, pause_s=PAUSE_S)
    assert (started(lab), len(lab.cluster.replicas)) == (1, 0)
    assert GIVEN_UP in told(lab)


def test_a_replica_that_is_late_and_has_nowhere_else_to_go_is_given_up_all_the_same(build_lab: Any) -> None:
    lab = build_lab(hosts=2, devices=1)
    other = lab.submit("pinned", priority=99, preemptible=False)
    lab.cluster.steps = {other: 10**6}
    lab.turns(3)
    lab.serve("edit-check", lambda _: 5.0)
    lab.cluster.warm_up_s = NEVER_S
    lab.turns(20, pause_s=PAUSE_S)
    assert (started(lab), len(lab.cluster.replicas)) == (1, 0)
    assert GIVEN_UP in told(lab)


def test_nobody_is_stopped_again_and_again_for_a_model_that_cannot_start(lab: Any) -> None:
    job = lab.submit("all", workers=4, priority=25)
    lab.cluster.steps = {job: 10**6}
    lab.turns(3)
    lab.serve("edit-check", lambda _: 15.0)
    lab.cluster.warm_up_s = NEVER_S
    for _ in range(6 * 180):
        lab.turns(1, pause_s=PAUSE_S)
    stops = sum(isinstance(action, PreemptJob) for action in lab.cluster.applied)
    assert 1 <= stops <= 12
    held = [run for run in lab.store.job(job).attempts if run.started_at_s is not None]
    assert sum((run.ended_at_s or lab.clock.at_s) - run.started_at_s for run in held) > 0.7 * 6 * 3600


def test_those_that_are_ready_stay_and_one_that_gets_ready_ends_it(lab: Any) -> None:
    rate = [5.0]
    lab.serve("edit-check", lambda _: rate[0])
    lab.turns(8, pause_s=PAUSE_S)
    rate[0] = 25.0
    lab.cluster.warm_up_s = NEVER_S
    lab.turns(10, pause_s=PAUSE_S)
    assert [replica.state for replica in lab.cluster.replicas.values()] == [ReplicaState.READY]
    assert lab.board.report.cycle.demand.of("edit-check").replicas_wanted == 3, "what it needs is said all the same"
    lab.cluster.warm_up_s = 20.0
    lab.turns(60, pause_s=PAUSE_S)
    assert [replica.state for replica in lab.cluster.replicas.values()] == [ReplicaState.READY] * 3
    assert told(lab).count("starting replicas of edit-check works again") == 1
    assert not [trouble for trouble in lab.board.report.troubles if "replicas" in trouble.part.name]


def test_a_model_whose_starts_are_refused_is_told_once_and_given_up(lab: Any) -> None:
    lab.serve("edit-check", lambda _: 5.0)
    asked: list[float] = []

    def refuse(action: Any) -> bool:
        if isinstance(action, StartReplica):
            asked.append(lab.clock.at_s)
            raise ActionFailed("no application is declared for model edit-check")
        return False

    lab.cluster.refuses = refuse
    lab.turns(40, pause_s=5.0)
    assert len(asked) == REFUSED
    assert told(lab).count("edit-check could not start a replica") == 1
    (trouble,) = lab.board.report.troubles
    assert trouble.reason.startswith("no application is declared")


@pytest.mark.parametrize(
    "fault",
    [
        "edit-check on h-{n} has been starting for {t} s and says nothing",
        "edit-check@h-{n} is unhealthy: RuntimeError: worker {t} died at 0x{t}af after {t}.5 s (pid={t})",
        "edit-check@h-{n} is deploy failed: {t} of 3 retries left",
    ],
)
def test_a_fault_is_told_once_whatever_grows_in_its_words_and_of_each_host_by_itself(fault: str) -> None:
    seen, news = KnownState(), []
    for turn in range(60):
        faults = tuple(fault.format(n=n, t=30 * turn) for n in (1, 2)) if turn % 7 else ()
        said, seen = change_events(seen, Observation(30.0 * turn, faults=faults), turn)
        news += said
    assert len(news) == 2
    again, _ = change_events(seen, Observation(30.0 * 60 + 3600, faults=(fault.format(n=1, t=5),)), 99)
    assert len(again) == 1
