"""Values of flags that the library of the command line does not read by itself."""

from scheduler.config.units import UnitError, duration_s
from scheduler.model.errors import ConfigError


def duration_flag(text: str, flag: str) -> float:
    """Return the seconds of a duration given by a flag, for instance "+48h".

    Raises:
        ConfigError: it is no duration.
    """
    try:
        return duration_s(text.removeprefix("+"))
    except UnitError as error:
        raise ConfigError(f"{flag}: {error}", help=error.help) from error
