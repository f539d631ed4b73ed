"""Starts of replicas are kept for the next process, the newest of each model on each kind of host."""

from collections.abc import Callable

from scheduler.control.records import STARTS_KEPT, StartRecord
from scheduler.store.sql import SqlStore
from simulations.memory_store import MemoryStore


def start(number: int, model: str = "m", kind: str = "A") -> StartRecord:
    return StartRecord(model, kind, float(number), 10.5)


def test_the_newest_of_each_kind_are_kept_and_outlive_the_process(
    url: str, open_store: Callable[[str], SqlStore]
) -> None:
    memory, disk = MemoryStore(), open_store(url)
    for store in (memory, disk):
        store.record_starts([])
        assert store.starts() == ()
        store.record_starts([start(1, "other"), start(2, kind="")])
        for number in range(STARTS_KEPT + 5):
            store.record_starts([start(10 + number)])
        store.record_starts([start(900 + number, kind="B") for number in range(STARTS_KEPT + 1)])
    kept = open_store(url).starts()
    assert kept == memory.starts()
    assert kept[:3] == (start(1, "other"), start(2, kind=""), start(15))
    assert len(kept) == 2 + 2 * STARTS_KEPT
