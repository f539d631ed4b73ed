"""What is wrong with a file, where in it, and what to do: the only error that reading one raises."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]
"""Is told, once each, what a reader assumed, left out or put in order."""


class RecordError(ValueError):
    """A file that cannot be used, and what to do about it.

    Attributes:
        file: where it was read from, or "".
        line: 1-based line of the file; 0 when unknown.
        column: name of the column, or "".
        help: what to do.
    """

    def __init__(self, message: str, *, file: str = "", line: int = 0, column: str = "", help: str = "") -> None:  # noqa: A002  # the word users see
        """Take what is wrong, where, and what to do."""
        super().__init__(message)
        self.message, self.file, self.line, self.column, self.help = message, file, line, column, help

    def __str__(self) -> str:
        """Return "file:line: column: message"."""
        place = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        return ": ".join(part for part in (place, self.column, self.message) if part)

    @property
    def said(self) -> str:
        """The message with the column, for those who show the place beside it."""
        return f"{self.column}: {self.message}" if self.column else self.message


def nobody(_: str) -> None:
    """Hear what a reader has to say, and do nothing."""


def about(path: Path, say: Say) -> Say:
    """Return a way to say something of a file, by its name."""
    return lambda text: say(f"{path.name}: {text}")


@contextmanager
def reading(path: Path, kind: type[RecordError] = RecordError) -> Iterator[None]:
    """Turn all that goes wrong inside into an error of one kind that names the file.

    Raises:
        RecordError: of this kind, also for what a library raises that reads the file.
    """
    if not path.is_file():
        raise kind("not readable: there is no such file", file=str(path), help="check the path")
    try:
        yield
    except RecordError as error:
        place = {"line": error.line, "column": error.column, "help": error.help}
        raise kind(error.message, file=error.file or str(path), **place) from None  # type: ignore[arg-type]  # by name
    except Exception as error:  # a library that reads the file may raise anything
        said = f"not readable ({type(error).__name__}: {error})"
        raise kind(said, file=str(path), help="CSV, Parquet or JSON; see docs/files.md") from error
