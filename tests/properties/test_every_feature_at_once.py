"""Elastic jobs, bookings, consolidation, displacement, queues and partitions at once: what each promises, all keep."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from random import Random
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis import event, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.entitlements import GPU, Entitlements
from scheduler.model.hosts import Host, HostState, devices_offered
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Cause, Consolidation, Plan, PreemptJob, StartJob, StartReplica
from scheduler.model.policy import Policy
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import (
    Gang,
    JobId,
    JobState,
    Replica,
    ReplicaId,
    ReplicaState,
    ServingModel,
    TrainingJob,
)
from scheduler.planning.draft.draft import Draft
from scheduler.planning.placement.availability import expected_end_s
from scheduler.planning.planner import plan

RNGS = st.randoms(use_true_random=True)
NOW_S = 10_000.0
RUNTIMES_S = (None, 100.0, 900.0, 4000.0, 6000.0, 20_000.0)
QUEUES = ("default", "a", "b")


@dataclass(frozen=True)
class Use:
    """Somebody in some slots, from a time to another."""

    who: str
    slots: tuple[Slot, ...]
    shape: Shape
    from_s: float
    until_s: float


def hosts_of(rng: Random) -> list[Host]:
    """Return hosts of four whole devices, and now and then of two that are cut into four parts each, in two racks."""
    count = rng.randint(2, 5)
    cut = [rng.random() < 0.25 for _ in range(count)]
    return [
        Host(
            f"h{number}",
            64_000,
            65_536,
            devices_offered(2, 96, 4) if cut[number] else devices_offered(4, 96),
            "A",
            labels=(("rack", f"r{number % 2}"),),
            state=rng.choice([HostState.READY] * 12 + [HostState.DRAINING, HostState.CORDONED]),
        )
        for number in range(count)
    ]


def queues_of(rng: Random) -> tuple[Queue, ...]:
    if rng.random() < 0.4:
        return ()
    guaranteed = {name: rng.choice([None, 1, 2, 3]) for name in QUEUES}
    return tuple(
        Queue(
            name,
            Amounts(gpu_milli=None if amount is None else amount * 1000),
            borrow_limit=Amounts(gpu_milli=rng.choice([None, None, 2000, 6000])),
            lend_limit=Amounts(gpu_milli=rng.choice([None, 1000]) if amount else None),
            weight=rng.choice([1.0, 2.0]),
        )
        for name, amount in guaranteed.items()
    )


def job_of(number: int, rng: Random) -> TrainingJob:
    memory_mib = rng.choice([0, 0, 24, 24, 96])
    shape = Shape(1000, 1024, *rng.choice([(1,), (1,), (2,), (4,), (1, 500)]), device_memory_mib=memory_mib)
    workers = rng.choice([1, 1, 1, 2, 3])
    gang = Gang(
        workers,
        shape,
        rng.choice([0, 0, 0, 1]),
        require_same=rng.choice(["", "", "", "rack"]),
        max_workers=rng.choice([0, 0, workers + 1, workers + 3]),
    )
    return TrainingJob(
        JobId(str(number)),
        f"job{number}",
        gang,
        queue=rng.choice(QUEUES),
        owner=rng.choice(["ana", "bo"]),
        priority=rng.choice([25, 25, 50, 75]),
        preemptible=rng.random() < 0.9,
        submitted_at_s=float(rng.randint(0, 9000)),
        max_runtime_s=rng.choice(RUNTIMES_S),
        checkpoint_interval_s=rng.choice([None, 600.0, 600.0]),
    )


def running(job: TrainingJob, slots: tuple[Slot, ...], rng: Random) -> TrainingJob:
    began_s = NOW_S - rng.choice([100, 1000, 5000])
    return replace(
        job,
        state=rng.choice([JobState.RUNNING] * 9 + [JobState.PREEMPTING]),
        slots=slots,
        attempt=1,
        started_at_s=began_s,
        checkpointed_at_s=rng.choice([None, NOW_S - 20, NOW_S - 20, max(began_s, NOW_S - 500)]),
        stops=rng.choice([0, 0, 1]),
    )


def scene_of(rng: Random, kit: SimpleNamespace) -> tuple[Snapshot, Demand]:
    listed = hosts_of(rng)
    trial, rows = Ledger.of(listed).trial(), list(range(len(listed)))
    models = [ServingModel("m", Shape(1000, 1024, 1), 0, 4)] if rng.random() < 0.6 else []
    sits = [
        kit.place_somewhere(trial, model.shape, rng.sample(rows, len(rows))) for model in models * rng.randint(0, 2)
    ]
    replicas = [Replica(ReplicaId(f"m-{n}"), "m", slot, ReplicaState.READY) for n, slot in enumerate(sits) if slot]
    jobs = []
    for number in range(1, 17):
        job = job_of(number, rng)
        wanted = job.gang.of_size(rng.randint(job.gang.workers, job.gang.most))
        slots = kit.place_gang(trial, wanted, rng.sample(rows, len(rows))) if number < 12 else ()
        jobs.append(running(job, slots, rng) if slots else job)
    snapshot = Snapshot.of(
        version=7,
        taken_at_s=NOW_S,
        hosts=listed,
        jobs=jobs,
        models=models,
        replicas=replicas,
        queues=queues_of(rng),
    )
    now = rng.randint(0, 2)
    wanted_too = now + rng.randint(0, 2)
    asked = ModelDemand("m", now, wanted_too, wanted_too + rng.choice([0, 0, 1]))
    return snapshot, Demand((asked,) if models else ())


def policy_of(rng: Random, snapshot: Snapshot) -> Policy:
    shared = "fair-share" if snapshot.queues else rng.choice(["priority", "shortest-first"])
    return policy_from_names(
        queue_order=shared,
        may_displace=rng.choice(["never", "shorter-first"]),
        bookings=rng.randint(1, 5),
        consolidation=Consolidation.DO,
        grow_after_s=900.0,
        min_runtime_s=60.0,
    )


def planned(snapshot: Snapshot, demand: Demand, policy: Policy) -> tuple[Plan, Draft]:
    """Return the plan, and what it was working on."""
    drafts, make = [], Draft.of

    def watched(*args: object) -> Draft:
        drafts.append(make(*args))
        return drafts[-1]

    with patch.object(Draft, "of", watched):
        made = plan(snapshot, demand, policy)
    return made, drafts[0]


def uses_of(made: Plan, draft: Draft) -> list[Use]:
    """Everything that the plan expects: what stays, what starts, what is promised, and what is booked."""
    snapshot, now_s = draft.snapshot, draft.snapshot.taken_at_s
    stopped = {action.job_id for action in made.actions if isinstance(action, PreemptJob)}
    stays = [job for job in snapshot.running.jobs if job.state is not JobState.PREEMPTING and job.job_id not in stopped]
    uses = [Use(j.job_id, j.slots, j.gang.shape, now_s, expected_end_s(j, now_s)) for j in stays]
    starts = [(a.job_id, a.slots) for a in made.actions if isinstance(a, StartJob)]
    promised = [(p.holder, p.slots) for p in made.reservations if p.holder in snapshot.by_id]
    for job_id, slots in (*starts, *promised):
        job = snapshot.by_id[JobId(job_id)]
        uses.append(Use(job_id, slots, job.gang.shape, now_s, now_s + job.runtime_s))
    return [*uses, *(Use(b.job.job_id, b.slots, b.job.gang.shape, b.start_s, b.end_s) for b in draft.bookings)]


def overfull_at(uses: Iterable[Use], snapshot: Snapshot, kit: SimpleNamespace) -> list[tuple[float, list[Use]]]:
    """Return the moments at which the uses do not fit together."""
    uses = list(uses)
    found = []
    for at_s in sorted({snapshot.taken_at_s, *chain.from_iterable((use.from_s, use.until_s) for use in uses)}):
        there = [use for use in uses if use.from_s <= at_s < use.until_s]
        held = ((slot, use.shape) for use in there for slot in use.slots)
        if not kit.is_sound(Ledger.of(snapshot.hosts, held)):
            found.append((at_s, there))
    return found


def given_out(made: Plan, draft: Draft) -> list[tuple[Shape, Slot]]:
    """Return every slot that a plan gives, promises or books, with what is to sit there."""
    jobs, models = draft.snapshot.by_id, {model.name: model.shape for model in draft.snapshot.models}
    slots = [(jobs[a.job_id].gang.shape, slot) for a in made.actions if isinstance(a, StartJob) for slot in a.slots]
    slots += [(models[action.model], action.slot) for action in made.actions if isinstance(action, StartReplica)]
    for promise in made.reservations:
        shape = models[promise.holder] if promise.holder in models else jobs[promise.holder].gang.shape
        slots += [(shape, slot) for slot in promise.slots]
    return slots + [(booking.job.gang.shape, slot) for booking in draft.bookings for slot in booking.slots]


@settings(max_examples=100)
@given(rng=RNGS)
def test_no_device_is_given_promised_or_booked_that_is_too_small(kit: SimpleNamespace, rng: Random) -> None:
    snapshot, demand = scene_of(rng, kit)
    made, draft = planned(snapshot, demand, policy_of(rng, snapshot))
    devices = {(host.name, device.index): device for host in snapshot.hosts for device in host.devices}
    for shape, slot in given_out(made, draft):
        for device in (devices[slot.host, index] for index in slot.devices):
            event(f"a part: {device.partitions > 1}")
            assert device.memory_mib >= shape.device_memory_mib
            assert device.partitions == 1 or shape.device_memory_mib
    kit.assert_every_prefix_is_safe(snapshot, made.actions)


@settings(max_examples=150)
@given(rng=RNGS)
def test_no_queue_is_started_above_its_limit_parts_counted_as_parts(kit: SimpleNamespace, rng: Random) -> None:
    snapshot, demand = scene_of(rng, kit)
    made, _ = planned(snapshot, demand, policy_of(rng, snapshot))
    rules = Entitlements(snapshot.queues, snapshot.ledger.table)
    held: Counter[str] = Counter()
    for job in snapshot.running.jobs:
        held[job.queue] += rules.held_at(job.gang, job.slots)[GPU]
    for start in (action for action in made.actions if isinstance(action, StartJob)):
        job = snapshot.by_id[start.job_id]
        got = rules.held_at(job.gang, start.slots)[GPU]
        held[job.queue] += got
        assert not got or held[job.queue] <= rules[job.queue].ceiling[GPU]


@settings(max_examples=250)
@given(rng=RNGS)
def test_no_queue_is_stopped_shrunk_or_moved_below_its_guarantee_for_another(kit: SimpleNamespace, rng: Random) -> None:
    """Whatever the priorities; and a queue has back from others, whatever theirs, only what it is guaranteed."""
    snapshot, demand = scene_of(rng, kit)
    made, _ = planned(snapshot, demand, policy_of(rng, snapshot))
    rules, promised = Entitlements(snapshot.queues, snapshot.ledger.table), {p.holder: p for p in made.reservations}
    stays, lost = Counter[str](), Counter[str]()
    stops = {action.job_id: action for action in made.actions if isinstance(action, PreemptJob)}
    for job in snapshot.running.jobs:
        stop = stops.get(job.job_id)
        leaves = stop is not None or job.state is JobState.PREEMPTING
        kept = promised[job.job_id].slots if job.job_id in promised else () if leaves else job.slots
        beneficiary = snapshot.by_id.get(stop.beneficiary) if stop else None
        if beneficiary and beneficiary.queue == job.queue:
            kept = job.slots  # its queue's own affair
        moved = stop is not None and stop.cause is Cause.CONSOLIDATION
        amount = rules.held_at(job.gang, () if moved and beneficiary.queue != job.queue else kept[: len(job.slots)])[
            GPU
        ]
        stays[job.queue] += amount
        if beneficiary and beneficiary.queue != job.queue:
            event(f"from another queue: {stop.cause}, goes on: {bool(kept)}")
            lost[job.queue] += rules.held_at(job.gang, job.slots)[GPU] - amount
    for queue, amount in lost.items():
        assert not amount or stays[queue] >= rules[queue].guarantee[GPU]


@settings(max_examples=250)
@given(rng=RNGS)
def test_no_action_of_a_plan_takes_what_is_booked(kit: SimpleNamespace, rng: Random) -> None:
    snapshot, demand = scene_of(rng, kit)
    made, draft = planned(snapshot, demand, policy_of(rng, snapshot))
    event(f"bookings: {len(draft.bookings)}")
    for action in made.actions:
        if isinstance(action, PreemptJob) and draft.bookings:
            event(f"stopped for {action.cause}, goes on: {bool(action.goes_on_with)}")
    assert not overfull_at(uses_of(made, draft), snapshot, kit)
