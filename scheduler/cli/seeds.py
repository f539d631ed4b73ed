"""Seeds as people write them on the command line."""

from scheduler.model.errors import ConfigError


def seeds_of(text: str) -> tuple[int, ...]:
    """Read "42", "42-44" or "1,5,9".

    Raises:
        ConfigError: anything else.
    """
    try:
        numbers = tuple(seed for part in text.split(",") for seed in _range(part))
    except ValueError:
        numbers = ()
    if not numbers:
        raise ConfigError(f'--seeds: "{text}" names no seeds', help='for instance 42, 42-44 or "1,5,9"')
    return numbers


def _range(part: str) -> range:
    first, dash, last = part.partition("-")
    return range(int(first), int(last if dash else first) + 1)
