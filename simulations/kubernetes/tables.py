"""Objects as rows of a table, as `kubectl get` asks for them: the server decides on columns, not kubectl."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind

Column = tuple[str, str, str, int]  # name, type, format, priority (1: only with -o wide)
Cells = list[Any]
NONE, UNKNOWN = "<none>", "<unknown>"
NAME: Column = ("Name", "string", "name", 0)
AGE: Column = ("Age", "string", "", 0)
MINUTE, HOUR, DAY = 60, 3600, 86400


def _text(*names: str, wide: bool = False) -> list[Column]:
    return [(name, "string", "", int(wide)) for name in names]


def _numbers(*names: str) -> list[Column]:
    return [(name, "integer", "", 0) for name in names]


def age(since: str | None, now: datetime) -> str:
    """Return how long ago something was, as kubectl shows it."""
    if not since:
        return UNKNOWN
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    if seconds < 2 * MINUTE:
        return f"{seconds}s"
    if seconds < 10 * MINUTE:
        return f"{seconds // MINUTE}m{f'{seconds % MINUTE}s' if seconds % MINUTE else ''}"
    if seconds < 3 * HOUR:
        return f"{seconds // MINUTE}m"
    if seconds < 8 * HOUR:
        return f"{seconds // HOUR}h{f'{seconds % HOUR // MINUTE}m' if seconds % HOUR // MINUTE else ''}"
    return f"{seconds // HOUR}h" if seconds < 2 * DAY else f"{seconds // DAY}d"


def _pod(body: Json, now: datetime) -> Cells:
    status = body.get("status") or {}
    statuses = status.get("containerStatuses") or []
    ready = sum(1 for each in statuses if each.get("ready"))
    restarts = sum(each.get("restartCount", 0) for each in statuses)
    counted = f"{ready}/{len(body['spec'].get('containers') or [])}"
    shown = [body["metadata"]["name"], counted, _pod_state(body), str(restarts)]
    shown.append(age(body["metadata"].get("creationTimestamp"), now))
    node, nominated = body["spec"].get("nodeName") or NONE, status.get("nominatedNodeName") or NONE
    return [*shown, status.get("podIP") or NONE, node, nominated, NONE]


def _pod_state(body: Json) -> str:
    status = body.get("status") or {}
    if "deletionTimestamp" in body["metadata"]:
        return "Terminating"
    scheduled: Json = next((each for each in status.get("conditions") or [] if each["type"] == "PodScheduled"), {})
    if scheduled.get("reason") == "SchedulingGated":
        return "SchedulingGated"
    for each in status.get("containerStatuses") or []:
        if ended := (each.get("state") or {}).get("terminated"):
            return str(ended.get("reason") or "Error")
    return str(status.get("reason") or status.get("phase", UNKNOWN))


def _node(body: Json, now: datetime) -> Cells:
    status, name = body.get("status") or {}, body["metadata"]["name"]
    ready = next((each["status"] for each in status.get("conditions") or [] if each["type"] == "Ready"), "Unknown")
    state = {"True": "Ready", "Unknown": "Unknown"}.get(ready, "NotReady")
    if body["spec"].get("unschedulable"):
        state += ",SchedulingDisabled"
    info = status.get("nodeInfo") or {}
    versions = [info.get(word) or UNKNOWN for word in ("osImage", "kernelVersion", "containerRuntimeVersion")]
    shown = [name, state, NONE, age(body["metadata"].get("creationTimestamp"), now), info.get("kubeletVersion", "")]
    return [*shown, NONE, NONE, *versions]


def _workload(body: Json) -> Cells:
    containers = body["spec"]["template"]["spec"].get("containers") or []
    labels = (body["spec"].get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return [",".join(each["name"] for each in containers), ",".join(each["image"] for each in containers), selector]


def _deployment(body: Json, now: datetime) -> Cells:
    status, metadata = body.get("status") or {}, body["metadata"]
    counted = f"{status.get('readyReplicas', 0)}/{body['spec'].get('replicas', 0)}"
    numbers = [status.get("updatedReplicas", 0), status.get("availableReplicas", 0)]
    return [metadata["name"], counted, *numbers, age(metadata.get("creationTimestamp"), now), *_workload(body)]


def _replica_set(body: Json, now: datetime) -> Cells:
    status, metadata = body.get("status") or {}, body["metadata"]
    numbers = [body["spec"].get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [metadata["name"], *numbers, age(metadata.get("creationTimestamp"), now), *_workload(body)]


def _job(body: Json, now: datetime) -> Cells:
    status, spec, metadata = body.get("status") or {}, body["spec"], body["metadata"]
    true = {each["type"] for each in status.get("conditions") or [] if each["status"] == "True"}
    state = next((word for word in ("Complete", "Failed", "Suspended") if word in true), "Running")
    counted = f"{status.get('succeeded', 0)}/{spec.get('completions') or spec.get('parallelism', 1)}"
    until = datetime.fromisoformat(status["completionTime"]) if status.get("completionTime") else now
    duration = age(status["startTime"], until) if status.get("startTime") else ""
    return [metadata["name"], state, counted, duration, age(metadata.get("creationTimestamp"), now), *_workload(body)]


def _event(body: Json, now: datetime) -> Cells:
    about = body.get("involvedObject") or {}
    last = age(body.get("lastTimestamp") or body.get("eventTime"), now)
    first = age(body.get("firstTimestamp") or body.get("eventTime"), now)
    named = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    source = (body.get("source") or {}).get("component") or body.get("reportingComponent", "")
    shown = [last, body.get("type", ""), body.get("reason", ""), named, about.get("fieldPath", ""), source]
    return [*shown, body.get("message", ""), first, body.get("count", 1), body["metadata"]["name"]]


def _namespace(body: Json, now: datetime) -> Cells:
    metadata = body["metadata"]
    return [metadata["name"], (body.get("status") or {}).get("phase", ""), age(metadata.get("creationTimestamp"), now)]


def _plain(body: Json, now: datetime) -> Cells:
    return [body["metadata"]["name"], age(body["metadata"].get("creationTimestamp"), now)]


WORKLOAD = _text("Containers", "Images", "Selector", wide=True)
BUILT_IN: dict[str, tuple[list[Column], Callable[[Json, datetime], Cells]]] = {
    "pods": (
        [
            NAME,
            *_text("Ready", "Status", "Restarts"),
            AGE,
            *_text("IP", "Node", "Nominated Node", "Readiness Gates", wide=True),
        ],
        _pod,
    ),
    "nodes": (
        [
            NAME,
            *_text("Status", "Roles"),
            AGE,
            *_text("Version"),
            *_text("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime", wide=True),
        ],
        _node,
    ),
    "deployments": ([NAME, *_text("Ready", "Up-to-date", "Available"), AGE, *WORKLOAD], _deployment),
    "replicasets": ([NAME, *_numbers("Desired", "Current", "Ready"), AGE, *WORKLOAD], _replica_set),
    "jobs": ([NAME, *_text("Status", "Completions", "Duration"), AGE, *WORKLOAD], _job),
    "events": (
        [
            *_text("Last Seen", "Type", "Reason", "Object"),
            *_text("Subobject", "Source", wide=True),
            *_text("Message"),
            *_text("First Seen", "Count", wide=True),
            ("Name", "string", "name", 1),
        ],
        _event,
    ),
    "namespaces": ([NAME, *_text("Status"), AGE], _namespace),
}


def table_of(kind: Kind, bodies: list[Json], metadata: Json, now: datetime, included: str = "Metadata") -> Json:
    """Return objects as a table."""
    columns, cells = _layout(kind)
    rows = [{"cells": cells(body, now), "object": _object(kind, body, included)} for body in bodies]
    definitions = [
        {"name": name, "type": kind_of, "format": form, "description": "", "priority": priority}
        for name, kind_of, form, priority in columns
    ]
    head = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return head | {"columnDefinitions": definitions, "rows": rows}


def _object(kind: Kind, body: Json, included: str) -> Json | None:
    if included == "None":
        return None
    if included == "Object":
        return {"kind": kind.kind, "apiVersion": kind.api_version} | body
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": body["metadata"]}


def _layout(kind: Kind) -> tuple[list[Column], Callable[[Json, datetime], Cells]]:
    if not kind.custom:
        return BUILT_IN.get(kind.plural, ([NAME, AGE], _plain))
    given = list(kind.columns) or [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
    columns = [(each["name"], each["type"], each.get("format", ""), each.get("priority", 0)) for each in given]

    def cells(body: Json, now: datetime) -> Cells:
        return [body["metadata"]["name"], *(_cell(each, body, now) for each in given)]

    return [NAME, *columns], cells


def _cell(column: Json, body: Json, now: datetime) -> Any:
    value = json_path(body, column["jsonPath"])
    if column["type"] == "date":
        return age(value, now) if value else ""
    return value if value is not None else ""


STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[\?\(@\.(\w+)==['\"]([^'\"]+)['\"]\)\]|\['([^']+)'\]|\[(-?\d+):?\]")


def json_path(body: Any, path: str) -> Any:
    """Return what a JSONPath of a printer column finds: fields, one comparison, indexes."""
    for name, key, wanted, quoted, index in STEP.findall(path):
        if key:
            body = next((each for each in body or [] if each.get(key) == wanted), None)
        elif index:
            body = body[int(index)] if isinstance(body, list) and -len(body) <= int(index) < len(body) else None
        else:
            body = body.get(quoted.replace("\\", "") if quoted else name) if isinstance(body, dict) else None
    return body
