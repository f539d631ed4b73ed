"""Durations and sizes as people write them ("1d12h", "16Gi"), to numbers and back.

A duration may also be a bare number of seconds. A size may not be bare: whether "16" means bytes, MiB or GiB is
anybody's guess, and a wrong guess starves a job.
"""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ValidationInfo

from scheduler.config.texts import shown

AS_WRITTEN: Final = "as written"
"""Validation context of values that people wrote, where a size needs a unit."""
MIB: Final = 2**20
SECONDS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
BYTES: Final[dict[str, int]] = {
    **{unit: 2 ** (10 * power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti"), start=1)},
    **{unit: 10 ** (3 * power) for power, unit in enumerate(("k", "M", "G", "T"), start=1)},
}
MINUTES_A_DAY: Final = 24 * 60
LONGEST_S: Final = 100 * 366 * 86400
MOST_MIB: Final = 2**40
"""An exbibyte."""
MOST_AMOUNT: Final = 1_000_000
"""Of cores or devices."""
MOST_WORKERS: Final = 100_000
_SECONDS_MATTER_BELOW: Final = 600
_HOURS_MATTER_BELOW: Final = 10 * 86400
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[dhms]))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])")
_RANGE: Final = re.compile(r"\s*(-?\d{1,18})\s*(?:[-–]\s*(\d{1,18}))?\s*")
_SIZE: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z]*)")


class UnitError(ValueError):
    """A duration or size that cannot be read, with what to write instead.

    Attributes:
        help: the thing to do.
    """

    def __init__(self, message: str, help: str) -> None:  # noqa: A002  # the word users see
        """Say what is wrong and what to do."""
        super().__init__(message)
        self.help = help


def duration_s(value: object) -> float:
    """Read "30s", "10m", "1d12h", "250ms" or a bare number of seconds.

    Raises:
        UnitError: not a duration, or a negative one.
    """
    help_ = "30s, 10m, 6h, 2d or 1d12h"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 <= value <= LONGEST_S:
            raise UnitError(f"{_written(value)} is not a duration", help_)
        return float(value)
    text = _written(value).replace(" ", "")
    if not _DURATION.fullmatch(text):
        raise UnitError(f'"{shown(_written(value))}" is not a duration', help_)
    duration = float(sum(float(number) * SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))
    if duration > LONGEST_S:
        raise UnitError(f'"{shown(text)}" is not a duration that anybody waits for', "use 100 years or less")
    return duration


def size_mib(value: object) -> int:
    """Read "8Gi" (2**30 bytes each) or "16G" (10**9 bytes each) into whole MiB, rounded up; 0 needs no unit.

    Raises:
        UnitError: not a size, no unit, an unknown unit, or a negative size.
    """
    text = shown(_written(value))
    match = None if isinstance(value, bool) else _SIZE.fullmatch(text.strip())
    if match is None:
        raise UnitError(f'"{text}" is not a size', "16Gi (16 × 2^30 bytes) or 16G (10^9)")
    amount, unit = str(match[1]), str(match[2])
    if float(amount) < 0:
        raise UnitError(f"{text} is not a size", "use 0 or more")
    if unit not in BYTES and float(amount):
        raise UnitError(f'"{text}" has no unit we know', f"{amount}Gi ({amount} × 2^30 bytes) or {amount}G (10^9)")
    size = float(amount) * float(BYTES.get(unit, 0)) / MIB
    if size > MOST_MIB:
        raise UnitError(f'"{text}" is not a size that any host has', "use an exbibyte or less")
    return math.ceil(size)


def cores(value: object) -> float:
    """Read a number of cores.

    Raises:
        UnitError: not a number, or below 0.
    """
    return _amount(value, "use 0 or more; fractions of a core are allowed")


def devices(value: object) -> float:
    """Read a number of devices: whole ones, or a share of one.

    Raises:
        UnitError: not a number, below 0, or several and a part.
    """
    help_ = "use 0 or more; fractions of one GPU (0.25, 0.5) are allowed below 1"
    amount = _amount(value, help_)
    if amount > 1 and not amount.is_integer():
        raise UnitError(f"{shown(_written(value))} is not a size", help_)
    return amount


