"""One leader to a store at a time, each with a higher number; what a former one writes fails."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scheduler.model.errors import ConfigError, Conflict, Superseded, Unreachable
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.store import leases
from scheduler.store.leases import HeldLease
from scheduler.store.opening import PREPARING
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore

SPEC = JobSpec("job", "python train.py", Gang(1, Shape(cpu_milli=1000)))
HOLD = """
import sys, time
from scheduler.store.ownership import Candidacy
with Candidacy(sys.argv[1], holder="process in the way", address="http://10.0.0.6:8321") as candidacy:
    lease = candidacy.take()
    print(lease.fence.number, flush=True)
    time.sleep(600)
"""
PROVE = """input()
    try:
        lease.prove()
    except Exception as error:
        print(type(error).__name__)
"""


@pytest.fixture
def candidate(url: str) -> Iterator[Callable[..., Candidacy]]:
    """Make candidates for one store."""
    made: list[Candidacy] = []

    def make(name: str = "first") -> Candidacy:
        made.append(Candidacy(url, holder=name, address=f"http://{name}:8321"))
        return made[-1]

    yield make
    for one in made:
        one.__exit__()


def taken(candidacy: Candidacy) -> HeldLease:
    """Lead, as soon as a predecessor's lease is over."""
    for _ in range(400):
        if (lease := candidacy.take()) is not None:
            return lease
        time.sleep(0.05)
    pytest.fail("nobody can lead")


def test_a_second_one_is_refused_and_told_who_leads_until_the_first_gives_back(candidate: Any) -> None:
    first, second = candidate("first"), candidate("second")
    lease = first.insist()
    assert second.take() is None
    with pytest.raises(Conflict, match=r"another control plane uses the store .*: first, at http://first:8321"):
        second.insist()
    lease.release()
    assert second.insist().fence.number == lease.fence.number + 1
    with pytest.raises(Superseded):
        lease.prove()


def test_all_leaders_of_a_store_have_its_identity_and_growing_numbers(candidate: Any) -> None:
    seen = []
    for name in ("a", "b", "c"):
        lease = candidate(name).insist()
        seen.append(lease.prove())
        lease.release()
    assert [fence.number for fence in seen] == [1, 2, 3]
    assert len({fence.owner for fence in seen}) == 1
    assert len(seen[0].owner) == 36


def test_other_stores_have_other_identities_and_do_not_exclude_each_other(tmp_path: Path) -> None:
    with (
        Candidacy(f"sqlite:///{tmp_path}/one.db", holder="one", address="") as one,
        Candidacy(f"sqlite:///{tmp_path}/two.db", holder="two", address="") as two,
    ):
        assert one.insist().fence.owner != two.insist().fence.owner


def test_a_killed_process_is_followed_by_the_next(url: str, candidate: Any) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        with pytest.raises(Conflict, match=r"process in the way, at http://10\.0\.0\.6:8321"):
            candidate().insist()
        holder.kill()
    assert candidate("next").insist().fence.number == 2


def test_nothing_is_written_with_an_old_number_and_the_error_names_the_leader(url: str, candidate: Any) -> None:
    first = candidate("first").insist()
    store = SqlStore(url, fence=first.fence.number)
    assert store.accept(SPEC, 1.0).job_id == "1"
    first.release()
    candidate("second").insist()
    for write in (
        lambda: store.accept(SPEC, 2.0),
        lambda: store.save(store.job("1")),
        store.record,
        lambda: store.unmark_host("a"),
    ):
        with pytest.raises(Superseded, match="another control plane leads: second") as refused:
            write()
        assert refused.value.leader == "http://second:8321"
    assert len(store.jobs()) == 1
    store.close()


def test_one_that_waits_reads_what_the_leader_writes_and_writes_nothing(url: str, candidate: Any) -> None:
    number = candidate("first").insist().fence.number
    leading, waiting = SqlStore(url, fence=number), SqlStore(url, fence=0)
    assert waiting.jobs() == ()
    job = leading.accept(SPEC, 1.0)
    assert waiting.jobs() == (job,)
    assert waiting.job(job.job_id) == job
    with pytest.raises(Superseded):
        waiting.accept(SPEC, 2.0)
    for store in (leading, waiting):
        store.close()


