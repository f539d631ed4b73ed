"""What is kept is for its owner's eyes only, whatever the umask, and what was left open is closed."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scheduler.control.private_files import close, close_state, private_file, private_folder, write_private
from scheduler.control.service.packages import PackageShelf
from scheduler.store.ownership import Candidacy
from scheduler.store.sql import SqlStore


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct, autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run under each umask."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def save_package(folder: Path) -> None:
    import hashlib  # noqa: PLC0415  # beside its one use
    import io  # noqa: PLC0415  # likewise
    import zipfile  # noqa: PLC0415  # likewise

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("train.py", "print(1)")
        archive.writestr("conf/a.yaml", "a: 1")
    digest = f"sha256:{hashlib.sha256(data.getvalue()).hexdigest()}"
    PackageShelf(folder / "packages").save(digest, [data.getvalue()])


MADE: dict[str, Callable[[Path], object]] = {
    "folder": lambda folder: private_folder(folder / "a" / "b" / "c"),
    "file": lambda folder: private_file(folder / "new"),
    "content": lambda folder: write_private(folder / "written", b"secret"),
    "store": lambda folder: SqlStore(f"sqlite:///{folder}/deep/er/state.db").close(),
    "package": save_package,
}


@pytest.mark.parametrize("kind", MADE)
def test_whatever_is_made_is_private(tmp_path: Path, kind: str) -> None:
    MADE[kind](tmp_path)
    made = list(tmp_path.rglob("*"))
    assert made
    assert {path.name: oct(mode(path) & 0o077) for path in made if mode(path) & 0o077} == {}


def test_a_store_in_use_is_private_with_its_wal_and_its_lock(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    with Candidacy(url, holder="me", address="") as candidacy:
        candidacy.insist()
        names = {path.name: oct(mode(path)) for path in tmp_path.iterdir()}
    assert set(names) >= {"state.db", "state.db-wal", "state.db-shm", "state.db.lock"}
    assert set(names.values()) == {"0o600"}


def test_a_store_that_was_left_open_is_closed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state.db"
    SqlStore(url).close()
    (tmp_path / "state.db").chmod(0o644)
    store = SqlStore(url)
    assert {path.name: oct(mode(path)) for path in tmp_path.iterdir() if mode(path) != 0o600} == {}
    store.close()


def test_what_earlier_versions_left_open_is_closed_and_what_jobs_made_is_left(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for name in (
        "packages/a.zip",
        "logs/1-1.log",
        "stops/2-1.json",
        "work/abc/run.sh",
        "checkpoints/1/step",
        "artifacts/0/w",
        "db",
    ):
        path = state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="ascii")
        path.chmod(0o666)
    (state / "work/abc/run.sh").chmod(0o755)
    for folder in (state, *(path for path in state.rglob("*") if path.is_dir())):
        folder.chmod(0o755)
    close_state(state)
    for name in ("", "packages", "logs", "stops", "work", "checkpoints", "artifacts"):
        assert oct(mode(state / name)) == "0o700", name
    for name in ("packages/a.zip", "logs/1-1.log", "stops/2-1.json", "db"):
        assert oct(mode(state / name)) == "0o600", name
    assert oct(mode(state / "work/abc/run.sh")) == "0o755", "behind a closed door"
    close_state(state)


def test_what_is_shared_by_intent_or_points_elsewhere_is_left_alone(tmp_path: Path) -> None:
    shared, target = tmp_path / "shared", tmp_path / "target"
    shared.mkdir()
    shared.chmod(0o1777)
    target.touch()
    target.chmod(0o644)
    (tmp_path / "link").symlink_to(target)
    close(shared)
    close(tmp_path / "link")
    assert (oct(mode(shared)), oct(mode(target))) == ("0o1777", "0o644")


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    file.chmod(0o666)
    write_private(file, b"new")
    assert (file.read_bytes(), oct(mode(file))) == (b"new", "0o600")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
