"""Moving a few jobs so that a waiting gang fits: only when it is worth it, everybody keeps a place, and no loops."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, Consolidation, PreemptJob, Reservation, StartJob
from scheduler.model.policy import Policy
from scheduler.model.workloads import JobState, Moved

DO, PROPOSE, OFF = Consolidation.DO, Consolidation.PROPOSE, Consolidation.OFF


def policy(mode: Consolidation = DO, **numbers: Any) -> Policy:
    return policy_from_names(placement_score="best-fit", consolidation=mode, may_preempt="never", **numbers)


@pytest.fixture
def fragmented(say: Any) -> dict[str, Any]:
    """Two hosts with two free devices each, and a gang that has waited long for four on one host."""
    saved = {"checkpoint_interval_s": 600.0, "checkpointed_at_s": say.now_s - 10.0}
    return {
        "hosts": [say.host("h0"), say.host("h1")],
        "jobs": [
            say.running("1", "h0:0,1", **saved),
            say.running("2", "h1:0,1", preemptible=False, **saved),
            say.waiting("9", say.gpus(4), submitted_at_s=0.0),
        ],
    }


def changed(world: dict[str, Any], number: int, **parts: Any) -> dict[str, Any]:
    jobs = list(world["jobs"])
    jobs[number] = replace(jobs[number], **parts)
    return world | {"jobs": jobs}


def promised(made: Any) -> dict[str, Any]:
    return {reservation.holder: reservation.slots for reservation in made.reservations}


def test_a_job_goes_on_elsewhere_and_the_gang_gets_what_it_leaves(say: Any, fragmented: dict[str, Any]) -> None:
    made = say.plan(policy=policy(), **fragmented)
    (stop,) = say.of(made, PreemptJob)
    assert (stop.job_id, stop.cause, stop.beneficiary) == ("1", Cause.CONSOLIDATION, "9")
    assert promised(made) == {"1": (say.slot("h1:2,3"),), "9": (say.slot("h0:0,1,2,3"),)}
    assert not made.proposals


def test_both_start_where_they_were_promised_once_the_mover_has_stopped(say: Any, fragmented: dict[str, Any]) -> None:
    made = say.plan(policy=policy(), **fragmented)
    moved = [Moved(fragmented["jobs"][0].job_id, say.now_s)]
    stopping = changed(fragmented, 0, state=JobState.PREEMPTING)
    waits = say.plan(policy=policy(), reservations=made.reservations, moves=moved, **stopping)
    assert not say.of(waits, StartJob)
    assert promised(waits) == promised(made), "the promises outlive the time it takes to save"

    stopped = changed(fragmented, 0, state=JobState.PREEMPTED, slots=(), started_at_s=None)
    after = say.plan(policy=policy(), reservations=waits.reservations, moves=moved, **stopped)
    assert {start.job_id: start.slots for start in say.of(after, StartJob)} == promised(made)


def test_a_proposal_says_what_to_move_and_moves_nobody(say: Any, fragmented: dict[str, Any]) -> None:
    made = say.plan(policy=policy(PROPOSE), **fragmented)
    (proposal,) = made.proposals
    assert not made.actions
    assert not made.reservations
    assert (proposal.beneficiary, proposal.waits_s) == ("9", say.now_s)
    assert [(move.job_id, move.slots) for move in proposal.moves] == [("1", (say.slot("h1:2,3"),))]
    assert made.reason_for("9").message.endswith(
        f"; moving 1 to h1 would make room (loses {proposal.lost_gpu_s:.0f} GPU-seconds)"
    )


@pytest.mark.parametrize(
    ("why", "number", "parts"),
    [
        ("it is not to be stopped", 0, {"preemptible": False}),
        ("it never saves", 0, {"checkpoint_interval_s": None}),
        ("it has not saved yet", 0, {"checkpointed_at_s": None}),
        ("it saved too long ago", 0, {"checkpointed_at_s": 9_500.0}),
        ("it has hardly begun", 0, {"started_at_s": 9_900.0}),
        ("the gang has hardly waited", 2, {"submitted_at_s": 9_999.0}),
        ("the gang backs off", 2, {"not_before_s": 20_000.0}),
    ],
)
def test_nobody_is_moved_when(say: Any, fragmented: dict[str, Any], why: str, number: int, parts: Any) -> None:
    assert not say.plan(policy=policy(), **changed(fragmented, number, **parts)).actions, why


def test_it_is_off_unless_a_site_wants_it(say: Any, fragmented: dict[str, Any]) -> None:
    assert not say.plan(policy=policy(OFF), **fragmented).actions
    assert policy_from_names().consolidation is OFF


def test_a_job_without_a_place_to_go_stays(say: Any, fragmented: dict[str, Any]) -> None:
    crowded = fragmented | {"jobs": [*fragmented["jobs"], say.running("3", "h1:2", preemptible=False)]}
    assert not say.plan(policy=policy(), **crowded).actions


def test_moves_are_bounded_by_the_hour_and_a_moved_job_stays(say: Any, fragmented: dict[str, Any]) -> None:
    def moves(*ago_s: float, job: str = "77", **numbers: Any) -> int:
        past = [Moved(job, say.now_s - one) for one in ago_s]
        return len(say.plan(policy=policy(**numbers), moves=past, **fragmented).actions)

    assert moves(10.0, moves_per_hour=1) == 0
    assert moves(3700.0, moves_per_hour=1) == 1
    assert moves(10.0, moves_per_hour=2) == 1
    assert moves(7000.0, job="1") == 0
    assert moves(7000.0, job="1", move_again_after_s=6000.0) == 1


@st.composite
def clusters(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Jobs on four hosts of four devices: name of the host, first device, how many."""
    found = []
    for host in range(4):
        at = 0
        while at < 4:
            size, used = draw(st.integers(1, 4 - at)), draw(st.booleans())
            found += [(f"h{host}", at, size)] if used else []
            at += size
    return found


