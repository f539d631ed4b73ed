"""Values of flags that the library of the command line does not read by itself."""

from datetime import UTC, datetime

from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError


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
