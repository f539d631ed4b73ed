"""What is otherwise in a file that is read again: told in its own words, with nothing left out and no secret told."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from scheduler.config.differing import NAMED, WHOLE, differences
from scheduler.config.fixed import FIXED, fixed_faults
from scheduler.config.loading import load_config, load_with_lines
from scheduler.config.ownership import ownership_faults
from scheduler.config.schema import Config
from scheduler.config.yaml_file import Document

Cluster = Callable[..., Path]
HASH, OTHER = "a" * 64, "b" * 64
TOKEN = f"tokens: [{{name: a, role: viewer, sha256: {HASH}}}]"


def said(cluster: Cluster, before: str, after: str, **more: object) -> list[str]:
    """Return what is told when lines are added to a small file, and then others in their place."""
    old, new = (load_config(cluster(("cluster: small\n", f"cluster: small\n{text}\n"))) for text in (before, after))
    return [str(one) for one in differences(old, new, **more)]  # type: ignore[arg-type]  # of the caller


def keys_of(section: type[BaseModel], *names: str) -> set[tuple[str, ...]]:
    return {(*names, name) for name in section.model_fields}


def test_every_key_of_the_file_is_told_when_it_changes_or_needs_a_restart() -> None:
    single = keys_of(Config) - {("control",), ("api",)}
    whole = single | keys_of(Config.model_fields["api"].annotation, "api")  # type: ignore[arg-type]  # a section
    of_api = {"tokens": ("api", "tokens"), "api": ("api", "public")}
    told = {of_api.get(name, (name,)) for name in (*NAMED.values(), *WHOLE)} - {("control",)}
    assert whole == told | set(FIXED) - {("control", "period")}


def test_a_file_as_it_was_differs_in_nothing(cluster: Cluster) -> None:
    assert said(cluster, "", "") == []
    assert said(cluster, "queues: [default]", "queues: [{name: default}]") == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("queues: [default]", "queues: [default, a]", ["queue a comes"]),
        ("queues: [a, b]", "queues: [b, a]", ["order of queues changes (b, a)"]),
        ("queues: [a]", "queues: [{name: a, weight: 2}]", ["queue a changes (weight: 1.0 → 2.0)"]),
        ("queues: [default]", "queues: [a]", ["queue a comes", "queue default goes (it stays, without terms)"]),
        ("priorities: {a: 1}", "priorities: {a: 2}", ["priority a changes (1 → 2; jobs that are there keep theirs)"]),
        ("policy: {bookings: 1}", "policy: {bookings: 2}", ["policy changes (bookings: 1 → 2)"]),
        (f"api: {{{TOKEN}}}", f"api: {{public: true, {TOKEN}}}", ["api changes (public: false → true)"]),
        ("", "control: {margin: 0.2}", ["control changes (margin: 0.15 → 0.2)"]),
        ("", "retention: {jobs: 0}", ["retention changes (jobs: 7776000.0 → 0.0)"]),
        ("", "limits: {pending_jobs_per_owner: 5}", ["limits changes (pending_jobs_per_owner: 1000 → 5)"]),
    ],
)
def test_what_is_otherwise_is_told_in_the_words_of_the_file(
    before: str, after: str, words: list[str], cluster: Cluster
) -> None:
    assert said(cluster, before, after) == words


def test_of_tokens_it_is_told_whose_and_never_which(cluster: Cluster) -> None:
    def tokens(*entries: str) -> str:
        return f"api: {{tokens: [{', '.join(entries)}]}}"

    ada, again = (f"{{name: ada, role: viewer, sha256: {digest}}}" for digest in (HASH, OTHER))
    eve = f"{{name: eve, role: operator, sha256: {HASH}}}"
    told = said(cluster, tokens(ada), tokens(again, eve))
    assert told == ["token ada changes (sha256: another one)", "token eve comes (role: operator)"]
    assert said(cluster, tokens(ada), tokens()) == ["token ada goes"]


def test_of_a_queue_that_goes_it_is_told_what_becomes_of_its_jobs(cluster: Cluster) -> None:
    told = said(cluster, "queues: [default, a]", "queues: [default]", queued={"a": 2})
    assert told == ["queue a goes (takes no more; shown as removed until 2 jobs are over)"]


def test_of_an_environment_it_is_told_only_that_it_is_another_one(cluster: Cluster) -> None:
    def with_secret(secret: str) -> Config:
        runs = f"application: {{import_path: 'a:b', runtime_env: {{env_vars: {{KEY: {secret}}}}}}}"
        return load_config(cluster(("served_elsewhere: true", runs)))

    (one,) = differences(with_secret("one"), with_secret("two"))
    assert str(one) == "model edit-check changes (application.runtime_env: another one)"


def test_what_needs_a_restart_is_said_so_with_its_line(cluster: Cluster) -> None:
    before = load_config(cluster())
    after, document = load_with_lines(cluster(("cluster: small", "cluster: large"), ("gpus: 4", "gpus: 5")))
    faults = list(fixed_faults(before, after, document))
    assert [(fault.field, fault.line) for fault in faults] == [("cluster", 1), ("backend", 2)]
    assert {fault.code for fault in faults} == {"NeedsRestart"}
    assert "restart the control plane" in faults[0].help
    assert list(fixed_faults(before, before, document)) == []


def test_what_replicas_are_cannot_change_in_place_but_of_those_that_others_run(cluster: Cluster) -> None:
    def asks(text: str, gpus: int) -> tuple[Config, Document]:
        return load_with_lines(cluster(("    served_elsewhere: true", f"    {text}\n    resources: {{gpus: {gpus}}}")))

    ours, others = "application: {import_path: 'a:b'}", "served_elsewhere: true"
    before, (after, document) = asks(ours, 1)[0], asks(ours, 2)
    (fault,) = fixed_faults(before, after, document)
    assert (fault.field, fault.line) == ("models.0.resources", 13)
    assert "--take-over" in fault.help
    assert list(fixed_faults(before, after, document, ["edit-check"])) == []
    assert list(fixed_faults(asks(others, 1)[0], *asks(others, 2))) == []
    (flipped,) = fixed_faults(asks(others, 1)[0], *asks(ours, 1))
    assert flipped.field == "models.0.application"


def test_what_the_store_owns_or_needs_is_refused_with_its_line(cluster: Cluster) -> None:
    before = load_config(cluster())
    more = "  - {name: mine, capacity: {kind: rate, rps_per_replica: 1}, traffic: wiki, served_elsewhere: true}\n"
    path = cluster()
    path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    after, document = load_with_lines(path)
    (fault,) = ownership_faults(before, after, document, {"mine", "edit-check"}, {"mine": {"wiki"}})
    assert (fault.field, fault.line) == ("models.1.name", 13)
    renamed, lines = load_with_lines(cluster(("  wiki:", "  other:"), ("traffic: wiki", "traffic: other")))
    (fault,) = ownership_faults(before, renamed, lines, set(), {"mine": {"wiki"}})
    assert (fault.field, fault.line) == ("traffic", 6)
    assert "headroom models remove mine" in fault.help
