"""With moves and displacement allowed plans stay safe, keep their bounds, and promise nothing that does not fit."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.plan import Cause, Consolidation, PreemptJob
from scheduler.model.snapshot import Snapshot
from scheduler.planning.planner import plan

MANY = settings(max_examples=150)
MOST_MOVES = 2
POLICY = policy_from_names(
    queue_order="shortest-first",
    may_displace="shorter-first",
    consolidation=Consolidation.DO,
    moves_per_hour=MOST_MOVES,
    min_runtime_s=60.0,
)


def of_one_kind(kit: SimpleNamespace, snapshot: Snapshot) -> Snapshot:
    """Return the scene as one of equals; those who run have run for long and just saved."""
    parts = {"priority": 50, "queue": "default", "preemptible": True, "restart_cost_s": 0.0}
    jobs = [
        replace(job, **parts, started_at_s=500.0, checkpoint_interval_s=600.0, checkpointed_at_s=kit.NOW_S - 5)
        if job.state.holds_room
        else replace(job, **parts)
        for job in snapshot.jobs
    ]
    return kit.again(snapshot, jobs=jobs)


@pytest.mark.parametrize("kind", ["scenes", "odd_scenes"])
@MANY
@given(data=st.data())
def test_every_prefix_is_safe_and_all_promises_fit_together(
    kit: SimpleNamespace, kind: str, data: st.DataObject
) -> None:
    scene = data.draw(getattr(kit, kind)())
    snapshot = of_one_kind(kit, scene.snapshot)
    made = plan(snapshot, scene.demand, POLICY)
    kit.assert_every_prefix_is_safe(snapshot, made.actions)
    assert kit.is_sound(kit.room_in_the_end(snapshot, made))
    assert plan(snapshot, scene.demand, POLICY) == made


@MANY
@given(data=st.data())
def test_moves_are_bounded_each_mover_has_a_place_and_only_equals_displace_each_other(
    kit: SimpleNamespace, data: st.DataObject
) -> None:
    scene = data.draw(kit.scenes())
    snapshot = of_one_kind(kit, scene.snapshot)
    made = plan(snapshot, scene.demand, POLICY)
    promised = {promise.holder for promise in made.reservations}
    stops = [action for action in made.actions if isinstance(action, PreemptJob)]
    movers = [stop for stop in stops if stop.cause is Cause.CONSOLIDATION]
    assert len(movers) <= MOST_MOVES
    assert {stop.job_id for stop in movers} <= promised
    for stop in stops:
        event(f"stopped: {stop.cause}")
        if stop.cause is Cause.SHORTER:
            victim, winner = snapshot.by_id[stop.job_id], snapshot.by_id[stop.beneficiary]
            have_terms = not all(queue.is_plain for queue in snapshot.queues)
            assert victim.priority == winner.priority
            assert victim.queue == winner.queue or not have_terms
            assert snapshot.taken_at_s - victim.started_at_s >= POLICY.min_runtime_s * 2**victim.stops
            assert stop.beneficiary in promised
