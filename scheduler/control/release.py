"""Which Headroom this is: what is written down beside each plan."""

from functools import cache
from importlib.metadata import version


@cache
def release() -> str:
    """Return the version of the installed package."""
    return version("headroom-scheduler")
