"""Times as the API writes them."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def seconds(text: str | None) -> float:
    """Return an RFC 3339 time in epoch seconds; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def micro_time(at_s: float) -> str:
    """Return a time with the six digits that Leases and Events insist on."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_time(at_s: float) -> str:
    """Return a time as people read it in annotations."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
