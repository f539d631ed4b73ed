"""What the planner failed on can be planned again from a file, and there are never many files."""

from pathlib import Path

from scheduler.control.records import CycleRecord
from scheduler.control.whatif.replay import replayed
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host
from scheduler.model.plan import Plan, StartReplica
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import ServingModel
from scheduler.store.codec import read_journal
from scheduler.store.replays import MOST_KEPT, Replays


def asked(number: int) -> CycleRecord:
    host = Host("a", 16000, 65536, (Device(0, 1024),), "MI210")
    model = ServingModel("tone", Shape(1000, 1024, 1), 1, 2)
    world = Snapshot.of(version=number, taken_at_s=1000.0, hosts=[host], models=[model])
    return CycleRecord(number, 1000.0, world, Demand((ModelDemand("tone", 1, 1, 1),)), Plan(number), 0.0)


def test_what_was_kept_is_planned_again(tmp_path: Path) -> None:
    kept = Path(Replays(tmp_path / "replays").keep(asked(7), ZeroDivisionError("division by zero")))
    assert kept == tmp_path / "replays" / "7.jsonl.gz"
    (again,) = replayed(read_journal(kept), "1.0")
    assert again.plan is not None
    (start,) = again.plan.actions
    assert isinstance(start, StartReplica)
    assert "ZeroDivisionError: division by zero" in kept.with_name("7.txt").read_text(encoding="utf-8")


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    replays = Replays(tmp_path)
    for number in range(1, MOST_KEPT + 6):
        replays.keep(asked(number), ValueError("\ud800"))
    names = {path.name for path in tmp_path.iterdir()}
    assert len(names) == 2 * MOST_KEPT
    assert f"{MOST_KEPT + 5}.jsonl.gz" in names
