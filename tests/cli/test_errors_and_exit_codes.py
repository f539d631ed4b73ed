"""What goes wrong, in exactly these words, on stderr, with the exit code that the help promises."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli.main import Commands, run

Headroom = Callable[..., Any]
HEAVY = {
    "ray",
    "pandas",
    "numpy",
    "scipy",
    "fastapi",
    "sqlalchemy",
    "bokeh",
    "matplotlib",
    "simulations",
    "forecasting",
}


@pytest.mark.parametrize(
    ("arguments", "code", "error", "help_"),
    [
        (["describe", "47"], 5, "no job 47", "did you mean 417 talkpage-tone? headroom list --all"),
        (["describe", "talk"], 5, "no job talk", "did you mean 417 talkpage-tone? headroom list --all"),
        (["describe", "zzz"], 5, "no job zzz", "headroom list --all"),
        (["lst"], 2, 'no command "lst"', 'did you mean "list"? all commands: headroom --help'),
        (["frobnicate"], 2, 'no command "frobnicate"', "all commands: headroom --help"),
        (["list", "--bogus"], 2, "No such option: --bogus", "headroom list --help"),
        (["list", "-o", "xml"], 2, None, "headroom list --help"),
        (["describe"], 2, None, "headroom describe --help"),
        (["hosts", "cordon"], 2, None, "headroom hosts cordon --help"),
        (["explain", "job", "nothing"], 5, "no key nothing in job", "headroom explain job"),
        (["--url", "nowhere", "list"], 2, '"nowhere" is not a URL', "begin it with http:// or https://"),
        (["list", "--url", "http://127.0.0.1:1"], 3, "cannot reach http://127.0.0.1:1 (connection refused)",
         'is "headroom run" up there? HEADROOM_URL or --url points elsewhere'),
        (["submit", "none.yaml"], 2, "none.yaml: cannot be read: No such file or directory", "check the path"),
        (["capacity", "--until", "later"], 2, '--until: "later" is not a duration', "30s, 10m, 6h, 2d or 1d12h"),
    ],
)  # fmt: skip
def test_each_error_says_what_and_what_to_do(  # one row of the table and one fixture
    arguments: list[str], code: int, error: str | None, help_: str, headroom: Headroom
) -> None:
    shown = headroom(*arguments)
    assert (shown.code, shown.out) == (code, "")
    said = shown.err.splitlines()
    assert said[-1] == f"help: {help_}"
    assert said[0] == f"error: {error}" if error else said[0].startswith("error: ")


def test_two_jobs_with_a_name_need_a_number_or_latest(headroom: Headroom, plane: Any) -> None:
    first, second, *others = plane.answers["GET", "/jobs"].items
    twins = (first.model_copy(update={"name": "train"}), second.model_copy(update={"name": "train"}), *others)
    plane.gives("GET", "/jobs", plane.answers["GET", "/jobs"].model_copy(update={"items": twins}))
    shown = headroom("describe", "train")
    assert (shown.code, shown.err) == (
        2, 'error: 2 jobs are called "train" (409, 398)\nhelp: use the number, or --latest\n',
    )  # fmt: skip
    assert headroom("describe", "train", "--latest", "-o", "name").out == "409\n"


@pytest.mark.parametrize(
    ("answered", "code"), [(401, 4), (403, 4), (404, 5), (409, 6), (422, 2), (500, 1), (502, 3), (503, 3)]
)
def test_the_servers_word_decides_the_exit_code(answered: int, code: int, headroom: Headroom, plane: Any) -> None:
    plane.fails(
        "GET", "/hosts", answered, "role submitter may not drain hosts", help="ask for a token with role operator"
    )
    shown = headroom("hosts")
    assert (shown.code, shown.out) == (code, "")
    assert shown.err == "error: role submitter may not drain hosts\nhelp: ask for a token with role operator\n"


def test_faults_of_a_file_come_all_at_once_with_their_lines(headroom: Headroom, plane: Any, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("name: x\nresorces: {}\nresources: {gpus: -1}\n", encoding="utf-8")
    shown = headroom("submit", str(file))
    assert shown.code == 2
    assert shown.err == (
        f"error: {file}: entrypoint is missing\n"
        'help: entrypoint: python train.py     (or --entrypoint "python train.py")\n'
        f'error: {file}:2: unknown key "resorces"\n'
        'help: did you mean "resources"? all keys: headroom explain job\n'
        f"error: {file}:3: resources.gpus: -1 is not a size\n"
        "help: use 0 or more; fractions of one GPU (0.25, 0.5) are allowed below 1\n"
    )
    assert plane.asked == []


@pytest.mark.parametrize("flag", [["-o", "json"], ["--output", "json"], ["-ojson"], ["--output=json"]])
def test_errors_are_json_where_results_would_be(flag: list[str], headroom: Headroom, tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("entrypoint: x\n\n\nresorces: {}\n", encoding="utf-8")
    shown = headroom("submit", str(file), *flag)
    assert (shown.code, shown.out) == (2, "")
    assert json.loads(shown.err)["error"] == {
        "code": "UnknownField", "message": 'unknown key "resorces"', "file": str(file), "line": 4, "field": "resorces",
        "help": 'did you mean "resources"? all keys: headroom explain job',
    }  # fmt: skip


def test_errors_are_coloured_on_a_terminal_only(headroom: Headroom) -> None:
    assert headroom("lst", width=80).err.startswith("\x1b[31merror:\x1b[0m no command")
    assert "\x1b" not in headroom("lst").err
    assert "\x1b" not in headroom("lst", "--color=never", width=80).err


def test_a_fault_of_our_own_is_called_one(headroom: Headroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        message = "ouch"
        raise ZeroDivisionError(message)

    monkeypatch.setattr("scheduler.client.Client.hosts", broken)
    shown = headroom("hosts")
    assert shown.code == 1
    assert shown.err == (
        "error: a fault of Headroom itself: ZeroDivisionError: ouch\n"
        "help: run it again with --debug and report what it prints\n"
    )
    with pytest.raises(ZeroDivisionError):
        headroom("hosts", "--debug")


def test_ctrl_c_ends_quietly(headroom: Headroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scheduler.client.Client.hosts", interrupted)
    shown = headroom("hosts")
    assert (shown.code, shown.out, shown.err) == (130, "", "")


def test_watch_shows_each_change_on_a_pipe(headroom: Headroom, plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = plane.answers["GET", "/jobs"]
    answers = iter([whole, whole, whole.model_copy(update={"items": whole.items[:1]})])

    def answer(_: object) -> object:
        try:
            return next(answers)
        except StopIteration:
            return 503, "gone"

    plane.gives("GET", "/jobs", answer)
    monkeypatch.setattr("time.sleep", lambda _: None)
    shown = headroom("list", "--watch", "-o", "name")
    assert shown.out == "398\n409\n417\n420\n424\n398\n"
    assert shown.code == 3


def test_watch_redraws_a_terminal(headroom: Headroom, plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([plane.answers["GET", "/hosts"]])
    plane.gives("GET", "/hosts", lambda _: next(answers, (503, "gone")))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert headroom("hosts", "--watch", width=100).out.startswith("\x1b[H\x1b[2J\x1b[2mHOST\x1b[0m")


def test_the_help_promises_the_exit_codes_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for line in ("0  done", "1  the work failed", "2  bad input", "3  the control plane cannot", "4  not permitted",
                 "5  no such thing", "6  the state moved on"):  # fmt: skip
        assert line in out
    for entry in Commands.entries:
        assert f"\n  {entry.name} " in out
        assert entry.summary in out


@pytest.mark.parametrize("name", [entry.name for entry in Commands.entries])
def test_every_command_is_there_and_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert f"Usage: headroom {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["list"], ["hosts"], ["submit", "--entrypoint", "x"], ["--help"], ["stop", "409"]]
)
def test_client_commands_load_nothing_heavy(arguments: list[str], plane: Any) -> None:
    plane.gives("POST", "/jobs", plane.answers["GET", "/jobs/417"])
    plane.gives("POST", "/jobs/409/stop", plane.answers["GET", "/jobs/409"])
    script = (
        "import sys; from scheduler.cli.main import run; code = run(sys.argv[1:]); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        check=True, capture_output=True, text=True, env={**os.environ, "HEADROOM_URL": plane.url},
    )  # fmt: skip
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def _completed(words: str, plane: Any) -> list[str]:
    environment = {
        **os.environ, "HEADROOM_URL": plane.url, "_HEADROOM_COMPLETE": "complete_bash", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }  # fmt: skip
    script = "from scheduler.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=environment)
    return done.stdout.split()


def test_the_shell_completes_commands_jobs_and_hosts(plane: Any) -> None:
    assert _completed("headroom de", plane) == ["describe", "demo"]
    assert _completed("headroom describe 41", plane) == ["417"]
    assert _completed("headroom stop 40", plane) == ["409"]
    assert _completed("headroom hosts drain ml-serve1012", plane) == ["ml-serve1012"]
    plane.url = "http://127.0.0.1:1"
    assert _completed("headroom describe 41", plane) == []


def test_the_installed_command_runs_this_module() -> None:
    from importlib.metadata import entry_points  # noqa: PLC0415  # only this test looks at the installation

    (found,) = entry_points(group="console_scripts", name="headroom")
    assert found.value == "scheduler.cli.main:main"


def test_a_reader_that_goes_away_is_no_error(plane: Any) -> None:
    script = "from scheduler.cli.main import main; main()"
    writer = subprocess.Popen(
        [sys.executable, "-c", script, "list"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "HEADROOM_URL": plane.url},
    )  # fmt: skip
    assert writer.stdout is not None
    writer.stdout.close()
    _, err = writer.communicate(timeout=60)
    assert b"Traceback" not in err
    assert b"error" not in err
