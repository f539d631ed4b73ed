"""One leader to a store: two would start the same jobs twice, each rightly by what it knows.

On SQLite the leader holds a lock on a file, which ends with its process. On PostgreSQL it holds a lease, a row that it
renews: a lock would outlive a process that is stopped, and a connection that breaks would let two lead. In both cases
each leader has a higher number than the one before, which all its writes carry (`scheduler.store.fencing`).
"""

import fcntl
import time
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, Connection, delete, insert, select, update

from scheduler.control.leadership import Fence, Leader
from scheduler.control.private_files import private_file
from scheduler.model.errors import Conflict
from scheduler.store.engine import parsed, reading, writing
from scheduler.store.fencing import impatient, leader_in, now_in_database, owner_in
from scheduler.store.leases import LEASE_S, DatabaseLease, FileLease, HeldLease, boot_s
from scheduler.store.opening import open_engine
from scheduler.store.tables import identity, leadership

LOOK_S: Final = 0.25
"""How often a predecessor that may be dead is looked at."""
ANSWER_MS: Final = 2_000
"""A lease that is renewed too late is none: the database must answer within that."""


class Candidacy:
    """A process that leads a store, or may lead it next; it leads for as long as the block lasts.

    Args:
        url: a SQLAlchemy URL, as `SqlStore` takes.
        holder: this process, for people.
        address: where its API answers.

    Raises:
        ConfigError: not a URL of a store we know, or a newer schema than ours.
        Conflict: its schema is older than ours, and somebody works with it.
        Unreachable: the database does not answer.
    """

    def __init__(self, url: str, *, holder: str, address: str) -> None:
        self._url = parsed(url)
        self._holder, self._address = holder, address
        self._lease: HeldLease | None = None
        self._engine = open_engine(_impatient(self._url).render_as_string(hide_password=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lease is not None:
            self._lease.release()
        self._engine.dispose()

    def leader(self) -> Leader | None:
        """Return who leads, or led last; None when nobody ever did.

        Raises:
            Unreachable: the database does not answer.
        """
        with reading(self._engine) as connection:
            return leader_in(connection)

    def take(self) -> HeldLease | None:
        """Lead from now on; None when somebody else does.

        Raises:
            Unreachable: the database does not answer.
        """
        lease = self._lock_file() if self._is_file else self._take_row()
        self._lease = lease or self._lease
        return lease

    def insist(self) -> HeldLease:
        """Lead from now on; wait for the lease of a predecessor that died to end.

        Raises:
            Conflict: somebody leads who is alive.
            Unreachable: the database does not answer.
        """
        before = self.leader()
        deadline_s = time.monotonic() + 2 * LEASE_S
        while (lease := self.take()) is None:
            leader = self.leader()
            is_alive = self._is_file or (before and leader and leader.until_s != before.until_s)
            if is_alive or time.monotonic() > deadline_s:
                raise self._refused(leader)
            time.sleep(LOOK_S)
        return lease

    @property
    def _is_file(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def _lock_file(self) -> HeldLease | None:
        path = Path(f"{self._url.database}.lock")
        file = private_file(path).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        with writing(self._engine) as connection:
            return FileLease(self._enthroned(connection), file, str(path))

    def _take_row(self) -> HeldLease | None:
        if (leader := self.leader()) is not None and leader.is_alive:
            return None  # without a lock, which would hold up the leader's writes
        asked_s = boot_s()
        with writing(self._engine) as connection:
            connection.execute(select(impatient()))
            connection.execute(select(identity.c.fence).with_for_update())  # what others still write is waited for
            connection.execute(select(leadership.c.fence).with_for_update())
            if (leader := leader_in(connection)) is not None and leader.is_alive:
                return None
            fence = self._enthroned(connection)
        return DatabaseLease(self._engine, fence, asked_s)

    def _enthroned(self, connection: Connection) -> Fence:
        number = int(connection.scalar(select(identity.c.fence)) or 0) + 1
        connection.execute(update(identity).values(fence=number))
        connection.execute(delete(leadership))
        until = 0.0 if self._is_file else now_in_database() + LEASE_S
        row = {"fence": number, "holder": self._holder, "address": self._address, "since_s": time.time()}
        connection.execute(insert(leadership).values(**row, until_s=until))
        return Fence(owner_in(connection), number)

    def _refused(self, leader: Leader | None) -> Conflict:
        shown = self._url.render_as_string(hide_password=True)
        who = f": {leader.holder}, at {leader.address}" if leader else ""
        help_ = "stop it, wait for it with --standby, or give this one another state_dir"
        return Conflict(f"another control plane uses the store {shown}{who}", help=help_)


def _impatient(url: URL) -> URL:
    """Return the URL with deadlines, for a database that can be far away."""
    if url.get_backend_name() == "sqlite":
        return url
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else given[-1]} -c statement_timeout={ANSWER_MS}".strip()
    return url.update_query_dict(
        {"options": options, "connect_timeout": str(ANSWER_MS // 1000), "tcp_user_timeout": str(ANSWER_MS)}
    )
