"""Two real control planes on one PostgreSQL take turns in every way there is: each accepted job runs exactly once."""

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli import standby
from scheduler.client import Client
from scheduler.model.errors import HeadroomError
from scheduler.store import leases

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WHOLE_S = 10.0
PROGRAM = Path(__file__).parent / "plane_on_file.py"
TURNS = 20
CLUSTER = """
cluster: turns
backend: {{kind: ray, address: "127.0.0.1:1", dashboard: "http://127.0.0.1:1"}}
store: {url}
control: {{period: 12s}}
replay: {{start: "2026-01-01T00:00:00Z", speed: 60}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Pair:
    """Two control planes, A and B, and what their cluster saw."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.world = folder, folder / "world.db"
        self.config = folder / "cluster.yaml"
        self.config.write_text(CLUSTER.format(url=url))
        self.ports = {"A": free_port(), "B": free_port()}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ended = threading.Event()

    def start(self, name: str, *flags: str) -> None:
        command = [sys.executable, str(PROGRAM), str(self.world), "run", "-c", str(self.config), *flags]
        command += ["--state-dir", str(self.folder / "state"), "--port", str(self.ports[name])]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def client(self, name: str) -> Client:
        return Client(f"http://127.0.0.1:{self.ports[name]}", timeout_s=1.0)

    def state(self, name: str) -> str:
        address = f"http://127.0.0.1:{self.ports[name]}/api/v1/status"
        try:
            with urllib.request.urlopen(address, timeout=2.0) as answer:  # our own process
                return str(json.load(answer)["item"]["state"])
        except (OSError, ValueError):
            return ""

    def until(self, done: Callable[[], object], wall_s: float = 60.0) -> None:
        deadline = time.monotonic() + wall_s
        while not done():
            said = "\n".join(f"{name}:\n{self.log(name)[-2000:]}" for name in self.processes)
            assert time.monotonic() < deadline, f"waited in vain\n{said}"
            time.sleep(0.1)

    def signal(self, name: str, number: int) -> None:
        self.processes[name].send_signal(number)

    def freeze(self, name: str) -> None:
        """Stop a process anywhere but in the middle of an order: its lock on the cluster would stay with it."""
        world = sqlite3.connect(self.world, timeout=30.0, isolation_level=None)
        world.execute("BEGIN IMMEDIATE")
        self.signal(name, signal.SIGSTOP)
        while Path(f"/proc/{self.processes[name].pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
        world.execute("ROLLBACK")
        world.close()

    def submit(self) -> None:
        """Submit to one and the other, whoever leads."""
        with self.client("A") as a, self.client("B") as b:
            while not self.ended.is_set():
                for client in (a, b):
                    with contextlib.suppress(HeadroomError):
                        client.submit(entrypoint="true", gpus=1)
                time.sleep(0.2)

    def newest_order(self) -> int:
        """Return the number of the leader that gave the last order."""
        return int(self.rows("SELECT coalesce(max(number), 0) FROM orders")[0][0])

    def rows(self, query: str) -> list[Any]:
        world = sqlite3.connect(self.world, timeout=30.0)
        try:
            return world.execute(query).fetchall()
        finally:
            world.close()

    def end(self) -> None:
        self.ended.set()
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def pair(tmp_path: Path, postgresql_url: str) -> Iterator[Pair]:
    """Both are up, and A leads."""
    made = Pair(tmp_path, postgresql_url)
    try:
        made.start("A", "--standby")
        made.until(lambda: made.state("A") == "live", 90.0)
        made.start("B", "--standby")
        made.until(lambda: made.state("B") == "standby", 90.0)
        yield made
    finally:
        made.end()


def cut_connections(url: str) -> None:
    import psycopg  # noqa: PLC0415  # an optional driver

    with psycopg.connect(url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def assert_each_ran_once(pair: Pair) -> None:
    def jobs() -> list[Any]:
        for name in ("A", "B"):
            try:
                with pair.client(name) as client:
                    return list(client.jobs(all=True).items)
            except HeadroomError:
                continue
        return []

    pair.until(lambda: (found := jobs()) and all(job.state == "Succeeded" for job in found), 90.0)
    ran = dict(pair.rows("SELECT job, count(*) FROM runs GROUP BY job"))
    assert ran == {job.id: 1 for job in jobs()}
    assert pair.rows("SELECT count(*) FROM runs WHERE stopped") == [(0,)], "somebody's job was killed"
    numbers = [number for (number,) in pair.rows("SELECT number FROM orders ORDER BY id")]
    assert numbers == sorted(numbers), "a former leader gave an order"


def test_twenty_turns_under_submissions(pair: Pair, postgresql_url: str) -> None:
    for _ in range(3):
        threading.Thread(target=pair.submit, daemon=True).start()
    leader, other = "A", "B"
    for turn in range(TURNS):
        if turn % 5 == 4:
            cut_connections(postgresql_url)
        newest = pair.newest_order()
        pair.freeze(leader)
        pair.until(lambda: pair.newest_order() > newest, 90.0)  # noqa: B023  # called at once
        pair.signal(leader, signal.SIGCONT)
        pair.until(lambda: pair.state(leader) == "standby", 90.0)  # noqa: B023  # likewise
        leader, other = other, leader
    pair.ended.set()
    assert_each_ran_once(pair)
    assert len(pair.rows("SELECT 1 FROM runs")) > TURNS // 2
    assert len({number for (number,) in pair.rows("SELECT number FROM orders")}) >= TURNS


def test_a_killed_leader_is_followed_and_may_wait_when_it_is_back(pair: Pair) -> None:
    with pair.client("A") as client:
        job = client.submit(entrypoint="true", gpus=1).id
    pair.signal("A", signal.SIGKILL)
    pair.until(lambda: pair.state("B") == "live", 90.0)
    pair.processes["A"].wait()
    pair.start("A", "--standby")
    pair.until(lambda: pair.state("A") == "standby", 90.0)
    with pair.client("A") as client:
        assert client.job(job).id == job
        assert client.submit(entrypoint="true", gpus=1).id != job, "the one that waits was followed to the leader"
        assert client.url.endswith(str(pair.ports["B"]))
    assert_each_ran_once(pair)


def test_one_that_waits_and_is_stopped_meanwhile_does_no_harm(pair: Pair) -> None:
    pair.freeze("B")
    with pair.client("A") as client:
        client.submit(entrypoint="true", gpus=1)
    time.sleep(4.0)
    pair.signal("B", signal.SIGCONT)
    pair.until(lambda: pair.state("B") == "standby")
    assert pair.state("A") == "live"
    assert_each_ran_once(pair)


def test_a_restart_of_postgresql_leaves_one_leader_and_every_job(
    tmp_path: Path, own_postgresql: tuple[str, Callable[[], None]]
) -> None:
    url, restart = own_postgresql
    pair = Pair(tmp_path, url)
    try:
        pair.start("A", "--standby")
        pair.until(lambda: pair.state("A") == "live", 90.0)
        pair.start("B", "--standby")
        pair.until(lambda: pair.state("B") == "standby", 90.0)
        threading.Thread(target=pair.submit, daemon=True).start()
        for _ in range(3):
            time.sleep(1.0)
            restart()
            pair.until(lambda: {pair.state("A"), pair.state("B")} == {"live", "standby"}, 60.0)
        pair.ended.set()
        assert_each_ran_once(pair)
    finally:
        pair.end()


def test_without_standby_a_second_one_is_refused_with_who_leads(pair: Pair) -> None:
    pair.ports["C"] = free_port()
    pair.start("C")
    assert pair.processes["C"].wait(90.0) == 6
    assert "another control plane uses the store" in pair.log("C")
    assert f"http://127.0.0.1:{pair.ports['A']}" in pair.log("C")
    assert "--standby" in pair.log("C")


def test_a_lease_and_what_follows_its_end_take_less_than_ten_seconds() -> None:
    assert leases.LEASE_S + standby.LOOK_S + standby.GRACE_S < WHOLE_S
    assert 2 * leases.RENEW_S + leases.MARGIN_S < leases.LEASE_S, "one answer may be lost"
