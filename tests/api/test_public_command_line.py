"""The command line without a token before a control plane that shows a part to everybody."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scheduler.cli.main import run
from tests.api.test_access import SECRETS, TOKENS

HELP = "help: set HEADROOM_TOKEN, or ask an operator for a token"
SHOWN = (
    ("list",),
    ("list", "--all", "--queue", "research"),
    ("queues",),
    ("models",),
    ("hosts",),
    ("hosts", "ml-serve1014"),
    ("capacity",),
    ("forecast", "edit-check"),
    ("describe", "401"),
    ("describe", "424"),
    ("describe", "edit-check"),
    ("describe", "ml-serve1014"),
    ("describe", "queue/research"),
    ("status",),
)
REFUSED = (
    ("logs", "401"),
    ("events",),
    ("strays",),
    ("models", "history", "edit-check"),
    ("models", "proposals"),
    ("list", "--mine"),
    ("stop", "401"),
    ("stop", "--all-mine"),
    ("hosts", "drain", "ml-serve1012"),
    ("submit", "--entrypoint", "python train.py"),
    ("backup", "headroom.backup"),
)
THEIRS = ("moderation", "of search", "growth", "editing", "power supply", "new labels", "python train.py")


@pytest.fixture
def ask(
    world: Any,
    serve: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Any,
) -> Callable[..., tuple[int, str]]:
    """Run a command line, with a token or without, and return its exit code and all it printed."""
    monkeypatch.setenv("HEADROOM_URL", serve(world.app(tokens=TOKENS, public=True)))
    monkeypatch.delenv("HEADROOM_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)

    def asked(*arguments: str, token: str = "") -> tuple[int, str]:
        if token:
            monkeypatch.setenv("HEADROOM_TOKEN", token)
        code, printed = run(arguments), capsys.readouterr()
        return code, printed.out + printed.err

    return asked


@pytest.mark.parametrize("arguments", SHOWN, ids=" ".join)
def test_what_is_public_is_printed(ask: Any, arguments: tuple[str, ...]) -> None:
    code, printed = ask(*arguments)
    assert code == 0, printed
    assert not [word for word in THEIRS if word in printed], printed


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_all_else_says_that_a_token_is_missing(ask: Any, arguments: tuple[str, ...]) -> None:
    code, printed = ask(*arguments)
    assert code == 4, printed
    assert HELP in printed


def test_a_queue_for_some_is_not_said_to_be_for_everybody(world: Any, ask: Any) -> None:
    shown = world.board.report
    queues = tuple(replace(one, submitters=("ana",) * (one.name == "research")) for one in shown.cycle.snapshot.queues)
    world.publish(replace(shown, cycle=replace(shown.cycle, snapshot=replace(shown.cycle.snapshot, queues=queues))))
    assert "told with a token only" in ask("describe", "queue/research")[1]
    assert "everybody" in ask("describe", "queue/product")[1]
    assert "ana" in ask("describe", "queue/research", token=SECRETS["viewer"])[1]


def test_a_wrong_token_is_refused_where_none_would_do(ask: Any) -> None:
    assert ask("list", token="wrong")[0] == 4  # noqa: S106  # of nobody
