"""Events under their two groups: one object, shown with the field names of the group that is asked for."""

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind

NEW_NAMES = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
OLD_NAMES = {new: old for old, new in NEW_NAMES.items()}


def converted(kind: Kind, body: Json) -> Json:
    """Return an event with the names of a group."""
    if body["apiVersion"] == kind.api_version:
        return body
    names = NEW_NAMES if kind.group else OLD_NAMES
    shown = {names.get(word, word): value for word, value in body.items()}
    return shown | {"apiVersion": kind.api_version}
