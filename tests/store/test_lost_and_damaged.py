"""A database that has lost something, or is damaged, says so and how to go on; it never starts with nothing."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from scheduler.control.records import CycleRecord
from scheduler.model.demand import Demand
from scheduler.model.errors import ConfigError
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import Plan
from scheduler.model.resources import Shape
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang
from scheduler.store.marker import Held, Marker
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore

SPEC = JobSpec("lm", "true", Gang(1, Shape(1000)))
KILLED = """
import os, signal, sys
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.store.sql import SqlStore
store = SqlStore(sys.argv[1])
for at in range(int(sys.argv[2])):
    store.accept(JobSpec("job", "true", Gang(1, Shape(1000))), at)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_after(file: Path, jobs: int) -> str:
    """Leave a database as a process does that is killed: with its WAL; return its URL."""
    url = f"sqlite:///{file}"
    subprocess.run([sys.executable, "-c", KILLED, url, str(jobs)], check=False)
    assert Path(f"{file}-wal").stat().st_size
    return url


def filled(file: Path, jobs: int = 200) -> str:
    """Leave a database that was closed in order."""
    url = f"sqlite:///{file}"
    store = SqlStore(url)
    for at in range(jobs):
        store.accept(SPEC, float(at))
    store.close()
    return url


def remove(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def halve(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2 // 4096 * 4096)


def cut_within_a_page(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size - 1000)


def scribble(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(3 * 4096)
        opened.write(b"\xff" * 8192)


def text_instead(file: Path) -> None:
    file.write_text("this is not a database, but long enough to look like one\n" * 200, encoding="ascii")


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def another(file: Path) -> None:
    file.unlink()
    other = filled(file.with_name("other.db"), 300)
    assert other
    shutil.move(file.with_name("other.db"), file)


def another_without_name(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY)")


def yesterday(file: Path) -> None:
    shutil.copy(file.with_name("yesterday.db"), file)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (remove, "is gone or empty; it held jobs up to 200"),
        (empty, "is gone or empty; it held jobs up to 200"),
        (halve, "is damaged"),
        (cut_within_a_page, "is damaged"),
        (scribble, "is damaged"),
        (text_instead, "is damaged"),
        (zeros, "is damaged|is gone or empty"),
        (another, "was replaced by another one: it holds jobs up to 300"),
        (another_without_name, "was replaced by another one"),
        (yesterday, "has lost what was written last: it holds jobs up to 150 .*and held jobs up to 200"),
    ],
)
def test_what_befell_a_file_is_said_as_what_it_is(tmp_path: Path, harm: Callable[[Path], None], said: str) -> None:
    file = tmp_path / "headroom.db"
    url = filled(file, 150)
    shutil.copy(file, tmp_path / "yesterday.db")
    store = SqlStore(url)
    for at in range(50):
        store.accept(SPEC, float(at))
    store.close()
    harm(file)
    before = file.read_bytes() if file.exists() else None
    for opened in (SqlStore, lambda url: Candidacy(url, holder="me", address="")):
        with pytest.raises(ConfigError, match=said) as caught:
            opened(url)
        assert "headroom restore FILE -c CONFIG" in caught.value.faults[0].help
    assert (file.read_bytes() if file.exists() else None) == before, "what is left is left alone"


@pytest.mark.parametrize("jobs", [1, 40])
def test_a_lost_wal_is_noticed(tmp_path: Path, jobs: int) -> None:
    url = killed_after(tmp_path / "headroom.db", jobs)
    Path(f"{tmp_path}/headroom.db-wal").unlink()
    with pytest.raises(ConfigError, match=f"held jobs up to {jobs} "):
        SqlStore(url)


def test_a_lost_wal_is_noticed_by_the_cycles_too(tmp_path: Path) -> None:
    file = tmp_path / "headroom.db"
    url = filled(file, 3)
    store = SqlStore(url)
    for number in range(1, 4):
        cycle = CycleRecord(number, 1.0, Snapshot.of(version=number), Demand(), Plan(number), 0.0)
        store.journal(cycle)
    copy = tmp_path / "copy.db"
    shutil.copy(file, copy)
    shutil.copy(f"{file}.held", f"{copy}.held")
    store.close()
    with pytest.raises(ConfigError, match=r"it holds jobs up to 3 and cycles up to 0, and held .* cycles up to 3"):
        SqlStore(f"sqlite:///{copy}")


def test_after_a_crash_nothing_is_missed(tmp_path: Path, open_store: Callable[[str], SqlStore]) -> None:
    url = killed_after(tmp_path / "headroom.db", 40)
    assert len(open_store(url).jobs()) == 40


def test_who_knows_what_is_lost_goes_on_without_the_marker(
    tmp_path: Path, open_store: Callable[[str], SqlStore]
) -> None:
    file = tmp_path / "headroom.db"
    url = filled(file, 3)
    remove(file)
    with pytest.raises(ConfigError) as caught:
        SqlStore(url)
    assert caught.value.faults[0].help.endswith(f"rm {file}.held")
    Path(f"{file}.held").unlink()
    assert open_store(url).accept(SPEC, 0.0).job_id == "1"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"store": 1}', b"\xff\xfe"])
def test_a_marker_that_cannot_be_read_keeps_nobody_out(
    tmp_path: Path, open_store: Callable[[str], SqlStore], content: bytes
) -> None:
    url = filled(tmp_path / "headroom.db", 3)
    Path(f"{tmp_path}/headroom.db.held").write_bytes(content)
    assert len(open_store(url).jobs()) == 3
    assert Marker(tmp_path / "headroom.db.held").read().job == 3


def test_a_server_has_its_marker_where_the_site_keeps_its_state(postgresql_url: str, tmp_path: Path) -> None:
    marker = tmp_path / "store.held"
    store = SqlStore(postgresql_url, marker=marker)
    store.accept(SPEC, 0.0)
    store.close()
    held = Marker(marker).read()
    assert held.job == 1
    SqlStore(postgresql_url, marker=marker).close()
    Marker(marker).write(Held(held.store, 7, 0))
    with pytest.raises(ConfigError, match="has lost what was written last"):
        SqlStore(postgresql_url, marker=marker)
    Marker(marker).write(Held("another", 1, 0))
    with pytest.raises(ConfigError, match="was replaced by another one"):
        SqlStore(postgresql_url, marker=marker)
