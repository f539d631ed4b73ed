"""What the planner is given is a value: nobody can write into its tables, however they came to be."""

from typing import Any

import pytest

from scheduler.model.workloads import JobState


def test_no_table_of_a_snapshot_can_be_written(say: Any) -> None:
    hosts, jobs = [say.host("h0"), say.host("h1")], [say.running("1", "h0:0,1"), say.waiting("2", say.gpus())]
    first = say.snapshot(hosts=hosts, jobs=jobs)
    later = first.otherwise({jobs[1].job_id: say.running("2", "h1:0", state=JobState.ADMITTED)})
    for snapshot in (first, later):
        for ledger in (snapshot.ledger, snapshot.ledger.trial().freeze()):
            for table in (ledger.cpu_milli, ledger.memory_mib, ledger.gpu_milli):
                with pytest.raises(ValueError, match="read-only"):
                    table[0] = 0
