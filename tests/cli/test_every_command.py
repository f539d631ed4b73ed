"""Every command that asks the control plane, in good weather and in bad.

Found in the command line itself: a command that nobody gave a line here, or in test_every_local_command.py, fails.
"""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from scheduler.cli.main import INTERRUPTED, app, run
from scheduler.wire.base import ErrorAnswer, ErrorBody, Listing, Single
from scheduler.wire.hosts import DrainAnswer, Stray
from scheduler.wire.models import Deployment, Proposal
from scheduler.wire.reload import Change, Reloaded
from tests.cli.model_answers import a_history
from tests.cli.test_every_local_command import LOCAL, WITH_A_SERVER_OF_ITS_OWN
from tests.cli.whatif_answers import a_question

Headroom = Callable[..., Any]
NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)
ASKING = {
    "submit": ["--entrypoint", "true", "--checkpoint-interval", "10m", "--idempotency-key", "once"],
    "list": [],
    "describe": ["417"],
    "logs": ["417"],
    "stop": ["417"],
    "hold": ["417", "--reason", "labels"],
    "resume": ["417"],
    "set-priority": ["417", "high"],
    "hosts": [],
    "hosts cordon": ["ml-serve1012"],
    "hosts uncordon": ["ml-serve1012"],
    "hosts drain": ["ml-serve1012"],
    "strays": [],
    "adopt": [],
    "evict-strays": ["theirs"],
    "models": [],
    "models deploy": ["tone.yaml"],
    "models rollout": ["edit-check", "--pause"],
    "models history": ["edit-check"],
    "models remove": ["edit-check"],
    "models propose": ["tone.yaml"],
    "models proposals": [],
    "models approve": ["tone"],
    "models reject": ["tone", "--reason", "no licence"],
    "queues": [],
    "capacity": [],
    "forecast": ["edit-check"],
    "events": [],
    "status": [],
    "backup": ["kept.backup"],
    "reload": [],
    "whatif": ["--traffic", "x1.5"],
}
"""Commands that ask the control plane, and the rest of a line that it grants."""
LISTS = {
    "list": ("/jobs", "no jobs"),
    "hosts": ("/hosts", "0 hosts"),
    "strays": ("/strays", "0 strays"),
    "models": ("/models", "0 models"),
    "models proposals": ("/proposals", "0 proposals"),
    "queues": ("/queues", "0 queues"),
    "events": ("/events", "no events"),
}
"""Commands that list, where from, and how they say that there is nothing."""
NAMING = {
    "describe": [],
    "logs": [],
    "stop": [],
    "hold": [],
    "resume": [],
    "set-priority": ["high"],
    "hosts": [],
    "hosts cordon": [],
    "hosts uncordon": [],
    "hosts drain": [],
    "evict-strays": [],
    "adopt": [],
    "forecast": [],
    "models rollout": [],
    "models history": [],
    "models remove": [],
    "models approve": [],
    "models reject": [],
}
"""Commands that take a name, and what comes behind it."""
TONE = """
name: tone
capacity: {kind: rate, rps_per_replica: 15}
traffic: enwiki
application: {import_path: "tone.app:build"}
"""
STRAY = Stray(name="theirs", kind="group", owner="b" * 36, gpus=1.0, adoptable=False, why="nothing is known of it")


def leaves(group: Any, before: str = "") -> Iterator[str]:
    """Yield the full name of every command below a group, hidden ones as the group itself."""
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        full = f"{before} {name}".strip()
        if hasattr(command, "list_commands"):
            yield from leaves(command, full)
        else:
            yield before if command.hidden else full


COMMANDS = tuple(leaves(typer.main.get_command(app)))


def line(command: str) -> list[str]:
    return [*command.split(), *ASKING[command]]


