"""What queues are promised: on any crowded site, in one plan and over many turns, nobody falls below a guarantee."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import PreemptJob, StartJob
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.planner import plan

NOW_S = 10_000.0
POLICY = policy_from_names(queue_order="fair-share", min_runtime_s=0.0)
SEEDS = st.randoms(use_true_random=True)
TURN_S, QUIET_S, MOST_TURNS = 30.0, 2 * 86_400.0, 80


@dataclass(frozen=True)
class Site:
    """A few hosts of eight devices, and queues with terms."""

    hosts: tuple[Host, ...]
    queues: tuple[Queue, ...]


def site_of(rng: Random) -> Site:
    """Return queues whose guarantees, in devices only, fit into the site."""
    count = rng.randint(1, 4)
    hosts = tuple(Host(f"h{i}", 64_000, 65_536, tuple(Device(d) for d in range(8)), "AB"[i % 2]) for i in range(count))
    left, queues = count * 8, []
    for name in ("default", "a", "b", "c")[: rng.randint(2, 4)]:
        guaranteed = rng.choice([None, rng.randint(0, left)])
        left -= guaranteed or 0
        queues.append(queue_of(name, guaranteed, rng))
    return Site(hosts, tuple(queues))


def queue_of(name: str, guaranteed: int | None, rng: Random) -> Queue:
    return Queue(
        name,
        devices(guaranteed),
        borrow_limit=devices(rng.choice([None, None, 0, rng.randint(0, 12)])),
        lend_limit=devices(rng.choice([None, None, rng.randint(0, guaranteed)]) if guaranteed else None),
        weight=rng.choice([1.0, 1.0, 0.5, 3.0]),
    )


def devices(count: int | None) -> Amounts:
    return Amounts(gpu_milli=None if count is None else count * 1000)


def job_of(number: int, queues: tuple[Queue, ...], rng: Random) -> TrainingJob:
    shape = Shape(1000, 1024, *rng.choice([(1,), (2,), (4,), (8,), (1, 500), (0,)]))
    return TrainingJob(
        JobId(str(number)),
        f"job{number}",
        Gang(rng.choice([1, 1, 2, 3]), shape),
        queue=rng.choice(queues).name,
        owner=rng.choice(["ana", "bo"]),
        priority=rng.choice([25, 50, 75]),
        preemptible=rng.random() < 0.9,
        submitted_at_s=float(rng.randint(0, 9000)),
    )


def crowded(site: Site, rng: Random, kit: SimpleNamespace) -> Snapshot:
    """Fill the site at random, whatever the terms say (they may have been changed), and let others wait."""
    trial = Snapshot.of(hosts=site.hosts).ledger.trial()
    jobs = []
    for number in range(1, 24):
        job = job_of(number, site.queues, rng)
        rows = rng.sample(range(len(site.hosts)), len(site.hosts))
        slots = kit.place_gang(trial, job.gang, rows) if number < 16 else ()
        if slots:
            began_s = NOW_S - rng.choice([100, 5000])
            job = replace(job, state=JobState.RUNNING, slots=slots, attempt=1, started_at_s=began_s)
        jobs.append(job)
    use = MeanUse("a", "ana", gpu_milli=float(rng.randint(0, 8000)))
    return Snapshot.of(taken_at_s=NOW_S, hosts=site.hosts, jobs=jobs, queues=site.queues, usage=[use])


def held(snapshot: Snapshot, but: frozenset[str] = frozenset()) -> Counter[str]:
    """Return thousandths of devices by queue, without those of some jobs and of all that are leaving."""
    sums: Counter[str] = Counter()
    for job in snapshot.jobs:
        if job.slots and job.job_id not in but and job.state is not JobState.PREEMPTING:
            sums[job.queue] += len(job.slots) * job.gang.shape.total_gpu_milli
    return sums


def guarantees(snapshot: Snapshot) -> Mapping[str, int]:
    return {queue.name: queue.guarantee.gpu_milli or 0 for queue in snapshot.queues}


def assert_nobody_falls_below(snapshot: Snapshot, victims: Mapping[str, str]) -> None:
    """No queue is taken below its guarantee by others; `victims` says for which job each is stopped."""
    before, guaranteed = held(snapshot), guarantees(snapshot)
    taken: Counter[str] = Counter()
    for victim, beneficiary in victims.items():
        job = snapshot.by_id[victim]
        if snapshot.by_id[beneficiary].queue != job.queue:
            taken[job.queue] += len(job.slots) * job.gang.shape.total_gpu_milli
    for queue, amount in taken.items():
        assert not amount or before[queue] - amount >= guaranteed[queue], (queue, before[queue], amount)


def victims_of(snapshot: Snapshot) -> dict[str, str]:
    made = plan(snapshot, Demand(), POLICY)
    return {str(stop.job_id): stop.beneficiary for stop in made.actions if isinstance(stop, PreemptJob)}


@given(rng=SEEDS)
@settings(max_examples=150)
def test_no_queue_is_taken_below_its_guarantee_by_another(kit: SimpleNamespace, rng: Random) -> None:
    snapshot = crowded(site_of(rng), rng, kit)
    assert_nobody_falls_below(snapshot, victims_of(snapshot))


@given(rng=SEEDS)
@settings(max_examples=100)
def test_lower_priority_stops_higher_of_another_queue_only_within_its_guarantee(
    kit: SimpleNamespace, rng: Random
) -> None:
    snapshot = crowded(site_of(rng), rng, kit)
    victims = victims_of(snapshot)
    after = held(snapshot, frozenset(victims))
    owed: Counter[str] = Counter()
    for beneficiary in sorted(set(victims.values())):
        job = snapshot.by_id[beneficiary]
        stopped = [snapshot.by_id[victim] for victim, for_whom in victims.items() if for_whom == beneficiary]
        if any(job.priority <= victim.priority for victim in stopped):
            assert all(victim.queue != job.queue or victim.priority < job.priority for victim in stopped)
            owed[job.queue] += job.gang.workers * job.gang.shape.total_gpu_milli
    for queue, amount in owed.items():
        named = next(each for each in snapshot.queues if each.name == queue).guarantee.gpu_milli is not None
        assert named
        assert min(after[queue], held(snapshot)[queue]) + amount <= guarantees(snapshot)[queue]


@given(rng=SEEDS)
@example(rng=Random(999999999999999999))  # noqa: S311  # a world, not a secret
@settings(max_examples=150)
def test_nothing_starts_above_a_limit_or_in_what_others_keep(kit: SimpleNamespace, rng: Random) -> None:
    snapshot = crowded(site_of(rng), rng, kit)
    made = plan(snapshot, Demand(), POLICY)
    kit.assert_every_prefix_is_safe(snapshot, made.actions)
    use, guaranteed = held(snapshot), guarantees(snapshot)
    free = int(snapshot.ledger.gpu_milli.clip(min=0).sum())
    for start in (action for action in made.actions if isinstance(action, StartJob)):
        job = snapshot.by_id[start.job_id]
        use[job.queue] += len(start.slots) * job.gang.shape.total_gpu_milli
        free -= len(start.slots) * job.gang.shape.total_gpu_milli
        queue = next(each for each in snapshot.queues if each.name == job.queue)
        if not job.gang.shape.gpu_count:
            continue
        if queue.borrow_limit.gpu_milli is not None:
            assert use[job.queue] <= guaranteed[job.queue] + queue.borrow_limit.gpu_milli
        if use[job.queue] > guaranteed[job.queue]:
            assert free >= sum(still_kept(other, use) for other in snapshot.queues if other is not queue)


def still_kept(queue: Queue, use: Counter[str]) -> int:
    if queue.lend_limit.gpu_milli is None:
        return 0
    return max(0, (queue.guarantee.gpu_milli or 0) - queue.lend_limit.gpu_milli - use[queue.name])


@given(rng=SEEDS)
@settings(max_examples=100)
def test_every_waiting_job_has_its_turn_once_whatever_starts(kit: SimpleNamespace, rng: Random) -> None:
    snapshot = crowded(site_of(rng), rng, kit)
    made = plan(snapshot, Demand(), POLICY)
    placed = [action.job_id for action in made.actions if isinstance(action, StartJob)]
    explained = [why.subject for why in made.unplaced]
    assert sorted([*placed, *explained]) == sorted(job.job_id for job in snapshot.waiting)
    assert plan(snapshot, Demand(), POLICY) == made


@given(rng=SEEDS)
@settings(max_examples=30)
def test_over_many_turns_nobody_falls_below_and_stopping_comes_to_an_end(kit: SimpleNamespace, rng: Random) -> None:
    """With nothing new and nothing ending nothing moves for days in the end, and hardly anybody is stopped twice."""
    assert max(stops_in_a_life(kit, rng).values(), default=0) <= 2


@pytest.mark.parametrize("seed", [16384, 20022, 41711969, 42124840])
def test_nobody_is_stopped_twice(kit: SimpleNamespace, seed: int) -> None:
    """Worlds in which it happened: room was another queue's to keep, or was had by who would be stopped at once.

    It still happens in one world of a hundred or so: see docs/decisions/0028.
    """
    assert max(stops_in_a_life(kit, Random(seed)).values(), default=0) <= 1  # noqa: S311  # a world, not a secret


def stops_in_a_life(kit: SimpleNamespace, rng: Random) -> Counter[str]:
    """Return how often each job is stopped until nothing moves any more.

    The pauses grow while nothing moves: what a stop would delay is guessed by how long others have run, so that one
    that would have delayed somebody at first may come when they have run for longer.
    """
    snapshot, pause_s, stops = crowded(site_of(rng), rng, kit), TURN_S, Counter[str]()
    for _ in range(MOST_TURNS):
        made = plan(snapshot, Demand(), POLICY)
        victims = {str(s.job_id): s.beneficiary for s in made.actions if isinstance(s, PreemptJob)}
        assert_nobody_falls_below(snapshot, victims)
        stops.update(victims.keys())
        pause_s = TURN_S if made.actions or made.reservations else 1.5 * pause_s
        if pause_s > QUIET_S:
            return stops
        later = kit.finish(kit.apply(snapshot, made))
        snapshot = kit.again(later, taken_at_s=later.taken_at_s + pause_s)
    raise AssertionError("still moving")
