"""`headroom reload` shows what comes, changes and goes, and says from when it counts."""

import json
from collections.abc import Callable
from typing import Any

from scheduler.wire.base import Single
from scheduler.wire.reload import Change, Reloaded
from tests.cli.conftest import CYCLE, NOW

CHANGES = (
    Change(kind="comes", what="queue product"),
    Change(kind="changes", what="model tone", details=("max_replicas: 3 → 2",)),
    Change(kind="goes", what="traffic dewiki"),
)
Headroom = Callable[..., Any]


def answers(plane: Any, *changes: Change, applied: bool = True) -> None:
    item = Reloaded(applied=applied, changes=changes)
    plane.gives("POST", "/reload", Single(kind="Reload", observed_at=NOW, cycle=CYCLE, item=item))


def test_it_shows_a_row_a_change(headroom: Headroom, plane: Any) -> None:
    answers(plane, *CHANGES)
    shown = headroom("reload", "--color=never", width=100)
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["IT", "WHAT", "DETAIL"]
    assert [line[0] for line in lines[1:]] == ["comes", "changes", "goes"]
    assert "max_replicas: 3 → 2" in shown.out
    assert shown.err == "this counts from the next turn on\n"
    assert plane.of("POST", "/reload")[0].json == {"dry_run": False}


def test_a_dry_run_says_that_nothing_was_changed(headroom: Headroom, plane: Any) -> None:
    answers(plane, *CHANGES, applied=False)
    shown = headroom("reload", "--dry-run")
    assert shown.err == "nothing was changed: this is what would be\n"
    assert plane.of("POST", "/reload")[0].json == {"dry_run": True}


def test_a_file_as_it_was_is_said_to_be_so(headroom: Headroom, plane: Any) -> None:
    answers(plane, applied=False)
    shown = headroom("reload")
    assert (shown.out, shown.err) == ("", "the file is as it was: nothing is changed\n")
    assert json.loads(headroom("reload", "-o", "json").out)["item"] == {"applied": False, "changes": []}


def test_programs_get_names_or_all_of_it(headroom: Headroom, plane: Any) -> None:
    answers(plane, *CHANGES)
    assert headroom("reload", "-o", "name").out.splitlines() == ["queue product", "model tone", "traffic dewiki"]
    assert json.loads(headroom("reload", "-o", "json").out)["item"]["changes"][1]["details"] == ["max_replicas: 3 → 2"]


def test_what_is_refused_is_shown_with_file_and_line(headroom: Headroom, plane: Any) -> None:
    plane.fails("POST", "/reload", 422, "store cannot change", file="/etc/cluster.yaml", line=3, help="restart")
    shown = headroom("reload")
    assert (shown.code, shown.out) == (2, "")
    assert shown.err == "error: /etc/cluster.yaml:3: store cannot change\nhelp: restart\n"
