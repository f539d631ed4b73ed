"""Secrets that jobs name: read where they lie when a job starts, handed on in a file, and written nowhere else."""

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scheduler.control.private_files import private_folder, write_private
from scheduler.model.errors import NotFound

HIDDEN: Final = "***"
LEAST_HIDDEN: Final = 6
"""Shorter values are no secrets, and hiding them would blot out ordinary words."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where one lies, and for whom.

    Attributes:
        file: that has it; a line break at its end does not belong to it. None for a variable.
        variable: of the control plane's environment that has it; "" for a file.
        owners: whose jobs may have it; everybody's when empty.
    """

    file: Path | None = None
    variable: str = ""
    owners: tuple[str, ...] = ()

    def read(self) -> str | None:
        """Return it as it is now; None where it is not there."""
        if self.file is None:
            return os.environ.get(self.variable)
        try:
            return self.file.read_bytes().decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError):
            return None


class SecretShelf:
    """The secrets of a site by name. No value is kept: a changed one counts from the next start of a job on."""

    def __init__(self, secrets: Mapping[str, Secret], folder: Path) -> None:
        """Hand secrets on in files of a folder that all hosts see."""
        self._secrets = secrets
        self._folder = folder

    def hand_out(self, run: str, wanted: Iterable[tuple[str, str]]) -> Path | None:
        """Write the secrets of a run to a file that a shell can read, for the owner's eyes only.

        Args:
            run: names the file.
            wanted: variables, each with the name of its secret.

        Returns:
            The file; None when nothing is wanted.

        Raises:
            NotFound: one of them is not there.
        """
        values = [(variable, self._value(name)) for variable, name in wanted]
        if not values:
            return None
        lines = "".join(f"export {variable}={shlex.quote(value)}\n" for variable, value in values)
        private_folder(self._folder)
        write_private(self._file(run), lines.encode())
        return self._file(run)

    def take_back(self, run: str) -> None:
        """Remove the file of a run that is over."""
        self._file(run).unlink(missing_ok=True)

    def hide(self, text: str) -> str:
        """Return a text without the values of secrets, as jobs may print them."""
        for value in sorted(filter(None, (one.read() for one in self._secrets.values())), key=len, reverse=True):
            if len(value) >= LEAST_HIDDEN:
                text = text.replace(value, HIDDEN)
        return text

    def _value(self, name: str) -> str:
        secret = self._secrets.get(name)
        value = secret.read() if secret else None
        if value is None:
            raise NotFound(f'the secret "{name}" is not there', help="see secrets in cluster.yaml")
        return value

    def _file(self, run: str) -> Path:
        return self._folder / f"{run}.sh"
