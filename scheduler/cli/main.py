"""The command `headroom`: its commands by name, the flags they share, and what each exit code means."""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Annotated, Final

import typer
from typer.exceptions import Abort, Exit, TyperException

from scheduler.cli.errors import show_error
from scheduler.cli.lazy import Entry, LazyGroup
from scheduler.cli.screen import Color, Screen
from scheduler.cli.session import Session
from scheduler.model.errors import ConfigError, HeadroomError, InvariantBroken

EPILOG: Final = """\
\b
Exit codes:
  0  done
  1  the work failed (a job failed under --wait, a drain was refused)
  2  bad input
  3  the control plane cannot be reached
  4  not permitted
  5  no such thing
  6  the state moved on, ask again

\b
Environment:
  HEADROOM_URL    address of the control plane (http://127.0.0.1:8321)
  HEADROOM_TOKEN  bearer token, where the control plane wants one
  NO_COLOR        no colours

The flags above may stand before or after the command.
"""
INTERRUPTED: Final = 130
_FLAGS: Final = frozenset({"--utc", "--no-header", "--debug"})
_FLAGS_WITH_VALUE: Final = frozenset({"--url", "--color"})
_OUTPUT: Final = frozenset({"-o", "--output"})
_OUTPUT_WITH_VALUE: Final = ("-o", "--output=")


class Commands(LazyGroup):
    """All commands of Headroom."""

    entries = (
        Entry("submit", "scheduler.cli.submitting", "submit", "Submit a training job, from a file or by flags."),
        Entry("list", "scheduler.cli.listing", "list_jobs", "List training jobs: where they run, or why they wait."),
        Entry("describe", "scheduler.cli.describing", "describe", "Show everything about a job, model, host or queue."),
        Entry("logs", "scheduler.cli.logs", "logs", "Print what a job wrote; -f follows it across preemptions."),
        Entry("stop", "scheduler.cli.wishes", "stop", "End jobs for good."),
        Entry("hold", "scheduler.cli.wishes", "hold", "Let jobs give up their room and wait."),
        Entry("resume", "scheduler.cli.wishes", "resume", "Let held jobs run again."),
        Entry("set-priority", "scheduler.cli.wishes", "set_priority", "Give jobs another priority class."),
        Entry("hosts", "scheduler.cli.hosts", "app", "List hosts; cordon, drain and uncordon them."),
        Entry("strays", "scheduler.cli.strays", "strays", "List what others run on the cluster."),
        Entry("adopt", "scheduler.cli.strays", "adopt", "Take strays over."),
        Entry("evict-strays", "scheduler.cli.strays", "evict", "End strays for good."),
        Entry("models", "scheduler.cli.models", "app", "List served models; deploy, roll out and remove them."),
        Entry("queues", "scheduler.cli.queues", "queues", "List queues: guarantees, use, and who waits."),
        Entry("capacity", "scheduler.cli.capacity", "capacity", "Say whether serving is covered, and until when."),
        Entry("forecast", "scheduler.cli.forecast", "forecast", "Show the forecast of a model, or of a file."),
        Entry("events", "scheduler.cli.events", "events", "List what happened."),
        Entry("status", "scheduler.cli.status", "status", "Show the state of the control plane itself."),
        Entry("explain", "scheduler.cli.explaining", "explain", "List the keys of the files that people write."),
        Entry("run", "scheduler.cli.run", "run", "Start the control plane."),
        Entry("reload", "scheduler.cli.reload", "reload", "Have the control plane read cluster.yaml again."),
        Entry("backup", "scheduler.cli.backups", "backup", "Write the store to one file, while it is in use."),
        Entry("restore", "scheduler.cli.backups", "restore", "Put a backup in the place of a store."),
        Entry("demo", "scheduler.cli.demo", "demo", "Show the whole loop on this machine, on recorded traffic."),
        Entry("whatif", "scheduler.cli.whatif", "whatif", "Say what would be otherwise from now on."),
        Entry("simulate", "scheduler.cli.simulate", "simulate", "Run a scenario on a virtual clock."),
        Entry("size", "scheduler.cli.sizing", "size", "Find the smallest set of hosts that keeps objectives."),
        Entry("compare", "scheduler.cli.comparing", "compare", "Compare outcomes of simulations, with a report."),
        Entry("replay", "scheduler.cli.replaying", "replay", "Plan recorded turns again, and say what differs."),
        Entry("bench", "scheduler.cli.bench", "app", "Measure packing, queueing, victims, planning, chaos."),
        Entry("backtest", "scheduler.cli.backtesting", "backtest", "Measure forecasts on recorded traffic."),
    )


