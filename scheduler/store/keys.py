"""Keys that a store makes for itself: every control plane on it has the same ones, and nobody else has any."""

import secrets
from typing import Final

from sqlalchemy import Connection, Engine, insert, select

from scheduler.store.engine import reading, writing
from scheduler.store.tables import keys

KEY_BYTES: Final = 32


def key_of(engine: Engine, name: str) -> bytes:
    """Return the key for one purpose; it is made when it is first asked for.

    Raises:
        Unreachable: the database does not answer.
        Superseded: there is none yet, and another control plane leads.
    """
    with reading(engine) as connection:
        found = _found(connection, name)
    if found is not None:
        return found
    with writing(engine) as connection:
        found = _found(connection, name)
        if found is None:
            found = secrets.token_bytes(KEY_BYTES)
            connection.execute(insert(keys).values(name=name, value=found.hex()))
    return found


def _found(connection: Connection, name: str) -> bytes | None:
    value = connection.scalar(select(keys.c.value).where(keys.c.name == name))
    return None if value is None else bytes.fromhex(value)
