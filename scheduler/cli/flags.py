"""Values of flags that the library of the command line does not read by itself."""

from datetime import UTC, datetime, time, timedelta
from typing import Final

from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError

MOST_TIMES: Final = 1000.0
"""Traffic of more is a slip of the pen."""


def date_flag_s(text: str, flag: str) -> float | None:
    """Return the epoch seconds of a date given by a flag, UTC unless it says otherwise; None for "".

    Raises:
        ConfigError: it is not one.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f'{flag}: "{text}" is not a date', help="for instance 2012-06-01") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def levels_flag(text: str, flag: str) -> tuple[float, ...]:
    """Return the quantiles given by a flag, for instance "0.5,0.99".

    Raises:
        ConfigError: they are none.
    """
    try:
        levels = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f'{flag}: "{text}" is not a list of numbers', help="for instance 0.5,0.99") from error
    if not all(0 < level < 1 for level in levels):
        raise ConfigError(f"{flag}: each lies between 0 and 1", help="for instance 0.5,0.99")
    return levels


def duration_flag(text: str, flag: str) -> float:
    """Return the seconds of a duration given by a flag, for instance "+48h".

    Raises:
        ConfigError: it is no duration.
    """
    try:
        return duration_s(text.removeprefix("+"))
    except UnitError as error:
        raise ConfigError(f"{flag}: {error}", help=error.help) from error


def times_flag(text: str, flag: str) -> float:
    """Return a factor given by a flag, for instance "x1.5".

    Raises:
        ConfigError: it is none.
    """
    try:
        factor = float(text.removeprefix("x"))
    except ValueError:
        factor = -1.0
    if not 0 <= factor < MOST_TIMES:
        raise ConfigError(f'{flag}: "{text}" is not a factor', help="for instance x1.5")
    return factor


def spike_flag(text: str, flag: str, now: datetime) -> tuple[datetime, float, float]:
    """Return when a spike begins, for how many seconds, and its factor: "20:00+2h:x3", "now+1h:x2".

    A time of day is the next one, in the zone of `now`.

    Raises:
        ConfigError: it is none.
    """
    when, plus, rest = text.partition("+")
    lasts, _, factor = rest.rpartition(":")
    if not plus or not lasts:
        raise ConfigError(f'{flag}: "{text}" is not TIME+LENGTH:xFACTOR', help="for instance 20:00+2h:x3")
    return _next(when, flag, now), duration_flag(lasts, flag), times_flag(factor, flag)


def _next(when: str, flag: str, now: datetime) -> datetime:
    if when == "now":
        return now
    try:
        at = time.fromisoformat(when)
    except ValueError:
        begun_s = date_flag_s(when, flag)
        return datetime.fromtimestamp(begun_s or 0.0, UTC)
    today = now.replace(hour=at.hour, minute=at.minute, second=at.second, microsecond=0)
    return today if today >= now else today + timedelta(days=1)
