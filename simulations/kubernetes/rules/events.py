"""Events: core/v1 takes nearly anything; events.k8s.io/v1 wants to be told who did what when, and changes no more."""

from simulations.kubernetes.failures import Cause, Json, invalid_value, required
from simulations.kubernetes.names import LONGEST_LABEL, NAME_WORDS, label_key_faults, too_long
from simulations.kubernetes.objects import NEVER_CHANGES
from simulations.kubernetes.rules.base import Rules, setdefaults

TYPES = {"Normal", "Warning"}
LONGEST_NOTE, FEWEST_IN_SERIES = 1024, 2
FIXED = {"note": "message", "reason": "reason", "action": "action", "regarding": "involvedObject", "type": "type"}


def fill(body: Json) -> None:
    """Fill in what an event always shows, under the names of its group."""
    if body["apiVersion"] == "v1":
        setdefaults(body, source={}, reportingComponent="", reportingInstance="", involvedObject={})
        empty = ("eventTime", "firstTimestamp", "lastTimestamp")
    else:
        setdefaults(body, deprecatedSource={})
        empty = ("eventTime", "deprecatedFirstTimestamp", "deprecatedLastTimestamp")
    for word in empty:
        body.setdefault(word, None)


def _is_new(body: Json) -> bool:
    return bool(body["apiVersion"] != "v1")


def _about(body: Json) -> Json:
    found: Json = body.get("regarding" if _is_new(body) else "involvedObject") or {}
    return found


def check(body: Json) -> list[Cause]:
    """Return what is wrong with a new event."""
    about, namespace = _about(body).get("namespace", ""), body["metadata"].get("namespace", "")
    causes = []
    if about != namespace and (about or namespace != "default"):
        causes.append(invalid_value("involvedObject.namespace", f'"{about}"', "does not match event.namespace"))
    return causes + (_new_causes(body) if _is_new(body) else [])


def _new_causes(body: Json) -> list[Cause]:
    causes = [] if body.get("eventTime") else [required("eventTime")]
    causes += _controller_causes(str(body.get("reportingController") or ""))
    causes += [required(word) for word in ("reportingInstance", "action", "reason") if not body.get(word)]
    if body.get("type") not in TYPES:
        causes.append(invalid_value("type", '""', f"has invalid value: {body.get('type', '')}"))
    if len(body.get("note") or "") > LONGEST_NOTE:
        causes.append(invalid_value("message", '""', f"can have at most {LONGEST_NOTE} characters"))
    return causes + _series_causes(body)


def _controller_causes(name: str) -> list[Cause]:
    where = "reportingController"
    if not name:
        words = ("name part must be non-empty", NAME_WORDS)
        return [required(where), *(invalid_value(where, '""', word) for word in words)]
    faults = label_key_faults(name) + ([too_long(LONGEST_LABEL)] if len(name) > 2 * LONGEST_LABEL else [])
    return [invalid_value(where, f'"{name}"', fault) for fault in faults]


def _series_causes(body: Json) -> list[Cause]:
    series = body.get("series")
    if not series or series.get("count", 0) >= FEWEST_IN_SERIES:
        return []
    return [invalid_value("series.count", '""', f"should be at least {FEWEST_IN_SERIES}")]


def check_update(new: Json, old: Json) -> list[Cause]:
    """Return what a change of an event breaks: of a new one only the series may change."""
    if not _is_new(new) or not new.get("eventTime"):
        return []
    changed = [(shown, new.get(word)) for word, shown in FIXED.items() if new.get(word) != old.get(word)]
    causes = [invalid_value(shown, f'"{value}"', NEVER_CHANGES) for shown, value in changed]
    return _series_causes(new) + causes


EVENTS = Rules(fill, check=check, check_update=check_update)
