"""What is otherwise in one `cluster.yaml` than in another: what comes, changes and goes, in the file's own words."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from scheduler.config.schema import Config
from scheduler.control.models.draft import changes
from scheduler.model.counting import plural
from scheduler.model.queues import DEFAULT_QUEUE

Kind = Literal["comes", "changes", "goes"]
Entries = Mapping[str, object]
NAMED: Final = {"model": "models", "queue": "queues", "priority": "priorities", "traffic": "traffic", "token": "tokens"}
"""Sections of many entries, by what one of them is called."""
WHOLE: Final = ("policy", "control", "limits", "retention", "api")
"""Sections of single values."""
IN_ORDER: Final = ("models", "queues")
"""Sections in which it counts who comes first."""
DIGEST: Final = "sha256"
"""Of a token; it is told that it is another one, not which."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One entry that is otherwise.

    Attributes:
        kind: whether it comes, changes or goes.
        what: "model edit-check", "queue research", or the name of a section.
        details: a sentence for each key that is otherwise, and what becomes of what depends on it.
    """

    kind: Kind
    what: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it as a sentence."""
        said = f"{self.what} {self.kind}"
        return f"{said} ({'; '.join(self.details)})" if self.details else said


def differences(
    before: Config, after: Config, *, queued: Mapping[str, int] | None = None, stored: frozenset[str] = frozenset()
) -> tuple[Difference, ...]:
    """Return what is otherwise, section by section.

    Args:
        before: what counts now.
        after: what is to count.
        queued: open jobs of each queue, to say what becomes of them.
        stored: models that the store owns: whatever the file says of them counts no more.
    """
    old, new = _sections(before), _sections(after)
    found = list[Difference]()
    for one, section in NAMED.items():
        gone = {name: _goes(one, name, queued or {}) for name in old[section].keys() - new[section].keys()}
        changed = _named(one, old[section], new[section], gone)
        found += (_of_the_store(each, stored) if one == "model" else each for each in changed)
        found += _order(section, old[section], new[section])
    for section in WHOLE:
        if details := changes(json.dumps(old[section]), json.dumps(new[section])):
            found.append(Difference("changes", section, details))
    return tuple(found)


def _sections(config: Config) -> dict[str, dict[str, object]]:
    read = json.loads(config.model_dump_json())
    lists = {"models": read["models"], "queues": read["queues"], "tokens": read["api"]["tokens"]}
    named = {section: {entry["name"]: entry for entry in entries} for section, entries in lists.items()}
    read["api"] = {"public": read["api"]["public"]}  # tokens are told one by one, and the rest cannot change
    return {**named, **{section: read[section] for section in (*WHOLE, "priorities", "traffic")}}


def _named(one: str, old: Entries, new: Entries, gone: Mapping[str, tuple[str, ...]]) -> Iterator[Difference]:
    for name in new:
        if name not in old:
            yield Difference("comes", f"{one} {name}", _comes(one, new[name]))
        elif old[name] != new[name]:
            yield Difference("changes", f"{one} {name}", _changes(one, old[name], new[name]))
    yield from (Difference("goes", f"{one} {name}", gone[name]) for name in old if name in gone)


def _comes(one: str, entry: object) -> tuple[str, ...]:
    if one == "token" and isinstance(entry, Mapping):
        return (f"role: {entry['role']}",)
    return (str(entry),) if one == "priority" else ()


def _changes(one: str, old: object, new: object) -> tuple[str, ...]:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return (f"{old} → {new}", "jobs that are there keep theirs")
    if one == "token" and old[DIGEST] != new[DIGEST]:
        old, new = {**old, DIGEST: ""}, {**new, DIGEST: "another one"}
    return changes(json.dumps(old), json.dumps(new))


def _goes(one: str, name: str, queued: Mapping[str, int]) -> tuple[str, ...]:
    """Return what becomes of what depends on something that goes."""
    if one == "model":
        return ("its replicas answer until all other models are ready, an hour at most",)
    if one == "queue" and name == DEFAULT_QUEUE:
        return ("it stays, without terms",)
    if one == "queue" and queued.get(name):
        jobs = f"{plural(queued[name], 'job')} {'is' if queued[name] == 1 else 'are'}"
        return (f"takes no more; shown as removed until {jobs} over",)
    return ("jobs that have it keep it",) if one == "priority" else ()


def _order(section: str, old: Entries, new: Entries) -> Iterator[Difference]:
    kept, now = [name for name in old if name in new], [name for name in new if name in old]
    if section in IN_ORDER and kept != now:
        yield Difference("changes", f"order of {section}", (", ".join(new),))


def _of_the_store(one: Difference, stored: frozenset[str]) -> Difference:
    if one.what.removeprefix("model ") not in stored:
        return one
    return Difference(one.kind, one.what, ("the model belongs to the store: it stays as it was deployed",))
