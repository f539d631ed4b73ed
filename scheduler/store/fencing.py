"""The number that every write of a leader carries, checked in the very transaction that writes."""

from typing import Final

from sqlalchemy import ColumnElement, Connection, Double, Engine, cast, extract, func, select, true

from scheduler.control.leadership import Leader
from scheduler.model.errors import Superseded
from scheduler.store.tables import identity, leadership

PAUSE_MS: Final = 5_000
"""A leader that pauses longer within a transaction loses it: its lock must not keep the next one out."""
_FENCE: Final = "headroom_fence"


def fenced(engine: Engine, number: int) -> Engine:
    """Return the engine as the leader with this number has it: its writes fail once there is a newer one."""
    return engine.execution_options(**{_FENCE: number})


def check_fence(connection: Connection) -> None:
    """Hold the newest number until the transaction ends; whoever wants to lead waits for that.

    Raises:
        Superseded: it is not the one that this connection carries.
    """
    number = connection.get_execution_options().get(_FENCE)
    if number is None:
        return
    newest = select(identity.c.fence).with_for_update(read=True)  # SQLite's writers come one after the other anyway
    if connection.dialect.name == "postgresql":
        newest = newest.add_columns(impatient())
    if connection.scalar(newest) != number:
        raise superseded_by(leader_in(connection))


def owner_in(connection: Connection) -> str:
    """Return the identity of a store."""
    return str(connection.scalar(select(identity.c.owner)))


def leader_in(connection: Connection) -> Leader | None:
    """Return who leads, or led last; None when nobody ever did."""
    row = connection.execute(select(leadership)).one_or_none()
    if row is None:
        return None
    is_alive = connection.dialect.name == "sqlite" or row.until_s > connection.scalar(select(now_in_database()))
    return Leader(row.holder, row.address, row.since_s, row.fence, row.until_s, is_alive)


def now_in_database() -> ColumnElement[float]:
    """Return the database's own time as SQL, epoch seconds; it goes on within a transaction."""
    return cast(extract("epoch", func.clock_timestamp()), Double)


def impatient() -> ColumnElement[str]:
    """Return what has PostgreSQL end this transaction when nothing is asked in it for `PAUSE_MS`."""
    return func.set_config("idle_in_transaction_session_timeout", str(PAUSE_MS), true())


def superseded_by(leader: Leader | None) -> Superseded:
    """Return the error of one that does not lead, or no longer."""
    if leader is None:
        return Superseded("no control plane leads this store yet", help="try again in a moment")
    return Superseded(
        f"another control plane leads: {leader.holder} at {leader.address}; this one acts no more, what runs goes on",
        help=f"ask {leader.address}",
        leader=leader.address,
    )
