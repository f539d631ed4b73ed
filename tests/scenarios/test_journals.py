"""A journalled turn can be decided again: on another day, in another process, the plan is the same.

When this fails after a deliberate change of the planner, see `record.py`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from policies.registry import policy_from_names
from scheduler.config.scenario_loading import load_scenario
from scheduler.config.wiring import policy_of
from scheduler.control.records import CycleRecord
from scheduler.model.plan import PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.planning.planner import plan
from scheduler.store.codec import read_journal, write_journal

HERE = Path(__file__).parent
CONFIGS = HERE.parent.parent / "configs" / "scenarios"
NAMES = sorted(path.name.removesuffix(".jsonl.gz") for path in (HERE / "journals").glob("*.jsonl.gz"))


def journal(name: str) -> list[CycleRecord]:
    return list(read_journal(HERE / "journals" / f"{name}.jsonl.gz"))


def test_there_is_something_to_decide_again() -> None:
    assert NAMES
    actions = [action for name in NAMES for cycle in journal(name) for action in cycle.plan.actions]
    assert {type(action) for action in actions} == {StopReplica, PreemptJob, StartReplica, StartJob}


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_turn_is_decided_as_it_was(name: str) -> None:
    policy = policy_of(load_scenario(CONFIGS / f"{name}.yaml").policy)
    for cycle in journal(name):
        assert plan(cycle.snapshot, cycle.demand, policy) == cycle.plan, f"{name}, cycle {cycle.number}"


@pytest.mark.parametrize("name", NAMES)
def test_recorded_snapshots_are_ones_that_a_cluster_can_be_in(name: str) -> None:
    for cycle in journal(name):
        ledger = cycle.snapshot.ledger
        assert (ledger.gpu_milli[ledger.table.device_exists] >= 0).all()
        assert (ledger.cpu_milli >= 0).all()
        assert (ledger.memory_mib >= 0).all()


AGAIN = """
import sys
from pathlib import Path
from policies.registry import policy_from_names
from scheduler.planning.planner import plan
from scheduler.store.codec import read_journal
for cycle in read_journal(Path(sys.argv[1])):
    print(plan(cycle.snapshot, cycle.demand, policy_from_names()) == cycle.plan)
"""


@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_another_process_with_other_hashes_decides_the_same(tmp_path: Path, seed: str) -> None:
    cycles = journal(NAMES[0])[::6]
    decided = [plan(cycle.snapshot, cycle.demand, policy_from_names()) for cycle in cycles]
    path = tmp_path / "journal.jsonl"
    write_journal(
        path,
        [
            CycleRecord(cycle.number, cycle.at_s, cycle.snapshot, cycle.demand, made, cycle.plan_duration_s)
            for cycle, made in zip(cycles, decided, strict=True)
        ],
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", AGAIN, str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * len(cycles)