app = typer.Typer(
    cls=Commands,
    name="headroom",
    epilog=EPILOG,
    rich_markup_mode=None,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001  # typer calls it so
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415  # slow, and seldom asked for

        typer.echo(f"headroom {version('headroom-scheduler')}")
        raise typer.Exit


@app.callback()
def headroom(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    url: Annotated[str, typer.Option(help="Address of the control plane.", show_default=False)] = "",
    color: Annotated[Color, typer.Option(help="When to colour.")] = Color.AUTO,
    utc: Annotated[bool, typer.Option("--utc", help="Show times in UTC.")] = False,
    no_header: Annotated[bool, typer.Option("--no-header", help="Leave out the heads of tables.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show stack traces.")] = False,  # noqa: ARG001  # see `run`
    version: Annotated[  # noqa: ARG001  # its callback acts
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keep serving covered through the peaks, and train in all that the peaks leave free."""
    session = Session(url=url, color=color, utc=utc, header=not no_header)
    context.obj = session
    context.call_on_close(session.close)


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are printed, with all their faults."""
    debug = "--debug" in arguments
    try:
        return _run(arguments)
    except HeadroomError as error:
        if debug:
            raise
        return _failed(error, arguments)
    except TyperException as error:
        return _failed(ConfigError(error.format_message(), help=_usage(error)), arguments)
    except (KeyboardInterrupt, Abort):
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        said = f"a fault of Headroom itself: {type(error).__name__}: {error}"
        return _failed(InvariantBroken(said, help="run it again with --debug and report what it prints"), arguments)


def _run(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(_shared_first(arguments), prog_name="headroom", standalone_mode=False)
    except Exit as ended:
        code = ended.exit_code
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _say_no_more()  # whoever read has gone; typer calls that an exit
        return 0
    return code if isinstance(code, int) else 0


def _shared_first(arguments: Sequence[str]) -> list[str]:
    """Move the flags that all commands share to the front, where their one declaration reads them."""
    shared: list[str] = []
    others: list[str] = []
    rest = iter(_output_last(arguments))
    for argument in rest:
        if argument == "--":
            others += [argument, *rest]
        elif argument in _FLAGS or argument.partition("=")[0] in _FLAGS_WITH_VALUE:
            shared.append(argument)
            if argument in _FLAGS_WITH_VALUE:
                shared += [value for value in (next(rest, None),) if value is not None]
        else:
            others.append(argument)
    return shared + others


def _output_last(arguments: Sequence[str]) -> list[str]:
    """Move an output format that stands before the command behind it, where the command's own declaration reads it."""
    place = 0
    while place < len(arguments) and arguments[place].startswith("-") and arguments[place] != "--":
        flag = arguments[place]
        width = 2 if flag in _OUTPUT | _FLAGS_WITH_VALUE else 1
        if flag in _OUTPUT or flag.startswith(_OUTPUT_WITH_VALUE):
            moved, rest = arguments[place : place + width], [*arguments[:place], *arguments[place + width :]]
            end = rest.index("--") if "--" in rest else len(rest)
            return [*rest[:end], *moved, *rest[end:]]
        place += width
    return list(arguments)


def _failed(error: HeadroomError, arguments: Sequence[str]) -> int:
    wants_json = any(
        text in {"-ojson", "--output=json"} or (before in {"-o", "--output"} and text == "json")
        for before, text in zip(("", *arguments), arguments, strict=False)
    )
    try:
        show_error(error, Screen.of(os.environ, color=_color(arguments)), as_json=wants_json)
    except BrokenPipeError:
        _say_no_more()
    return error.exit_code


def _color(arguments: Sequence[str]) -> Color:
    """Return when to colour, as far as a line that may be wrong says so."""
    said = [text.partition("=")[2] for text in arguments if text.startswith("--color=")]
    said += [text for before, text in pairwise(arguments) if before == "--color"]
    return Color(said[-1]) if said and said[-1] in set(Color) else Color.AUTO


def _say_no_more() -> None:
    """Let what is still to be written go nowhere, so that the end of the process does not fail of it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a stream without a file has no reader who could go
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _usage(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'headroom'} --help"