class Always(dict[tuple[str, str], object]):
    """One answer to everything."""

    def __init__(self, answer: object) -> None:
        super().__init__()
        self.answer = answer

    def get(self, *_: object) -> object:  # type: ignore[override]  # whatever is asked
        """Answer."""
        return self.answer


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, and do not pause between attempts to submit."""
    monkeypatch.chdir(tmp_path)
    Path("tone.yaml").write_text(TONE)
    monkeypatch.setattr("scheduler.connection.PAUSES_S", (0.0,))


@pytest.fixture
def fair(plane: Any) -> Any:
    """A control plane that grants everything."""
    answers = plane.answers
    answers["POST", "/jobs"] = answers["GET", "/jobs/417"]
    for wish in ("stop", "hold", "resume"):
        answers["POST", f"/jobs/417/{wish}"] = answers["GET", "/jobs/417"]
    answers["PUT", "/jobs/417/priority"] = answers["GET", "/jobs/417"]
    for wish in ("cordon", "uncordon"):
        answers["POST", f"/hosts/ml-serve1012/{wish}"] = answers["GET", "/hosts/ml-serve1012"]
    drained = DrainAnswer(host="ml-serve1012", steps=(), covered=True, empty_at=None, applied=True)
    answers["POST", "/hosts/ml-serve1012/drain"] = Single(kind="Drain", observed_at=NOW, cycle=1, item=drained)
    strays = Listing[Stray](kind="StrayList", observed_at=NOW, cycle=1, items=(STRAY,))
    answers["GET", "/strays"] = answers["POST", "/strays/adopt"] = answers["POST", "/strays/evict"] = strays
    deployed = Deployment(name="tone", revision=1, is_new=True, is_rolled_out=True)
    answers["POST", "/models"] = Single(kind="Deployment", observed_at=NOW, cycle=1, item=deployed)
    known = Single(kind="ModelHistory", observed_at=NOW, cycle=1, item=a_history())
    answers["GET", "/models/edit-check/revisions"] = answers["DELETE", "/models/edit-check"] = known
    answers["POST", "/models/edit-check/rollout"] = known
    answers["POST", "/proposals/tone/approve"] = answers["POST", "/models"]
    proposed = Proposal(name="tone", by="ana", at=NOW)
    answers["GET", "/proposals"] = Listing[Proposal](kind="ProposalList", observed_at=NOW, cycle=1, items=(proposed,))
    for path in ("/proposals", "/proposals/tone/reject"):
        answers["POST", path] = Single(kind="Proposal", observed_at=NOW, cycle=1, item=proposed)
    read = Reloaded(applied=True, changes=(Change(kind="comes", what="queue product"),))
    answers["POST", "/reload"] = Single(kind="Reload", observed_at=NOW, cycle=1, item=read)
    answers["POST", "/whatif"] = a_question(NOW)
    answers["GET", "/jobs/417/logs"] = "step 1\n"
    answers["GET", "/backup"] = "SQLite format 3\0 and so on"
    return plane


def refusing(plane: Any, status: int, message: str = "no", help_: str = "ask somebody") -> None:
    body = ErrorBody(code="Error", message=message, help=help_)
    plane.answers = Always((status, ErrorAnswer(error=body, errors=(body,))))


def test_every_command_is_asked_in_all_weather() -> None:
    assert sorted(COMMANDS) == sorted({*ASKING, *LOCAL, *WITH_A_SERVER_OF_ITS_OWN})


@pytest.mark.parametrize("command", ASKING)
def test_in_good_weather_it_does_its_work_and_complains_of_nothing(command: str, headroom: Headroom, fair: Any) -> None:
    shown = headroom(*line(command))
    assert shown.code == 0, shown.err
    assert shown.out or shown.err
    assert "error" not in shown.err
    assert fair.asked


@pytest.mark.parametrize("command", COMMANDS)
def test_it_explains_every_flag_and_argument(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = command.split()
    assert run([*words, "--help"]) == 0
    assert f"Usage: headroom {command} " in capsys.readouterr().out
    group, context = typer.main.get_command(app), typer.Context(typer.main.get_command(app))
    for word in words:
        group = group.get_command(context, word)  # type: ignore[attr-defined]  # a group
    assert group.help
    assert [param.name for param in group.params if not getattr(param, "help", "") and not param.hidden] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_flag_that_is_none_is_refused_with_where_to_read(command: str, headroom: Headroom, fair: Any) -> None:
    shown = headroom(*command.split(), "--bogus")
    assert (shown.code, shown.out, fair.asked) == (2, "", [])
    assert shown.err.startswith("error: No such option: --bogus")
    assert "--help" in shown.err.splitlines()[-1]


@pytest.mark.parametrize("command", ASKING)
def test_nobody_there_is_said_with_the_address(command: str, headroom: Headroom) -> None:
    shown = headroom(*line(command), "--url", "http://127.0.0.1:1")
    assert (shown.code, shown.out) == (3, "")
    assert shown.err == (
        "error: cannot reach http://127.0.0.1:1 (connection refused)\n"
        'help: is "headroom run" up there? HEADROOM_URL or --url points elsewhere\n'
    )
    assert not Path("kept.backup").exists()


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize(
    ("answered", "code"), [(401, 4), (403, 4), (404, 5), (409, 6), (413, 2), (422, 2), (500, 1), (503, 3)]
)
def test_a_refusal_ends_it_with_the_servers_word(
    command: str, answered: int, code: int, headroom: Headroom, fair: Any
) -> None:
    refusing(fair, answered)
    shown = headroom(*line(command))
    assert (shown.code, shown.out) == (code, "")
    first, help_ = shown.err.splitlines()
    assert first.startswith("error: ")
    assert help_.startswith("help: ")
    assert not Path("kept.backup").exists()


@pytest.mark.parametrize("command", ASKING)
@pytest.mark.parametrize("answer", ["<html>Welcome to nginx!</html>", "", "{}", '{"item": 3, "items": 7}', "[1, 2"])
def test_another_program_at_the_address_is_no_fault_of_ours(
    command: str, answer: str, headroom: Headroom, fair: Any
) -> None:
    fair.answers, fair.types = Always((200, answer)), {}
    shown = headroom(*line(command))
    assert (shown.code, shown.out) == (3, "")
    assert "does not answer as a control plane does" in shown.err
    assert not Path("kept.backup").exists()


@pytest.mark.parametrize("command", ASKING)
def test_an_error_page_of_a_proxy_is_named_by_its_status(command: str, headroom: Headroom, fair: Any) -> None:
    fair.answers = Always((502, "<html>Bad Gateway</html>"))
    shown = headroom(*line(command))
    assert (shown.code, shown.out) == (3, "")
    assert "502" in shown.err


@pytest.mark.parametrize("command", ASKING)
def test_ctrl_c_ends_it_quietly(command: str, headroom: Headroom, fair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    assert fair
    monkeypatch.setattr("httpx.Client.send", interrupted)
    shown = headroom(*line(command))
    assert (shown.code, shown.out, shown.err) == (INTERRUPTED, "", "")
    assert not Path("kept.backup").exists()


@pytest.mark.parametrize("command", ASKING)
def test_a_reader_who_has_gone_is_no_error(command: str, fair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with monkeypatch.context() as patch, open(write, "w", encoding="utf-8") as pipe:  # noqa: PTH123  # a descriptor
        patch.setenv("HEADROOM_URL", fair.url)
        patch.setattr(sys, "stdout", pipe)
        patch.setattr(sys, "stderr", said := io.StringIO())
        assert run(line(command)) == 0
    assert "error" not in said.getvalue()


@pytest.mark.parametrize(
    ("words", "code"), [(["list"], 0), (["--help"], 0), (["list", "--bogus"], 2), (["--url", "http://x:1", "list"], 3)]
)
@pytest.mark.parametrize("errors_too", [False, True])
def test_a_process_that_nobody_reads_ends_with_the_same_code(
    words: list[str],
    code: int,
    errors_too: bool,  # noqa: FBT001  # a table
    fair: Any,
) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "scheduler.cli", *words]
    environment = {**os.environ, "HEADROOM_URL": fair.url}
    errors = write if errors_too else subprocess.PIPE
    done = subprocess.run(command, stdout=write, stderr=errors, text=True, env=environment, check=False)
    os.close(write)
    assert done.returncode == code
    assert "Traceback" not in (done.stderr or "")


@pytest.mark.parametrize("command", LISTS)
def test_nothing_to_list_is_said_beside_an_empty_table(command: str, headroom: Headroom, fair: Any) -> None:
    path, words = LISTS[command]
    fair.gives("GET", path, fair.answers["GET", path].model_copy(update={"items": ()}))
    shown = headroom(*command.split())
    assert shown.code == 0
    assert len(shown.out.splitlines()) == 1, "the head alone"
    assert words in shown.err
    assert json.loads(headroom(*command.split(), "-o", "json").out)["items"] == []
    assert yaml.safe_load(headroom(*command.split(), "-o", "yaml").out)["items"] == []
    assert headroom(*command.split(), "-o", "name").out == "", "no line, so that a loop over it does nothing"


@pytest.mark.parametrize("command", LISTS)
def test_a_long_list_is_shown_whole(command: str, headroom: Headroom, fair: Any) -> None:
    path, _ = LISTS[command]
    whole = fair.answers["GET", path]
    many = tuple(whole.items[number % len(whole.items)] for number in range(3000))
    fair.gives("GET", path, whole.model_copy(update={"items": many}))
    assert len(headroom(*command.split(), "--no-header").out.splitlines()) == 3000
    assert len(headroom(*command.split(), "-o", "name").out.splitlines()) == 3000
    assert len(json.loads(headroom(*command.split(), "-o", "json").out)["items"]) == 3000


@pytest.mark.parametrize("command", NAMING)
@pytest.mark.parametrize("name", ["nobody", "999", "a b", "../../etc", "%00", "x" * 300, "naïve", "模型", ""])
def test_a_name_that_nothing_has_is_answered_as_such(command: str, name: str, headroom: Headroom, plane: Any) -> None:
    for method, path in (("POST", "/strays/evict"), ("POST", "/strays/adopt")):
        plane.fails(method, path, 404, f"no stray {name}", help="headroom strays lists them")
    shown = headroom(*command.split(), "--", name, *NAMING[command])
    if command == "hosts" and not name:
        assert shown.code == 0, "no name: all of them"
        return
    if command == "forecast" and not name:
        assert shown.code == 2, "neither a name nor --pool"
        return
    assert (shown.code, shown.out) == (5, "")
    assert "error: " in shown.err


@pytest.mark.parametrize("command", ASKING)
def test_an_answer_from_a_host_with_escapes_does_not_reach_the_terminal(
    command: str, headroom: Headroom, fair: Any
) -> None:
    """Names and reasons are other people's words: they must not move the cursor or set a title here."""
    evil = "\x1b]0;owned\x07\x1b[2J"
    refusing(fair, 422, f"bad {evil}", f"worse {evil}")
    shown = headroom(*line(command), "--color=never", width=100)
    assert "\x1b" not in shown.out + shown.err
    assert "\x07" not in shown.err
    assert "bad" in shown.err
