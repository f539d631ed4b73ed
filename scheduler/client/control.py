"""The control plane itself: its state, events, queues, configuration and store."""

import os
from pathlib import Path

from scheduler.client.requests import Requests
from scheduler.model.errors import ConfigError
from scheduler.wire.base import BACKUP_TYPE, Listing, Single
from scheduler.wire.control import Status
from scheduler.wire.jobs import Event
from scheduler.wire.queues import Queue
from scheduler.wire.reload import Reloaded, ReloadOrder


class ControlRequests(Requests):
    """What the client does with the control plane itself."""

    def queues(self) -> Listing[Queue]:
        """Return all queues in the order of declaration."""
        return self.get("/queues", Listing[Queue])

    def events(self, **filters: str | int) -> Listing[Event]:
        """Return the newest events, oldest first. Filters: after (an event's id), subject, limit, cursor."""
        return self.get("/events", Listing[Event], **filters)

    def status(self) -> Status:
        """Return the state of the control plane itself."""
        return self.get("/status", Single[Status]).item

    def reload(self, *, dry_run: bool = False) -> Single[Reloaded]:
        """Have the control plane read its file again, for operators; with `dry_run` only say what would change.

        Raises:
            ConfigError: with all that is wrong in the file, or needs a restart; nothing was changed.
            Conflict: it was not started from a file.
        """
        return self.send("POST", "/reload", Single[Reloaded], ReloadOrder(dry_run=dry_run))

    def backup(self, file: Path) -> None:
        """Write one consistent state of the control plane's store to a new file, for operators.

        Raises:
            ConfigError: the file exists, or cannot be written.
        """
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as error:
            raise ConfigError(f"{file} exists", help="a backup is never overwritten: choose another name") from error
        except (OSError, ValueError) as error:
            raise _unwritable(file, error) from error
        try:
            with os.fdopen(handle, "wb") as written:
                for chunk in self.connection.chunks("/backup", BACKUP_TYPE):
                    written.write(chunk)
        except BaseException as error:
            file.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unwritable(file, error) from error
            raise


def _unwritable(file: Path, error: OSError | ValueError) -> ConfigError:
    said = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigError(f"cannot write {file}: {said}", help="choose a folder with room")
