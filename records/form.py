"""How a file writes its times and numbers, as far as its user says: what is not said is found out, or refused."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from records.fault import RecordError

TIME_WORDS: Final = ("day-first", "month-first", "unix", "unix-ms", "unix-us", "unix-ns")
UNIX: Final = {"unix": 1, "unix-ms": 10**3, "unix-us": 10**6, "unix-ns": 10**9}
"""Units in a second."""
DECIMALS: Final = (".", ",")
THOUSANDS: Final = ("none", ".", ",", "'", "space")
_EXAMPLE: Final = datetime(2024, 3, 13, 17, 45, 58, tzinfo=UTC)
_TIME_HELP: Final = f"one of {', '.join(TIME_WORDS)}, or a pattern such as %d/%m/%Y %H:%M"


@dataclass(frozen=True, slots=True)
class Form:
    """What a user says of a file; the default says nothing.

    Attributes:
        time_format: one of `TIME_WORDS`, or a pattern as `strptime` takes it; "" to find out.
        local_times: whether times without an offset are local ones of `zone`; None: not said, then they are taken for
            UTC, and that is told.
        zone: IANA name.
        decimal: what stands before decimals, one of `DECIMALS`; "" to find out.
        thousands: what stands between thousands, one of `THOUSANDS`; "" to find out.

    Raises:
        RecordError: a value is none of these, or they contradict each other.
    """

    time_format: str = ""
    local_times: bool | None = None
    zone: str = "UTC"
    decimal: str = ""
    thousands: str = ""

    def __post_init__(self) -> None:
        """Refuse what no file can be read by."""
        check_time_format(self.time_format)
        check_separators(self.decimal, self.thousands)


def check_time_format(text: str) -> None:
    """Refuse a format that is none, or names no whole date.

    Raises:
        RecordError: so it is.
    """
    if not text or text in TIME_WORDS:
        return
    if "%" not in text:
        raise RecordError(f'"{text}" is no format of times', help=_TIME_HELP)
    if "%I" in text and "%p" not in text:
        raise RecordError(f'the format "{text}" counts hours to twelve and names no half of the day', help="add %p")
    if not _names_a_date(text):
        raise RecordError(f'the format "{text}" names no year, month and day', help=_TIME_HELP)
    try:
        back = datetime.strptime(_EXAMPLE.strftime(text), text)  # noqa: DTZ007  # only its digits matter
    except (ValueError, re.error) as error:
        raise RecordError(f'"{text}" is no format of times ({error})', help=_TIME_HELP) from None
    if back.date() != _EXAMPLE.date():
        raise RecordError(f'the format "{text}" names no year, month and day', help=_TIME_HELP)


def check_separators(decimal: str, thousands: str) -> None:
    """Refuse separators of numbers that nobody writes, or that are one and the same.

    Raises:
        RecordError: so it is.
    """
    if decimal not in ("", *DECIMALS):
        raise RecordError(f'"{decimal}" stands before no decimals', help=f"one of {' '.join(DECIMALS)}")
    if thousands not in ("", *THOUSANDS):
        raise RecordError(f'"{thousands}" stands between no thousands', help=f"one of {' '.join(THOUSANDS)}")
    if decimal and decimal == thousands:
        said = f'"{decimal}" cannot stand both before decimals and between thousands'
        raise RecordError(said, help="17.928,5 has thousands . and decimal ,")


def _names_a_date(text: str) -> bool:
    named = set(re.findall(r"%[-#]?(.)", text.replace("%%", "")))
    whole = named & {"x", "c"} or (named & {"Y", "y"} and ("j" in named or (named & {"m", "b", "B"} and "d" in named)))
    return bool(whole) and not named & {"Z", "x", "c"}


UNSAID: Final = Form()
"""Of a file nobody says anything about."""
