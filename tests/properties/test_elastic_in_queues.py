"""Elastic jobs in queues with terms: who shrinks goes on within its queue's limit, over many turns of crowded sites."""

from dataclasses import replace
from random import Random
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.demand import Demand
from scheduler.model.plan import PreemptJob, StartJob
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import TrainingJob
from scheduler.planning.planner import plan
from tests.properties.test_fair_share_properties import POLICY, crowded, guarantees, held, site_of

TURNS, TURN_S = 8, 30.0
SEEDS = st.randoms(use_true_random=True)


def elastic(job: TrainingJob, rng: Random) -> TrainingJob:
    """Let most gangs run with fewer workers than they have, or grow by some."""
    here = max(len(job.slots), job.gang.workers)
    fewest, most = rng.randint(1, here), here + rng.randint(0, 3)
    if fewest == most or rng.random() < 0.3:
        return job
    return replace(job, gang=replace(job.gang, workers=fewest, max_workers=most))


def elastic_site(rng: Random, kit: SimpleNamespace) -> Snapshot:
    snapshot = crowded(site_of(rng), rng, kit)
    jobs = [elastic(job, rng) for job in snapshot.jobs]
    return Snapshot.of(taken_at_s=snapshot.taken_at_s, hosts=snapshot.hosts, jobs=jobs, queues=snapshot.queues)


def assert_starts_stay_below_limits(snapshot: Snapshot, starts: list[StartJob]) -> None:
    use, guaranteed = held(snapshot), guarantees(snapshot)
    leaving = {job.job_id for job in snapshot.jobs if job.state.holds_room} & {start.job_id for start in starts}
    assert not leaving
    for start in starts:
        job = snapshot.by_id[start.job_id]
        queue = next(each for each in snapshot.queues if each.name == job.queue)
        use[job.queue] += len(start.slots) * job.gang.shape.total_gpu_milli
        if job.gang.shape.gpu_count and queue.borrow_limit.gpu_milli is not None:
            assert use[job.queue] <= guaranteed[job.queue] + queue.borrow_limit.gpu_milli, start


@given(rng=SEEDS)
@settings(max_examples=15)
def test_nobody_starts_or_goes_on_above_a_limit(kit: SimpleNamespace, rng: Random) -> None:
    snapshot = elastic_site(rng, kit)
    for _ in range(TURNS):
        made = plan(snapshot, Demand(), POLICY)
        kit.assert_every_prefix_is_safe(snapshot, made.actions)
        assert_starts_stay_below_limits(snapshot, [one for one in made.actions if isinstance(one, StartJob)])
        for stop in (one for one in made.actions if isinstance(one, PreemptJob)):
            job = snapshot.by_id[stop.job_id]
            assert not stop.goes_on_with or job.gang.workers <= stop.goes_on_with <= job.gang.most
        later = kit.finish(kit.apply(snapshot, made))
        snapshot = kit.again(later, taken_at_s=later.taken_at_s + TURN_S)


@given(rng=SEEDS)
@settings(max_examples=15)
def test_who_shrank_for_its_own_queue_goes_on_at_once(kit: SimpleNamespace, rng: Random) -> None:
    """Room that is reserved for the rest of a job is within its queue's limit: a turn later it runs there."""
    snapshot = elastic_site(rng, kit)
    made = plan(snapshot, Demand(), POLICY)
    shrunk = {one.job_id: one for one in made.actions if isinstance(one, PreemptJob) and one.goes_on_with}
    later = kit.finish(kit.apply(snapshot, made))
    again = plan(kit.again(later, taken_at_s=later.taken_at_s + TURN_S), Demand(), POLICY)
    started = {one.job_id: one.slots for one in again.actions if isinstance(one, StartJob)}
    for job_id, stop in shrunk.items():
        assert len(started.get(job_id, ())) >= stop.goes_on_with, stop
