"""Epoch seconds to what the wire carries."""

from datetime import UTC, datetime
from math import isfinite
from typing import Final

MIB: Final = 2**20
DAY_S: Final = 86400.0


def moment(at_s: float) -> datetime:
    """Return the UTC time of an epoch second."""
    return datetime.fromtimestamp(at_s, UTC)


def moment_or_none(at_s: float | None) -> datetime | None:
    """Return the UTC time of an epoch second; None stays None, and 0 means unknown."""
    return moment(at_s) if at_s else None


def finite(value: float) -> float | None:
    """Return a number for JSON, rounded to what a picture can show; None for what JSON has no number for."""
    return round(value, 4) if isfinite(value) else None
