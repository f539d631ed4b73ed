"""The output format may stand before the command or behind it, and means the same; amounts agree with their nouns."""

import json
from typing import Any

import pytest

from scheduler.cli.main import _output_last
from scheduler.model.counting import counted, plural


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["-o", "json", "list"], ["list", "-o", "json"]),
        (["-ojson", "list"], ["list", "-ojson"]),
        (["--output=json", "list", "--all"], ["list", "--all", "--output=json"]),
        (["--utc", "-o", "yaml", "hosts", "drain", "a"], ["--utc", "hosts", "drain", "a", "-o", "yaml"]),
        (["--url", "http://h", "--output", "json", "list"], ["--url", "http://h", "list", "--output", "json"]),
        (["-o", "json", "hold", "--", "-1"], ["hold", "-o", "json", "--", "-1"]),
        (["list", "-o", "json"], ["list", "-o", "json"]),
        (["simulate", "s.yaml", "-o", "x"], ["simulate", "s.yaml", "-o", "x"]),
        (["--url", "-o", "list"], ["--url", "-o", "list"]),
        (["--", "-o", "json"], ["--", "-o", "json"]),
        (["-o"], ["-o"]),
        ([], []),
    ],
)
def test_the_format_is_moved_behind_the_command(written: list[str], read: list[str]) -> None:
    assert _output_last(written) == read


@pytest.mark.parametrize("command", [["list"], ["hosts"], ["models"], ["status"], ["events"], ["queues"]])
def test_both_places_print_the_same(headroom: Any, command: list[str]) -> None:
    behind = headroom(*command, "-o", "json")
    assert behind.code == 0
    json.loads(behind.out)
    for before in (["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]):
        assert headroom(*before, *command).out == behind.out


def test_an_error_is_json_too(headroom: Any) -> None:
    assert json.loads(headroom("-o", "json", "describe", "471").err)["error"]["message"]


def test_amounts_agree_with_their_nouns() -> None:
    assert [plural(count, "worker") for count in (0, 1, 2)] == ["0 workers", "1 worker", "2 workers"]
    amounts = [counted(amount, "GPU") for amount in (0.0, 0.5, 1.0, 1.5, 8.0)]
    assert amounts == ["0 GPUs", "0.5 GPU", "1 GPU", "1.5 GPUs", "8 GPUs"]


def test_pages_say_where_the_next_one_is(headroom: Any, plane: Any) -> None:
    for path, command, cursor in (("/jobs", "list", "order-7"), ("/events", "events", "7")):
        plane.gives("GET", path, plane.answers["GET", path].model_copy(update={"next": cursor}))
        said = headroom(command, "--limit", "3", "--cursor", cursor)
        assert said.code == 0
        assert f"--cursor {cursor}" in said.err
        assert plane.of("GET", path)[-1].query.items() >= {"limit": "3", "cursor": cursor}.items()
