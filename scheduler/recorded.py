"""Recorded files that cannot be read, as faults of an input; for all rooms that read some."""

from collections.abc import Iterator
from contextlib import contextmanager

from records.fault import RecordError
from scheduler.model.errors import ConfigError, Fault


@contextmanager
def input_faults(code: str) -> Iterator[None]:
    """Turn what is wrong with a file inside into an error of whoever named it.

    Raises:
        ConfigError: with one fault of this code: file, line, column and what to do.
    """
    try:
        yield
    except RecordError as error:
        raise ConfigError(Fault(code, error.said, error.file, error.line, error.column, error.help)) from error
