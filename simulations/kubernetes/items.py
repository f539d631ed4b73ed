"""Lists as they are answered: their items stay bytes until somebody needs their values."""

import json

from simulations.kubernetes.events import converted
from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.store import Entry


class Items:
    """A list answer: its entries stay bytes until somebody needs their values."""

    def __init__(self, kind: Kind, metadata: Json, entries: list[Entry]) -> None:
        self.kind, self.metadata, self.entries = kind, metadata, entries

    def encoded(self) -> bytes:
        """Return the list's JSON without reading its items."""
        head = {"kind": f"{self.kind.kind}List", "apiVersion": self.kind.api_version, "metadata": self.metadata}
        start = json.dumps(head, separators=(",", ":"))[:-1]
        if self.kind.plural == "events":
            items = [json.dumps(item).encode() for item in self.objects()]
        else:
            items = [self.kind.shorn(entry.body) for entry in self.entries]
        return start.encode() + b',"items":[' + b",".join(items) + b"]}"

    def objects(self) -> list[Json]:
        """Return the items as values."""
        shown = [in_version(self.kind, entry.object()) for entry in self.entries]
        return shown if self.kind.custom else [_shorn(body) for body in shown]


def _shorn(body: Json) -> Json:
    return {word: value for word, value in body.items() if word not in {"kind", "apiVersion"}}


def in_version(kind: Kind, body: Json) -> Json:
    """Return an object in the version asked for: only events are served in two."""
    if kind.plural != "events":
        return body
    return converted(kind, body)