@given(
    placed=clusters(),
    asked=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    ages_s=st.lists(st.integers(0, 900), min_size=16, max_size=16),
    moves_per_hour=st.integers(0, 3),
)
def test_whoever_moves_has_room_that_is_free_now_and_the_gang_fits_into_what_is_left(
    say: Any,
    placed: list[tuple[str, int, int]],
    asked: tuple[int, int],
    ages_s: list[int],
    moves_per_hour: int,
) -> None:
    jobs = [
        say.running(
            str(n),
            f"{host}:{','.join(map(str, range(at, at + size)))}",
            checkpoint_interval_s=600.0,
            checkpointed_at_s=say.now_s - ages_s[n],
            preemptible=ages_s[n] % 5 != 0,
        )
        for n, (host, at, size) in enumerate(placed)
    ]
    gang = say.waiting("99", say.gpus(asked[0]), workers=asked[1], submitted_at_s=0.0)
    hosts = [say.host(f"h{n}") for n in range(4)]

    made = say.plan(policy=policy(moves_per_hour=moves_per_hour), hosts=hosts, jobs=[*jobs, gang])

    movers = {stop.job_id: stop for stop in say.of(made, PreemptJob)}
    assert len(movers) <= moves_per_hour
    taken = {(slot.host, device) for job in jobs for slot in job.slots for device in slot.devices}
    kept = {(s.host, d) for job in jobs if job.job_id not in movers for s in job.slots for d in s.devices}
    given = [(r.holder, (s.host, d)) for r in made.reservations for s in r.slots for d in s.devices]
    assert len({place for _, place in given}) == len(given), "nothing is promised twice"
    assert not {place for _, place in given} & kept
    for job_id in movers:
        job = next(job for job in jobs if job.job_id == job_id)
        here = [place for holder, place in given if holder == job_id]
        assert len(here) == len(job.slots[0].devices)
        assert not set(here) & taken
        assert job.preemptible
    if movers:
        assert sum(holder == "99" for holder, _ in given) == asked[0] * asked[1]


def test_a_promise_to_a_job_that_its_owner_stopped_meanwhile_is_void(say: Any, fragmented: dict[str, Any]) -> None:
    promise = Reservation("1", (say.slot("h1:2,3"),), say.now_s - 5.0, say.now_s + 500.0)
    stopping = changed(fragmented, 0, state=JobState.PREEMPTING, stop_asked=True)
    made = say.plan(policy=policy(OFF), reservations=[promise], **stopping)
    assert "1" not in promised(made)
