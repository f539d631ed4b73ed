"""What a queue is guaranteed it has soon, at every moment of a life in which others always want more than there is."""

from collections import Counter
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Plan, PreemptJob, StartJob
from scheduler.model.policy import Policy
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, TrainingJob
from scheduler.planning.planner import plan

PERIOD_S, GRACE_S, MIN_RUNTIME_S = 30.0, 30.0, 300.0
TURNS, ALWAYS_MORE, OFTEN, SELDOM, OVER = 40, 3, 0.3, 0.1, 0.05
"""Turns, waiting jobs of others; shares of turns in which a queue asks for a device, for more, and a job is over."""
GUARANTEES = {"team": 3, "others": 0}
HOSTS = [Host(name, 64_000, 65_536, tuple(map(Device, range(4))), "M") for name in ("h1", "h2")]
QUEUES = [Queue(name, guarantee=Amounts(gpu_milli=1000 * gpus)) for name, gpus in GUARANTEES.items()]
ONE, *ANY = (Gang(n, Shape(1000, 64, gpus)) for n, gpus in ((1, 1), (1, 1), (1, 2), (2, 1), (1, 4), (2, 3), (6, 1)))
LARGE = [*ANY[3:], Gang(2, Shape(1000, 64, 2), max_workers=4), Gang(2, Shape(1000, 64, 4))]


class Life:
    """A queue that asks for a device, or for more than it is guaranteed, beside one that never has enough."""

    def __init__(self, rng: Random, kit: SimpleNamespace) -> None:
        """Begin with an empty site."""
        self._rng, self._kit, self._submitted = rng, kit, 0
        self.snapshot = Snapshot.of(taken_at_s=100_000.0, hosts=HOSTS, jobs=[], queues=QUEUES)

    def turns(self, policy: Policy) -> Iterator[tuple[Snapshot, Plan]]:
        """Yield what is planned for, and the plan, turn by turn."""
        for _ in range(TURNS):
            self._submit()
            made = plan(self.snapshot, Demand(), policy)
            yield self.snapshot, made
            later = self._kit.finish(self._kit.apply(self.snapshot, made, after_s=PERIOD_S))
            jobs = [job for job in later.jobs if not job.slots or self._rng.random() > OVER]
            self.snapshot = self._kit.again(later, jobs=jobs)

    def _submit(self) -> None:
        rng, jobs = self._rng, list[TrainingJob]()
        waiting = sum(job.queue == "others" for job in self.snapshot.waiting)
        jobs += [self._job("others", rng.choice(ANY)) for _ in range(waiting, ALWAYS_MORE)]
        jobs += [self._job("team", ONE)] if rng.random() < OFTEN else []
        jobs += [self._job("team", rng.choice(LARGE))] if rng.random() < SELDOM else []
        self.snapshot = self._kit.again(self.snapshot, jobs=[*self.snapshot.jobs, *jobs])

    def _job(self, queue: str, gang: Gang) -> TrainingJob:
        self._submitted += 1
        return TrainingJob(
            JobId(str(self._submitted)),
            "job",
            gang,
            queue,
            priority=self._rng.choice([25, 50, 75]),
            submitted_at_s=self.snapshot.taken_at_s,
            grace_period_s=GRACE_S,
            max_runtime_s=self._rng.choice([None, 36_000.0]),
        )


def short(snapshot: Snapshot, made: Plan) -> set[str]:
    """Return the queues below their guarantee, promises counted, that ask for a device while others hold some."""
    given = {action.job_id: action.slots for action in made.actions if isinstance(action, StartJob)}
    given |= {promise.holder: promise.slots for promise in made.reservations}
    stopped = {action.job_id for action in made.actions if isinstance(action, PreemptJob)}
    has = Counter[str]()
    for job in snapshot.jobs:
        stays = job.slots if job.job_id not in stopped else ()
        has[job.queue] += len(given.get(job.job_id, stays)) * job.gang.shape.gpu_count
    asking = {job.queue for job in snapshot.waiting if job.gang is ONE and job.job_id not in given}
    return {queue for queue in asking if has[queue] < GUARANTEES[queue] and has["others"]}


@pytest.mark.parametrize("order", ["fair-share", "priority"])
@settings(max_examples=20)
@given(rng=st.randoms(use_true_random=True), bookings=st.sampled_from([0, 1, 4]))
def test_a_guarantee_is_there_within_a_minimum_run_a_grace_and_a_period(
    order: str, kit: SimpleNamespace, rng: Random, bookings: int
) -> None:
    policy, since_s, longest_s = policy_from_names(queue_order=order, bookings=bookings), dict[str, float](), 0.0
    assert policy.min_runtime_s == MIN_RUNTIME_S
    for snapshot, made in Life(rng, kit).turns(policy):
        since_s = {queue: since_s.get(queue, snapshot.taken_at_s) for queue in short(snapshot, made)}
        longest_s = max([longest_s, *(snapshot.taken_at_s - began_s for began_s in since_s.values())])
        assert longest_s <= MIN_RUNTIME_S + GRACE_S + PERIOD_S
    event(f"short for {longest_s // 60:.0f} min")
