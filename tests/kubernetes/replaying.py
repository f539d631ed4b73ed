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
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.watching import Watch

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "k8s"
VOLATILE = {
    "uid", "resourceVersion", "managedFields", "continue", "creationTimestamp", "deletionTimestamp",
    "lastTransitionTime", "lastProbeTime", "lastUpdateTime", "startTime", "timeAdded",
}  # fmt: skip
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
        return bool(steady(self.body) == steady(self.recorded["response"]))


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    with gzip.open(RECORDINGS / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def steady(value: Any) -> Any:
    """Return a body without uids, versions, times and managers."""
    if isinstance(value, dict):
        return {key: steady(each) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(each) for each in value]
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
