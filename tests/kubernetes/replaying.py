"""Recordings of a real API server played to the double: what is sent, what came, and what may differ."""

import gzip
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulations.kubernetes.api import Api
from simulations.kubernetes.app import encoded
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.manifests import namespace
from simulations.kubernetes.requests import Answer, Request, Target, target_of
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.transport import client
from simulations.kubernetes.visible import selectable
from simulations.kubernetes.watching import Watch

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "k8s"
VOLATILE = {
    "uid", "resourceVersion", "managedFields", "continue", "creationTimestamp", "deletionTimestamp",
    "lastTransitionTime", "lastProbeTime", "lastUpdateTime", "startTime", "timeAdded",
}  # fmt: skip
NO_SERVICE_ACCOUNTS = {"serviceAccount", "serviceAccountName"}  # the first server ran without that admission
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Played:
    """One exchange: what was recorded, and what the double answered."""

    recorded: dict[str, Any]
    code: int
    body: Any

    @property
    def same_status(self) -> bool:
        """Say whether the statuses are equal."""
        return bool(self.code == self.recorded["status"])

    @property
    def same_body(self) -> bool:
        """Say whether the bodies are, apart from what every server has its own."""
        without = NO_SERVICE_ACCOUNTS if "file" not in self.recorded else set()
        mine, theirs = steady(self.body, without), steady(self.recorded["response"], without)
        if isinstance(theirs, dict) and isinstance(mine, dict) and "kind" not in theirs:
            mine = excerpt(mine, theirs)
        return bool(mine == theirs)


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    with gzip.open(RECORDINGS / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def excerpt(body: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """Return of a body what a recorded excerpt has of it: its parts, and of the metadata the same words."""
    kept = {word: body.get(word) for word in like}
    if "metadata" in like and isinstance(kept["metadata"], dict):
        kept["metadata"] = {word: kept["metadata"].get(word) for word in like["metadata"]}
    return kept


def steady(value: Any, without: set[str] = VOLATILE) -> Any:
    """Return a body without uids, versions, times and managers."""
    if isinstance(value, dict):
        left_out = VOLATILE | without
        return {key: steady(each, without) for key, each in value.items() if key not in left_out}
    if isinstance(value, list):
        return [steady(each, without) for each in value]
    return UID.sub("UID", TIME.sub("TIME", value)) if isinstance(value, str) else value


def send(api: Api, line: dict[str, Any], path: str, body: Any) -> tuple[int, Any]:
    """Send a recorded request; return status and body."""
    raw = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()
    headers = {
        "User-Agent": "recorder/1",
        "Content-Type": line.get("content_type") or "application/json" if raw else "",
    }
    headers |= {"Accept": line["accept"]} if line.get("accept") else {}
    answered = api.handle(Request.of(line["method"], f"http://double{path}", headers, raw))
    if isinstance(answered, Watch):
        return 200, None
    return answered.code, readable(answered)


def readable(answer: Answer) -> Any:
    """Return an answer's body as values; plain text stays text."""
    raw = encoded(answer).decode()
    return raw if answer.headers.get("Content-Type", "").startswith("text/") else json.loads(raw)


def at(body: Any, pointer: str) -> Any:
    """Return what a JSON pointer points at."""
    for step in _steps(pointer):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def put(body: Any, pointer: str, value: Any) -> None:
    """Put a value where a JSON pointer points."""
    *way, last = _steps(pointer)
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body[step]
    body[int(last) if isinstance(body, list) else last] = value


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def play_transcript(api: Api, name: str) -> Iterator[Played]:
    """Play a transcript line by line, with the double's own uids, versions and tokens in place of the recorded ones."""
    answers: list[Any] = []
    for line in lines_of(name):
        path, body = line["path"], deepcopy(line["body"])
        for ref in line.get("refs") or []:
            value = at(answers[ref["line"]], ref["pointer"])
            where, _, pointer = ref["at"].removeprefix("/").partition("/")
            if where == "body":
                put(body, f"/{pointer}", value)
            else:
                word = ref["at"].rpartition("/")[2]
                path = re.sub(rf"([?&]{word}=)[^&]*", rf"\g<1>{value}", path)
        code, answered = send(api, line, path, body)
        answers.append(answered)
        yield Played(line, code, answered)


LEFT_ALONE = {"09_apf", "10_bench", "11_kubectl", "12_bench", "13_restart", "14_gang"}
CUT = ("left_out", "left_out_bytes")


def play_recording(api: Api, name: str) -> Iterator[Played]:
    """Play the writes and refusals of a recording, each upon the state in which its object was last shown.

    Between the recorded exchanges controllers were at work. So before each write the object is put into the state in
    which the recording last showed it, whole; a write on an object never shown whole is left out, and so is what only
    reads (a list, an object), since that would read back what was put there.
    """
    for number, line in enumerate(lines_of(name)):
        line.setdefault("name", str(number))
        target = target_of(line.get("path", "").partition("?")[0])
        response = line.get("response")
        if target is None or response is None or line.get("file") in LEFT_ALONE or line.get("user"):
            continue
        kind = api.kinds.find(target.group, target.version, target.resource)
        if kind is None or _is_cut(line):
            continue
        _make_namespace(api, target, line)
        if _is_replayable(api, kind, target, line):
            code, answered = send(api, line, line["path"], line["body"])
            yield Played(line, code, answered)
        _remember(api, kind, target, line)


def _is_cut(line: dict[str, Any]) -> bool:
    return any(
        isinstance(part, dict) and any(word in part for word in CUT) for part in (line["body"], line["response"])
    )


def _make_namespace(api: Api, target: Target, line: dict[str, Any]) -> None:
    """Create the namespace that a request is in, unless it is about one that is not there."""
    name = target.namespace
    if name and line["status"] != 404 and api.store.get(("", "namespaces"), ("", name)) is None:
        Rest(client(api)).create(namespace(name))


def _is_replayable(api: Api, kind: Kind, target: Target, line: dict[str, Any]) -> bool:
    if line["method"] == "GET":
        return bool(
            line["status"] >= 400 and "resourceVersion" not in line["path"] and not line["name"].endswith("gone")
        )
    if not target.name:
        return bool(line["method"] == "POST" and line["status"] != 409)
    return api.store.get(kind.table, (target.namespace, target.name)) is not None


def _remember(api: Api, kind: Kind, target: Target, line: dict[str, Any]) -> None:
    """Put the objects that an answer shows whole into the double, with their recorded uids and versions."""
    response = line["response"]
    if not isinstance(response, dict) or line["status"] >= 300 or "dryRun" in line["path"]:
        return
    if line["method"] == "DELETE" and kind.plural != "namespaces":
        return
    items = response.get("items") if isinstance(response.get("items"), list) else [response]
    for body in items:
        if isinstance(body, dict) and _is_whole(kind, body) and target.subresource in {"", "status"}:
            _force(api, kind, body)


def _is_whole(kind: Kind, body: dict[str, Any]) -> bool:
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or "uid" not in metadata or body.get("kind", kind.kind) != kind.kind:
        return False
    return "kind" in body or bool({"spec", "data"} & set(body))


def _force(api: Api, kind: Kind, body: dict[str, Any]) -> None:
    body = {"kind": kind.kind, "apiVersion": kind.api_version} | body
    key = (body["metadata"].get("namespace", ""), body["metadata"]["name"])
    before = api.store.get(kind.table, key)
    if before is not None and "managedFields" not in body["metadata"]:
        managed = before.object()["metadata"].get("managedFields")
        body["metadata"] |= {"managedFields": managed} if managed else {}
    api.store.revision = int(body["metadata"]["resourceVersion"]) - 1
    api.store.write(kind.table, key, body, selectable(kind, body))
