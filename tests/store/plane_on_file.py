"""`headroom run` on a cluster that is a file: any number of control planes share it, and it keeps what each ordered.

Started as a process by `test_taking_turns.py`: python plane_on_file.py WORLD ARGUMENTS-OF-HEADROOM...
"""

import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from typing import Any

from scheduler.cli import standby
from scheduler.cli.composition import plane as composed
from scheduler.cli.main import run
from scheduler.model.errors import Superseded
from scheduler.model.hosts import Device, Host
from scheduler.model.observation import Observation, Run, RunState
from scheduler.model.plan import PreemptJob, StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId
from scheduler.store import leases, ownership

TAKES_S = 0.5
"""Wall seconds of every job."""
SHORTER_S = {
    leases: {"LEASE_S": 2.5, "RENEW_S": 0.4, "MARGIN_S": 0.5},
    ownership: {"LEASE_S": 2.5},
    standby: {"LOOK_S": 0.1},
}
HOSTS = (Host("gpu-a", 64_000, 65_536, tuple(Device(index, 1024) for index in range(8)), "Tester"),)
SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (job TEXT, attempt INT, slots TEXT, at_s REAL, number INT, stopped INT DEFAULT 0,
    forgotten INT DEFAULT 0, PRIMARY KEY (job, attempt));
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, number INT, what TEXT);
"""


class FileCluster:
    """A cluster in an SQLite file that refuses orders of a former leader."""

    def __init__(self, path: str, seat: Any, clock: Any) -> None:
        self._world = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30.0)
        self._world.executescript(SCHEMA)
        self._lease, self._clock = seat.lease, clock

    @contextlib.contextmanager
    def _ordering(self, what: str) -> Iterator[int]:
        number = self._lease.prove().number
        self._world.execute("BEGIN IMMEDIATE")
        try:
            self._refuse_former(number)
            self._world.execute("INSERT INTO orders (number, what) VALUES (?, ?)", (number, what))
            yield number
        except BaseException:
            self._world.execute("ROLLBACK")
            raise
        self._world.execute("COMMIT")

    def _refuse_former(self, number: int) -> None:
        newest = self._world.execute("SELECT max(number) FROM orders").fetchone()[0] or 0
        if number < newest:
            raise Superseded(f"number {newest} gives orders here")

    def claim(self) -> None:
        """Prove that this one leads."""
        self._lease.prove()

    def observe(self) -> Observation:
        """Return the hosts and the runs."""
        self._lease.prove()
        rows = self._world.execute("SELECT job, attempt, slots, at_s, stopped FROM runs WHERE NOT forgotten").fetchall()
        return Observation(self._clock.now_s(), HOSTS, tuple(self._run(*row) for row in rows))

    def _run(self, job: str, attempt: int, slots: str, at_s: float, stopped: int) -> Run:
        over = time.time() >= at_s + TAKES_S
        state = RunState.STOPPED if stopped else RunState.SUCCEEDED if over else RunState.RUNNING
        ended_s = None if state.holds_room else self._clock.to_world_s(at_s + TAKES_S)
        where = tuple(Slot(host, tuple(devices)) for host, devices in json.loads(slots))
        return Run(JobId(job), attempt, where, state, self._clock.to_world_s(at_s), ended_s)

    def apply(self, action: Any) -> None:
        """Start or stop a run."""
        with self._ordering(type(action).__name__) as number:
            if isinstance(action, StartJob):
                slots = json.dumps([[slot.host, slot.devices] for slot in action.slots])
                row = (action.job_id, action.attempt, slots, time.time(), number)
                self._world.execute(
                    "INSERT OR IGNORE INTO runs (job, attempt, slots, at_s, number) VALUES (?,?,?,?,?)", row
                )
            elif isinstance(action, PreemptJob):
                key = (action.job_id, action.attempt)
                self._world.execute("UPDATE runs SET stopped = 1 WHERE job = ? AND attempt = ?", key)

    def forget(self, job_id: str, attempt: int) -> None:
        """Hide a run."""
        with self._ordering("forget"):
            self._world.execute("UPDATE runs SET forgotten = 1 WHERE job = ? AND attempt = ?", (job_id, attempt))

    def declare(self, declared: Any) -> None:
        """Serve nothing, whatever is declared."""

    def request_counts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def close(self) -> None:
        """Let go of the file."""
        self._world.close()


def main(world: str, arguments: list[str]) -> int:
    """Run the command with leases and pauses that are short enough for a test."""
    for module, times_s in SHORTER_S.items():
        for name, time_s in times_s.items():
            setattr(module, name, time_s)
    composed.cluster_of = lambda _config, _where, *, seat, clock, **_: FileCluster(world, seat, clock)  # type: ignore[assignment]
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
