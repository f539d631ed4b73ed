"""Why pods were not made: what a controller was refused is said in events only."""

from scheduler.backends.kubernetes.connection import Connection
from scheduler.backends.kubernetes.running import Attempt
from scheduler.model.errors import HeadroomError


def refused_pods(connection: Connection, attempt: Attempt, reason: str) -> str:
    """Return a reason with what the controllers of a gang were told when they made its pods, where they say it."""
    if len(attempt.gang) >= attempt.expected:
        return reason
    path, query = f"/api/v1/namespaces/{attempt.seen.namespace}/events", {"fieldSelector": "reason=FailedCreate"}
    try:
        events = connection.get(path, query).get("items") or ()
    except HeadroomError:
        return reason  # it may not be allowed to read events; the reason stands without them
    name = attempt.seen.name
    said = [
        str(event.get("message", ""))
        for event in events
        if str((event.get("involvedObject") or {}).get("name", "")).startswith(name)
    ]
    return f"{reason}: {said[-1]}" if said else reason
