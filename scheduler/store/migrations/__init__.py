"""From the schema of an older Headroom to ours: Alembic's revisions, run in the transaction that opens the store.

A change of `scheduler.store.tables` comes with a module in `versions` that makes it: `revision`, `down_revision`,
`upgrade()`. It imports nothing of ours, for what it starts from and ends with never changes again. SQLite renames and
adds columns in place; Alembic's batch mode copies a table, which foreign keys to it forbid.
"""

import threading
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

_FOLDER: Final = Path(__file__).parent
_one_at_a_time: Final = threading.Lock()
"""Alembic's `op` and `context` are one for the whole process."""


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(_FOLDER)


def newest() -> str:
    """Return the revision that this Headroom works with."""
    return str(_scripts().get_current_head())


def revision_in(connection: Connection) -> str | None:
    """Return the revision of a database; None for an empty one and those from before revisions."""
    return MigrationContext.configure(connection).get_current_revision()


def is_known(revision: str | None) -> bool:
    """Whether a database of a revision can be brought up to ours: one that a newer Headroom wrote cannot."""
    return revision is None or revision in {script.revision for script in _scripts().walk_revisions()}


def upgrade(connection: Connection) -> None:
    """Bring a database up to our revision, in the transaction that its connection has begun."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _one_at_a_time:
        command.upgrade(config, "head")
