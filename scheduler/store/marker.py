"""What a store held last, written beside it: a database that has lost something says so, and never starts empty."""

import json
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, func, select

from scheduler.control.private_files import write_private
from scheduler.model.errors import ConfigError
from scheduler.store.tables import cycle_changes, cycles, identity, jobs

BUSY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Held:
    """What a store held.

    Attributes:
        store: its identity, made with it.
        job: the highest number a job had; 0 before the first.
        cycle: number of the last cycle that was written down.
    """

    store: str
    job: int
    cycle: int

    def covers(self, before: "Held") -> bool:
        """Whether nothing is missing of what was held before."""
        return self.store == before.store and self.job >= before.job and self.cycle >= before.cycle

    def __str__(self) -> str:
        """Return it in words."""
        return f"jobs up to {self.job} and cycles up to {self.cycle}" if self.job or self.cycle else "no job"


class Marker:
    """The file beside a store; None of what it does fails when it cannot be written, for an older one is true too."""

    def __init__(self, path: Path) -> None:
        """Use a file that may not be there yet."""
        self.path = path
        self._held: Held | None = None

    def read(self) -> Held | None:
        """Return what was written; None where there is nothing that can be read."""
        try:
            known = json.loads(self.path.read_bytes())
            return Held(known["store"], known["job"], known["cycle"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def write(self, held: Held) -> None:
        """Write down what is held now."""
        if held != self._held:
            self._held = held
            with suppress(OSError):
                write_private(self.path, json.dumps(asdict(held)).encode())

    def grow(self, *, job: int = 0, cycle: int = 0) -> None:
        """Write down that a job or a cycle was added."""
        if self._held is not None:
            self.write(replace(self._held, job=max(self._held.job, job), cycle=max(self._held.cycle, cycle)))

    def compare(self, held: Held | None, shown: str) -> None:
        """Let a store be used that has all it had.

        Args:
            held: what it has; None when that is nothing at all.
            shown: its name, for people.

        Raises:
            ConfigError: it is another one, or has lost something.
        """
        before = self.read()
        if before is None or (held is not None and held.covers(before)):
            return
        if held is None:
            raise self._lost(f"store {shown} is gone or empty; it held {before}")
        if held.store != before.store:
            raise self._lost(
                f"store {shown} was replaced by another one: it holds {held}, the one before held {before}"
            )
        raise self._lost(f"store {shown} has lost what was written last: it holds {held}, and held {before}")

    def _lost(self, said: str) -> ConfigError:
        help_ = (
            "put the files back that were there (a database and its -wal belong together), or take a backup: headroom "
            f"restore FILE -c CONFIG; to go on with what is there, knowing what is lost: rm {self.path}"
        )
        return ConfigError(said, help=help_)


def marker_beside(url: URL) -> Marker:
    """Return the marker of a SQLite file."""
    return Marker(Path(f"{url.database}.held"))


def held_in(connection: Connection) -> Held:
    """Return what a store that was opened holds."""
    last = [connection.scalar(select(func.max(table.c.number))) or 0 for table in (cycles, cycle_changes)]
    return Held(
        str(connection.scalar(select(identity.c.owner))),
        int(connection.scalar(select(func.max(jobs.c.id))) or 0),
        int(max(last)),
    )


def check_file(url: URL, marker: Marker) -> None:
    """Let a SQLite file be opened that is whole and has all it had, or that never was.

    Raises:
        ConfigError: it is none, is damaged, or has lost something; says how to go on.
    """
    path, shown = Path(str(url.database)), str(url.database)
    if not path.exists() or not path.stat().st_size:
        marker.compare(None, shown)
        return
    try:
        held = _looked_at(path)
    except sqlite3.OperationalError as error:
        if "malformed" not in str(error):
            return  # locked, or the disk fails: whoever opens it says so
        raise damaged(shown, str(error)) from error
    except sqlite3.DatabaseError as error:
        raise damaged(shown, str(error)) from error
    marker.compare(held, shown)


def damaged(shown: str, why: str) -> ConfigError:
    """Return the error of a file with damaged pages."""
    help_ = (
        "keep it, and take a backup: headroom restore FILE -c CONFIG --force; or save what can be read: "
        f'sqlite3 "{shown}" .recover | sqlite3 NEW'
    )
    return ConfigError(f"store {shown} is damaged: {why}", help=help_)


def _looked_at(path: Path) -> Held | None:
    """Return what a file holds, after a look at all its pages; None when it has no tables."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        if found != ["ok"]:
            raise sqlite3.DatabaseError("; ".join(found))
        tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "jobs" not in tables:
            return None
        return Held(
            str(_one(connection, "SELECT owner FROM identity")) if "identity" in tables else "",
            int(_one(connection, "SELECT max(id) FROM jobs") or 0),
            max((_last(connection, name) for name in _JOURNALS if name in tables), default=0),
        )


_JOURNALS: Final = ("cycles", "cycle_changes")


def _last(connection: sqlite3.Connection, table: str) -> int:
    return int(_one(connection, f"SELECT max(number) FROM {table}") or 0)  # noqa: S608  # our own names


def _one(connection: sqlite3.Connection, query: str) -> str | int | None:
    row = connection.execute(query).fetchone()
    return row[0] if row else None
