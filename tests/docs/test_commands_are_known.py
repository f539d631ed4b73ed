"""Every command that a document gives is one that the command line takes, with all its flags."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from scheduler.cli.main import Commands, _shared_first, app

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "decisions").glob("*.md")))
NAMES = {entry.name for entry in Commands.entries}
OTHERS = {"make", "ray", "export", "kubectl"}
"""Programs that are not ours."""


def parse(words: list[str]) -> None:
    """Read a command line as `headroom` does, and carry out nothing."""
    group: Any = typer.main.get_command(app)
    context, rest = group.make_context("headroom", _shared_first(words)), None
    while hasattr(group, "resolve_command"):
        if not (rest := [*context._protected_args, *context.args]):
            return
        name, group, left = group.resolve_command(context, rest)
        context = group.make_context(name, left, parent=context)


def inline_commands(path: Path) -> list[str]:
    """Return what stands in the text between backticks and begins with `headroom` and a word."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [" ".join(found.split()) for found in re.findall(r"`headroom ([a-z][^`]*)`", text)]


def test_the_parser_of_this_test_refuses_what_the_command_line_refuses() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse(["list", "--no-such-flag"])
    with pytest.raises(Exception, match="no command"):
        parse(["lists"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_blocks_are_known(path: Path, commands_in: Any) -> None:
    for given in commands_in(path):
        program, *words = given.words
        if program in OTHERS:
            continue
        assert program == "headroom", given
        parse(words)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_the_text_exist_with_their_flags(path: Path) -> None:
    for text in inline_commands(path):
        words = text.split()
        names = {word.strip(",") for word in words[0].split("|")}
        assert names <= NAMES, text
        flags = re.findall(r"--[a-z][a-z-]*", text)
        assert all(_takes(min(names), words[1:], flag) for flag in flags), text


def _takes(name: str, rest: list[str], flag: str) -> bool:
    group: Any = typer.main.get_command(app)
    context = group.make_context("headroom", [name])
    command = group.get_command(context, name)
    if hasattr(command, "get_command") and rest and (inner := command.get_command(context, rest[0])) is not None:
        command = inner
    known = {option for param in (*command.params, *group.params) for option in (*param.opts, *param.secondary_opts)}
    return flag in known


UNIT = ROOT / "deploy" / "systemd" / "headroom.service"


def test_the_service_starts_what_the_command_line_knows() -> None:
    started = re.search(r"^ExecStart=\S+/headroom (.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    assert started is not None
    parse(started[1].split())


def test_systemd_takes_the_service(tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("needs systemd-analyze, which this system does not have")
    text = UNIT.read_text(encoding="utf-8").replace("/opt/headroom/bin/headroom", sys.executable)
    (tmp_path / UNIT.name).write_text(text, encoding="utf-8")
    said = subprocess.run([verifier, "verify", tmp_path / UNIT.name], check=False, capture_output=True, text=True)
    assert (said.returncode, [line for line in said.stderr.splitlines() if UNIT.name in line]) == (0, [])
