"""What queues hold is counted in every resource, at once when a plan starts or stops somebody."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.entitlements import Entitlements
from scheduler.model.plan import PreemptJob, Reason, StartJob
from scheduler.model.queues import Amounts, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.running import Running
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob

FAIR = policy_from_names(queue_order="fair-share", bookings=0)


def started(say: Any, made: Any) -> list[str]:
    return [start.job_id for start in say.of(made, StartJob)]


@given(
    cpu_milli=st.integers(0, 4000),
    memory_mib=st.integers(0, 4096),
    gpus=st.sampled_from([(0, 1000), (1, 250), (1, 1000), (2, 1000)]),
    hosts=st.lists(st.sampled_from(["x0", "x1", "y0"]), min_size=1, max_size=4),
)
def test_what_starts_counts_as_much_as_it_does_once_it_runs(
    say: SimpleNamespace, cpu_milli: int, memory_mib: int, gpus: tuple[int, int], hosts: list[str]
) -> None:
    there = [say.host(name, 4, model=name[0].upper()) for name in ("x0", "x1", "y0")]
    queues = [Queue("a", Amounts(gpu_models=(("X", 1000), ("Z", 1000))))]
    rules = Entitlements(queues, say.snapshot(hosts=there).ledger.table)
    gang = Gang(len(hosts), Shape(cpu_milli, memory_mib, *gpus))
    slots = tuple(Slot(name, tuple(range(gpus[0]))) for name in hosts)
    runs = TrainingJob(JobId("1"), "lm", gang, state=JobState.RUNNING, slots=slots)
    (held,) = rules.held(Running.of([runs], say.snapshot(hosts=there).ledger.table)).tolist()
    assert list(rules.held_at(gang, slots)) == held
    on_x = sum(name[0] == "x" for name in hosts)
    gpu_milli = gpus[0] * gpus[1]
    assert held == [len(hosts) * cpu_milli, len(hosts) * memory_mib, len(hosts) * gpu_milli, on_x * gpu_milli, 0]
    assert all(asked >= has for asked, has in zip(rules.asked_by(gang), held, strict=True))


def test_limits_on_cores_and_memory_hold_within_one_plan(say: Any) -> None:
    host = replace(say.host("h0", 0), cpu_milli=16_000, memory_mib=16_384)
    for limit, small in (
        (Amounts(cpu_milli=3000), replace(say.gpus(0), cpu_milli=1000, memory_mib=10)),
        (Amounts(memory_mib=3072), replace(say.gpus(0), cpu_milli=10, memory_mib=1024)),
    ):
        jobs = [say.waiting(str(number), small, queue="a") for number in range(1, 6)]
        made = say.plan(policy=FAIR, hosts=[host], jobs=jobs, queues=[Queue("a", borrow_limit=limit), Queue("b")])
        assert started(say, made) == ["1", "2", "3"]
        why = made.reason_for("4")
        assert (why.reason, why.free) == (Reason.QUEUE_LIMIT, 0)


def test_who_was_stopped_for_one_is_not_there_to_be_stopped_for_the_next(say: Any) -> None:
    """Of eight, two are above their guarantee: both go for a queue within its own, and none for higher priority."""
    jobs = [say.running(str(number), f"h0:{number}", queue="b", priority=25) for number in range(8)]
    jobs += [say.waiting(number, say.gpus(), queue="a", priority=25) for number in ("10", "11")]
    jobs += [say.waiting(number, say.gpus(), queue="c", priority=100) for number in ("20", "21")]
    queues = [Queue("a", Amounts(gpu_milli=2000)), Queue("b", Amounts(gpu_milli=6000)), Queue("c")]
    made = say.plan(policy=FAIR, hosts=[say.host("h0", 8)], jobs=jobs, queues=queues)
    assert sorted(stop.beneficiary for stop in say.of(made, PreemptJob)) == ["10", "11"]


def test_what_a_queue_keeps_from_others_is_less_by_what_it_holds(say: Any) -> None:
    """Of 3 guaranteed devices it lends 1: 2 are kept, and those are the ones that it holds."""
    queues = [Queue("a", Amounts(gpu_milli=3000), lend_limit=Amounts(gpu_milli=1000)), Queue("b")]
    for held, left in ((0, 2), (1, 2), (2, 2), (3, 1)):
        jobs = [say.running(str(number), f"h0:{number}", queue="a") for number in range(held)]
        jobs += [say.waiting(str(number), say.gpus(), queue="b") for number in range(10, 14)]
        made = say.plan(policy=FAIR, hosts=[say.host("h0", 4)], jobs=jobs, queues=queues)
        assert len(started(say, made)) == left