def test_a_paused_leader_cannot_prove_its_lease_when_it_wakes(postgresql_url: str) -> None:
    program = HOLD.replace("time.sleep(600)", PROVE)
    with (
        subprocess.Popen(
            [sys.executable, "-c", program, postgresql_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder,
        Candidacy(postgresql_url, holder="second", address="") as second,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "1\n"
        holder.send_signal(signal.SIGSTOP)
        began_s = leases.boot_s()
        assert taken(second).fence.number == 2
        assert leases.boot_s() - began_s >= leases.MARGIN_S, "the first had time to notice"
        holder.send_signal(signal.SIGCONT)
        said, _ = holder.communicate("go on\n")
        assert said.strip() in {"Superseded", "Unreachable"}


def test_a_lease_is_proved_only_as_long_as_nobody_else_can_have_it(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Candidacy(postgresql_url, holder="first", address="") as first:
        lease = first.insist()
        monkeypatch.setattr(leases, "boot_s", lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + leases.LEASE_S)
        with pytest.raises(Unreachable, match="nobody can tell who leads"):
            lease.prove()
        monkeypatch.undo()
        assert lease.prove().number == 1
        lease.release()


def test_the_leader_is_told_that_another_one_leads(postgresql_url: str) -> None:
    import psycopg  # noqa: PLC0415  # an optional driver

    told = threading.Event()
    with Candidacy(postgresql_url, holder="first", address="") as first:
        lease = first.insist()
        lease.when_lost(told.set)
        with psycopg.connect(postgresql_url, autocommit=True) as other:
            other.execute("UPDATE identity SET fence = 9")
            other.execute("UPDATE leadership SET fence = 9, holder = 'usurper'")
        assert told.wait(10.0)
        with pytest.raises(Superseded, match="usurper"):
            lease.prove()


def test_connections_that_are_cut_do_not_cost_the_lead(postgresql_url: str) -> None:
    import psycopg  # noqa: PLC0415  # an optional driver

    with (
        Candidacy(postgresql_url, holder="first", address="") as first,
        Candidacy(postgresql_url, holder="second", address="") as second,
    ):
        lease = first.insist()
        store = SqlStore(postgresql_url, fence=lease.fence.number)
        for _ in range(3):
            with psycopg.connect(postgresql_url, autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            with pytest.raises(Conflict):
                second.insist()
        assert lease.prove().number == 1
        assert store.accept(SPEC, 1.0).job_id == "1"
        store.close()
        lease.release()


def test_a_leader_stopped_in_the_middle_of_a_write_keeps_nobody_out(postgresql_url: str) -> None:
    program = """
import os, signal, sys
from scheduler.store.engine import writing
from scheduler.store.opening import open_engine
from scheduler.store.fencing import fenced
from scheduler.store.ownership import Candidacy
candidacy = Candidacy(sys.argv[1], holder="first", address="")
number = candidacy.take().fence.number
with writing(fenced(open_engine(sys.argv[1]), number)):
    print("writing", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
"""
    with (
        subprocess.Popen([sys.executable, "-c", program, postgresql_url], stdout=subprocess.PIPE, text=True) as holder,
        Candidacy(postgresql_url, holder="second", address="") as second,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "writing\n"
        try:
            assert second_lead(second) == 2
        finally:
            holder.kill()


def test_a_leader_stopped_in_the_middle_of_renewing_its_lease_keeps_nobody_out(postgresql_url: str) -> None:
    program = """
import os, signal, sys
from sqlalchemy import event
from scheduler.store import leases
from scheduler.store.ownership import Candidacy
leases.RENEW_S = 3600.0
candidacy = Candidacy(sys.argv[1], holder="first", address="")
lease = candidacy.take()
def stop(*_):
    print("renewing", flush=True)
    os.kill(os.getpid(), signal.SIGSTOP)
event.listen(lease._engine, "commit", stop)
lease._renew()
"""
    with (
        subprocess.Popen([sys.executable, "-c", program, postgresql_url], stdout=subprocess.PIPE, text=True) as holder,
        Candidacy(postgresql_url, holder="second", address="") as second,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "renewing\n"
        try:
            assert second_lead(second) == 2
        finally:
            holder.kill()


def test_one_that_is_stopped_while_it_opens_the_store_keeps_nobody_out(postgresql_url: str) -> None:
    import psycopg  # noqa: PLC0415  # an optional driver

    SqlStore(postgresql_url).close()
    with psycopg.connect(postgresql_url) as stopped:
        stopped.execute("SELECT pg_advisory_xact_lock(%s)", (PREPARING,))
        with Candidacy(postgresql_url, holder="second", address="") as second:
            SqlStore(postgresql_url, fence=second.insist().fence.number).close()


def second_lead(candidacy: Candidacy) -> int:
    """Lead after a leader that is stopped; the database may refuse a few times."""
    for _ in range(20):
        try:
            return taken(candidacy).fence.number
        except Unreachable:
            continue
    pytest.fail("nobody can lead")


def test_a_lock_file_that_was_taken_away_proves_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with Candidacy(url, holder="first", address="") as first, Candidacy(url, holder="second", address="") as second:
        lease = first.insist()
        (tmp_path / "state.db.lock").unlink()
        assert second.insist().prove().number == 2
        with pytest.raises(Superseded, match=r"state\.db\.lock"):
            lease.prove()


def test_what_is_no_store_cannot_be_led() -> None:
    with pytest.raises(ConfigError, match="is not a URL"):
        Candidacy("nonsense", holder="", address="")
