"""The file of the control plane read again, on the wire: what comes, what changes, what goes."""

from typing import Literal

from scheduler.wire.base import Resource


class ReloadOrder(Resource):
    """Read the file again."""

    dry_run: bool = False
    """Whether only to say what would change."""


class Change(Resource):
    """One entry of the file that is otherwise."""

    kind: Literal["comes", "changes", "goes"]
    what: str
    """"model edit-check", "queue research", or the name of a section."""
    details: tuple[str, ...] = ()
    """A sentence for each key that is otherwise, and what becomes of what depends on it."""


class Reloaded(Resource):
    """What reading the file again has come to."""

    applied: bool
    """Whether the changes count from the next turn on; not when there are none, or when it was only asked."""
    changes: tuple[Change, ...]
