"""`headroom demo`: the whole loop on this machine, on recorded Wikipedia traffic, in about five minutes."""

import json
import signal
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.output_files import check_file
from scheduler.cli.session import Session

if TYPE_CHECKING:
    from scheduler.demo.kubernetes.report import KubernetesReport
    from scheduler.demo.report import Report

REPORTS = {"forecast": Path("demo-report.json"), "reactive": Path("demo-report-reactive.json")}
"""Where a report goes, by mode."""


def demo(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    reactive: Annotated[bool, typer.Option("--reactive", help="Plan without the forecast, to compare.")] = False,
    hold: Annotated[bool, typer.Option("--hold", help="Keep everything up at the end, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Port of the page and the API; 0 for a free one.")] = 8321,
    router_port: Annotated[int, typer.Option(help="Port of the front router; 0 for a free one.")] = 8000,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="Play it on a double of the Kubernetes API, without Ray.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Where the report goes.", show_default=False)] = None,
) -> None:
    """Show the whole loop on this machine: forecast, plan, place, preempt, resume."""
    if kubernetes:
        from scheduler.cli.demo_kubernetes import demo_kubernetes  # noqa: PLC0415  # likewise

        demo_kubernetes(Session.of(context).screen, port, report, reactive=reactive, hold=hold)
        return
    from scheduler.cli.demo_screen import DemoScreen  # noqa: PLC0415  # other commands need not load it
    from scheduler.demo import preflight  # noqa: PLC0415  # likewise
    from scheduler.demo.play import Demo, Ports  # noqa: PLC0415  # likewise

    check_file("--report", report or REPORTS["reactive" if reactive else "forecast"])
    signal.signal(signal.SIGTERM, leave)
    screen = Session.of(context).screen
    shown = DemoScreen(screen)
    ports = preflight.check(Ports(port, router_port))
    try:
        with Demo(ports, reactive=reactive, say=shown.say) as performance:
            screen.note(f"dashboard: {performance.url}")
            outcome = performance.play(shown.show)
            file = report or REPORTS[outcome.mode]
            write(outcome, file)
            shown.outcome(outcome.as_json(), _other(outcome.mode))
            screen.note(f"\nreport: {file}")
            if hold:
                screen.note(f"holding: dashboard at {performance.url}; Ctrl-C ends it")
                wait_for_ctrl_c()
    finally:
        shown.quiet()
    screen.note("nothing left running")


def write(outcome: "Report | KubernetesReport", file: Path) -> None:
    """Write a report as JSON."""
    file.write_text(json.dumps(outcome.as_json(), indent=2) + "\n", encoding="utf-8")


def _other(mode: str) -> dict[str, object] | None:
    """Return the last report of the other mode, or None when there is none."""
    file = next(file for other, file in REPORTS.items() if other != mode)
    with suppress(OSError, ValueError, TypeError):  # none, or somebody else's: there is nothing to compare with
        return dict(json.loads(file.read_text(encoding="utf-8")))
    return None


def wait_for_ctrl_c() -> None:
    """Wait until somebody interrupts."""
    try:
        while True:
            time.sleep(3600.0)
    except KeyboardInterrupt:
        return


def leave(_number: int, _frame: FrameType | None) -> None:
    """End as if somebody had interrupted, so that all is taken down."""
    raise SystemExit(0)
