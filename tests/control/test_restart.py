"""A new process on the same store plans as the old one would have: nothing that was learned is lost."""

from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand
from scheduler.model.plan import Cause, Plan, PreemptJob
from scheduler.model.policy import Consolidation
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import JobId, JobState, Moved


def used(snapshot: Snapshot) -> dict[str, float]:
    return {use.owner: use.gpu_milli for use in snapshot.usage}


def test_run_times_use_and_the_mix_of_work_are_known_again(lab: Any) -> None:
    lab.settings = replace(lab.settings, usage_half_life_s=600.0)
    lab.cluster.steps = {"4": 1000}
    lab.restart()
    for number in range(3):
        lab.submit(f"train-{number}", owner="ada")
    lab.turns(12)
    assert {job.state for job in lab.store.jobs(open_only=False)} == {JobState.SUCCEEDED}
    lab.submit("evaluate", owner="bob", workers=2)
    waiting = lab.submit("train-9", owner="ada", workers=4)
    lab.turns(20)
    before = lab.board.report.cycle.snapshot
    lab.restart()
    lab.clock.at_s = before.taken_at_s
    lab.cycle.turn()
    after = lab.board.report.cycle.snapshot
    assert before.by_id[waiting].expected_runtime_s is not None
    assert after.by_id == before.by_id
    assert sorted(used(before)) == ["ada", "bob"]
    assert used(after) == pytest.approx(used(before), abs=20.0), "a turn more or less of a few devices"
    assert dict(zip(after.work.shapes, after.work.seen, strict=True)) == dict(
        zip(before.work.shapes, before.work.seen, strict=True)
    )


def test_moves_are_remembered_for_as_long_as_they_matter_and_only_where_jobs_are_moved(lab: Any) -> None:
    moved_at_s = lab.clock.at_s
    stop = PreemptJob(JobId("7"), 1, 30.0, Cause.CONSOLIDATION, "9")
    lab.store.journal(CycleRecord(1, moved_at_s, Snapshot.of(), Demand(), Plan(0, (stop,)), 0.0))
    moves = []
    for consolidation, after_s in (("off", 60), ("do", 60), ("do", 7200), ("do", 7201)):
        lab.restart()
        lab.cycle.policy = policy_from_names(consolidation=Consolidation(consolidation), move_again_after_s=7200.0)
        lab.clock.at_s = moved_at_s + after_s
        lab.cycle.turn()
        moves.append(lab.board.report.cycle.snapshot.moves)
    assert moves == [(), (Moved(JobId("7"), moved_at_s),), (Moved(JobId("7"), moved_at_s),), ()]
