"""Where queues stand: use, what is borrowed and lent, shares, and on the wire and in metrics the same numbers."""

from dataclasses import replace

from scheduler.api.presenting.queues import queue_view
from scheduler.api.presenting.times import moment
from scheduler.cli.queues import queue_table
from scheduler.cli.table import cell
from scheduler.control.records import CycleRecord
from scheduler.control.reports.queue_usage import QueueUsage, queue_usages
from scheduler.model.demand import Demand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Plan
from scheduler.model.queues import Amounts, MeanUse, Queue
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.store.codec import decode_cycle, encode_cycle
from scheduler.wire.base import Listing
from scheduler.wire.queues import Queue as QueueView

HOST = Host("h", 16_000, 16_384, tuple(Device(index) for index in range(8)), "MI210")
QUEUES = (
    Queue("a", Amounts(gpu_milli=4000), lend_limit=Amounts(gpu_milli=3000), weight=2.0),
    Queue("b", Amounts(gpu_milli=2000), borrow_limit=Amounts(gpu_models=(("MI210", 4000),)), submitters=("ana",)),
    Queue("c"),
)


def job(number: int, queue: str, gpus: int, first: int | None = None) -> TrainingJob:
    waiting = TrainingJob(JobId(str(number)), "j", Gang(1, Shape(2000, 1024, gpus)), queue, "ana")
    if first is None:
        return waiting
    slot = Slot("h", tuple(range(first, first + gpus)))
    return replace(waiting, state=JobState.RUNNING, slots=(slot,), attempt=1, started_at_s=0.0)


def world(*jobs: TrainingJob) -> Snapshot:
    use = MeanUse("a", "ana", gpu_milli=2000.0), MeanUse("a", "bo", gpu_milli=2000.0)
    return Snapshot.of(hosts=[HOST], jobs=jobs, queues=QUEUES, usage=use)


def by_name(*jobs: TrainingJob) -> dict[str, QueueUsage]:
    return {standing.queue.name: standing for standing in queue_usages(world(*jobs))}


def test_what_is_held_above_the_guarantee_is_borrowed_and_what_lacks_is_lent_unless_free() -> None:
    found = by_name(job(1, "a", 1, 0), job(2, "b", 6, 1), job(3, "a", 2), job(4, "c", 1))
    assert [found[name].gpu_milli for name in "abc"] == [1000, 6000, 0]
    assert [found[name].borrowed_gpu_milli for name in "abc"] == [0, 4000, 0]
    assert [found[name].lent_gpu_milli for name in "abc"] == [2000, 0, 0]  # of the three that a lacks, one is free
    assert [found[name].waiting_gpu_milli for name in "abc"] == [2000, 0, 1000]
    assert [(found[name].running, found[name].waiting) for name in "abc"] == [(1, 1), (1, 0), (0, 1)]


def test_nothing_is_lent_while_everything_is_free() -> None:
    assert [standing.lent_gpu_milli for standing in by_name().values()] == [0, 0, 0]


def test_shares_are_the_largest_of_any_resource_now_and_lately() -> None:
    found = by_name(job(1, "b", 6, 1))
    assert (found["b"].share, found["b"].mean_share) == (0.75, 0.0)
    assert (found["a"].share, found["a"].mean_share) == (0.0, 0.5)


def test_on_the_wire_amounts_are_in_whole_units_and_what_is_not_named_is_none() -> None:
    first, second, _ = map(queue_view, queue_usages(world(job(1, "b", 6, 1))))
    assert (first.guarantee.gpus, first.guarantee.cpus, first.lend_limit.gpus) == (4.0, None, 3.0)
    assert (second.used.gpus, second.used.cpus, second.used.memory_bytes) == (6.0, 2.0, 2**30)
    assert (second.borrow_limit.gpu_models, second.submitters) == ({"MI210": 4.0}, ("ana",))


def test_a_journalled_cycle_has_the_terms_and_the_use_of_its_time() -> None:
    snapshot = world(job(1, "b", 6, 1))
    cycle = CycleRecord(1, 0.0, snapshot, Demand(), Plan(0), 0.0)
    again = decode_cycle(encode_cycle(cycle)).snapshot
    assert (again.queues, again.usage) == (snapshot.queues, snapshot.usage)


def test_a_queue_that_was_removed_from_the_file_says_so_wherever_it_is_shown() -> None:
    snapshot = world(job(1, "b", 6, 1))
    gone = replace(snapshot, queues=(Queue("b", removed=True), Queue("a")))
    first, second = map(queue_view, queue_usages(gone))
    assert (first.removed, second.removed, first.running) == (True, False, 1)
    table = queue_table(Listing[QueueView](kind="Queue", observed_at=moment(0.0), cycle=1, items=(first, second)))
    assert table.rows[0][0] == cell("b (removed from the file)", "bold")
    assert table.rows[1][0] == cell("a", "bold")
