"""The right to lead a store, held: by a locked file, or by a row of the database that is renewed."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final, Protocol

from sqlalchemy import Engine, select, update

from scheduler.control.leadership import Fence, Lease
from scheduler.model.errors import HeadroomError, Superseded, Unreachable
from scheduler.store.engine import reading, writing
from scheduler.store.fencing import impatient, leader_in, now_in_database, superseded_by
from scheduler.store.tables import leadership

LEASE_S: Final = 5.0
"""How long a lease runs by the database's clock after it was last renewed; then somebody else may lead."""
RENEW_S: Final = 1.0
MARGIN_S: Final = 1.0
"""The holder stops giving orders so long before its lease ends: an order takes its time."""


class HeldLease(Lease, Protocol):
    """A lease that can be given back."""

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Call `tell`, from any thread, once somebody else leads."""

    def release(self) -> None:
        """Let the next one in at once; nothing can be proved any more."""


class FileLease:
    """Leads as long as its file is locked and is still the one that others would lock."""

    def __init__(self, fence: Fence, file: IO[str], path: str) -> None:
        """Take over an open, locked file."""
        self.fence, self._file, self._path = fence, file, path

    def prove(self) -> Fence:
        """Return the fence.

        Raises:
            Superseded: the file was given back, or taken away.
        """
        with suppress(OSError, ValueError):
            if os.path.samestat(os.fstat(self._file.fileno()), os.stat(self._path)):  # noqa: PTH116  # before each order: cheap
                return self.fence
        raise Superseded(f"this control plane holds {self._path} no more", help="somebody removed it: start anew")

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Do nothing: nobody else can lock the file meanwhile."""

    def release(self) -> None:
        """Unlock the file."""
        self._file.close()


class DatabaseLease:
    """Leads while its row is renewed, and stops in time when it is not.

    Args:
        engine: the database; the lease closes nothing.
        fence: number and owner of the row.
        taken_s: `boot_s()` before the row was written.
    """

    def __init__(self, engine: Engine, fence: Fence, taken_s: float) -> None:
        self.fence, self._engine = fence, engine
        self._proved_until_s = taken_s + LEASE_S - MARGIN_S
        self._lost: Superseded | None = None
        self._tell: Callable[[], None] = lambda: None
        self._released = threading.Event()
        self._builder = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._builder.start()

    def prove(self) -> Fence:
        """Return the fence.

        Raises:
            Superseded: somebody else leads, or the lease was given back.
            Unreachable: the store has not confirmed the lease for too long.
        """
        if self._lost is not None:
            raise self._lost
        silent_s = boot_s() - self._proved_until_s
        if silent_s >= 0:
            raise Unreachable(
                f"nobody can tell who leads: the store has not answered for {silent_s + LEASE_S - MARGIN_S:.0f} s",
                help="no order is given until it does",
            )
        return self.fence

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Call `tell` once somebody else leads."""
        self._tell = tell
        if self._lost is not None:
            tell()

    def release(self) -> None:
        """Let the next one in at once."""
        self._released.set()
        self._builder.join()
        self._lost = self._lost or Superseded("this control plane has given up its lead")
        with suppress(HeadroomError), writing(self._engine) as connection:
            connection.execute(select(impatient()))
            connection.execute(update(leadership).where(leadership.c.fence == self.fence.number).values(until_s=0.0))

    def _keep(self) -> None:
        while self._lost is None and not self._released.wait(RENEW_S):
            with suppress(Unreachable):
                self._renew()
        if self._lost is not None:
            self._tell()

    def _renew(self) -> None:
        asked_s = boot_s()
        mine = update(leadership).where(leadership.c.fence == self.fence.number)
        with writing(self._engine) as connection:
            connection.execute(select(impatient()))  # who is stopped here has the row locked, and keeps nobody out
            renewed = connection.execute(mine.values(until_s=now_in_database() + LEASE_S)).rowcount
        if renewed:
            self._proved_until_s = asked_s + LEASE_S - MARGIN_S
            return
        with reading(self._engine) as connection:
            self._lost = superseded_by(leader_in(connection))


def boot_s() -> float:
    """Return seconds of a clock that goes on while this process, or this machine, sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
