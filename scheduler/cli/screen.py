"""What the terminal can do, decided once from environment and flags; everything is printed through it."""

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final, Self, TextIO

_ASCII: Final = str.maketrans(
    {"×": "x", "→": "->", "–": "-", "·": "|", "…": "...", "─": "-"}
    | {"█": "#", "▓": "=", "▒": "%", "░": "+", "∙": ".", "▁": "1", "▂": "2", "▃": "3", "▄": "4"}
    | {"▅": "5", "▆": "6", "▇": "7"}
)
_CLEAR: Final = "\x1b[H\x1b[2J"
_STEERING: Final = re.compile(r"(?!\x1b\[\d+m)[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a cursor, sets a title or turns text round, colours left out: names and reasons are others' words."""
_CODES: Final = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34}


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Screen:
    """Where results (`out`) and everything else (`err`) go.

    Attributes:
        out, err: text streams.
        is_terminal: whether a person reads `out`: then tables are padded to `width`, else columns are cut by TABs.
        width: columns of the terminal.
        colored: whether to colour.
        header: whether tables have one.
        zone: for showing times.
    """

    out: TextIO
    err: TextIO
    is_terminal: bool
    width: int
    colored: bool
    header: bool
    zone: tzinfo | None

    @classmethod
    def of(
        cls, environ: Mapping[str, str], *, color: Color = Color.AUTO, utc: bool = False, header: bool = True
    ) -> Self:
        """Look at the process's streams and environment."""
        is_terminal = sys.stdout.isatty()
        plain = "NO_COLOR" in environ or environ.get("TERM") == "dumb"
        colored = color is Color.ALWAYS or (color is Color.AUTO and is_terminal and not plain)
        width = shutil.get_terminal_size().columns
        return cls(sys.stdout, sys.stderr, is_terminal, width, colored, header, UTC if utc else None)

    def say(self, text: str) -> None:
        """Print a result, with nothing in it that would steer a terminal but for our own colours."""
        self._write(self.out, _harmless(text))

    def note(self, text: str) -> None:
        """Print what is not part of the result: hints, sums, progress, warnings; as `say`."""
        self._write(self.err, _harmless(text))

    def pass_on(self, text: str) -> None:
        """Print a line of a job's output as it is."""
        self._write(self.out, text)

    def redraw(self, text: str) -> None:
        """Print a result in the place of all that the terminal shows."""
        self._write(self.out, f"{_CLEAR}{_harmless(text)}")

    def paint(self, text: str, style: str) -> str:
        """Return a text in a style, for instance "bold" or "red", where colours are shown."""
        code = _CODES.get(style)
        return f"\x1b[{code}m{text}\x1b[0m" if self.colored and code and text else text

    def local(self, at: datetime) -> datetime:
        """Return a time in the zone that is shown."""
        return at.astimezone(self.zone)

    def _write(self, stream: TextIO, text: str) -> None:
        encoding = (stream.encoding or "utf-8").lower().replace("-", "")
        plain = text if encoding == "utf8" else text.translate(_ASCII).encode("ascii", "replace").decode()
        stream.write(plain + "\n")
        stream.flush()


def _harmless(text: str) -> str:
    return _STEERING.sub("?", text)