def workers(value: object) -> object:
    """Read a number of workers, "2-8" or {min: 2, max: 8} as the fewest and the most; what a program read stays.

    Raises:
        UnitError: not a number of workers, below 1, or more at least than at most.
    """
    help_ = "4, 2-8 or {min: 2, max: 8}"
    if isinstance(value, BaseModel):
        return value
    match = _RANGE.fullmatch(_written(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if match:
        value = {"min": int(match[1]), "max": int(match[2] or match[1])}
    if not isinstance(value, Mapping):
        raise UnitError(f"{shown(_written(value))} is not a whole number or a range", help_)
    low, high = value.get("min"), value.get("max")
    for bound in (low, high):
        if isinstance(bound, int) and not 1 <= bound <= MOST_WORKERS:
            word, help_ = ("small", "use 1 or more") if bound < 1 else ("large", f"use {MOST_WORKERS} or fewer")
            raise UnitError(f"{_written(bound)} is too {word}", help_)
    if isinstance(low, int) and isinstance(high, int) and low > high:
        raise UnitError(f"at least {low} are more than at most {high}", help_)
    return value


def names(value: object) -> object:
    """Read one name as a list of one."""
    return (value,) if isinstance(value, str) else value


def _amount(value: object, help_: str) -> float:
    try:
        amount = float(_written(value))
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise UnitError(f"{shown(_written(value))} is not a size", help_)
    if amount > MOST_AMOUNT:
        raise UnitError(f"{shown(_written(value))} is more than any host has", f"use {MOST_AMOUNT} or less")
    return amount


def _written(value: object) -> str:
    """Return a value as text; Python itself refuses to write numbers of thousands of digits."""
    try:
        return str(value)
    except (ValueError, RecursionError):
        return "a number of thousands of digits"


def size_field(value: object, info: ValidationInfo) -> object:
    """Read a size; a whole number given by a program (not read from a document, see `AS_WRITTEN`) is MiB already."""
    given_by_program = isinstance(value, int) and info.context != AS_WRITTEN
    return value if given_by_program else size_mib(value)


DurationSeconds = Annotated[float, BeforeValidator(duration_s, json_schema_input_type=str)]
"""Seconds; written "30s", "10m", "6h", "1d12h" or as a bare number of seconds."""
SizeMib = Annotated[int, BeforeValidator(size_field, json_schema_input_type=str)]
"""Whole MiB; written "8Gi" or "16G" in a file."""
Cores = Annotated[float, BeforeValidator(cores)]
"""Cores, 0 or more."""
Devices = Annotated[float, BeforeValidator(devices)]
"""Whole devices, or a share of one below 1."""
Names = Annotated[tuple[str, ...], BeforeValidator(names)]
"""One name or a list of them."""


def format_duration(seconds: float) -> str:
    """Return the two largest units that matter: "41s", "2m10s", "22m", "4h10m", "2d3h", "41d"."""
    whole = max(round(seconds), 0)
    if whole < _SECONDS_MATTER_BELOW:
        return _two_units(whole, "m", 60, "s")
    minutes = round(whole / 60)
    if minutes < MINUTES_A_DAY:
        return _two_units(minutes, "h", 60, "m")
    hours = round(whole / 3600)
    return _two_units(hours, "d", 24, "h") if whole < _HOURS_MATTER_BELOW else f"{round(hours / 24)}d"


def _two_units(amount: int, large: str, size: int, small: str) -> str:
    many, rest = divmod(amount, size)
    return (f"{many}{large}" if many else "") + (f"{rest}{small}" if rest or not many else "")


def format_workers(range_: object) -> str:
    """Return "4", or "2-8" for a range."""
    low, high = getattr(range_, "min", 1), getattr(range_, "max", 1)
    return str(low) if low == high else f"{low}-{high}"


def format_size(mib: float) -> str:
    """Return MiB in the largest binary unit that is not below one: "512Mi", "8Gi", "1.5Ti"; "0" for nothing."""
    unit, size = next(((u, s) for u, s in (("Ti", 2**20), ("Gi", 2**10)) if mib >= s), ("Mi", 1))
    return f"{round(mib / size, 1):g}{unit}" if mib else "0"
