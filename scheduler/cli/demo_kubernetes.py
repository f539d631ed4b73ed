"""`headroom demo --kubernetes`: training and serving on a double of the Kubernetes API, for whoever has no cluster."""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scheduler.cli.demo import leave, wait_for_ctrl_c, write
from scheduler.cli.demo_screen import Terminal
from scheduler.cli.output_files import check_file
from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, cell
from scheduler.demo.kubernetes.play import KubernetesDemo
from scheduler.demo.preflight import free_port

REPORTS: Final = {
    "forecast": Path("demo-kubernetes-report.json"),
    "reactive": Path("demo-kubernetes-report-reactive.json"),
}
"""Where a report goes, by mode."""


def demo_kubernetes(screen: Screen, port: int, report: Path | None, *, reactive: bool, hold: bool) -> None:
    """Play the demo on the double; see `headroom demo`."""
    file = report or REPORTS["reactive" if reactive else "forecast"]
    check_file("--report", file)
    signal.signal(signal.SIGTERM, leave)
    terminal = Terminal(screen)
    try:
        with KubernetesDemo(free_port(port), reactive=reactive, say=terminal.say) as performance:
            screen.note(f"dashboard: {performance.url}")
            outcome = performance.play(terminal.look)
            write(outcome, file)
            shown = outcome.as_json()
            terminal.tables(_outcome_table(shown), _serving_table(shown), _job_table(shown), _told_table(shown))
            screen.note(f"\nplayed on {outcome.cluster}\nreport: {file}")
            if hold:
                screen.note(f"holding: dashboard at {performance.url}; Ctrl-C ends it")
                wait_for_ctrl_c()
    finally:
        terminal.quiet()
    screen.note("nothing left running")


def _outcome_table(report: Mapping[str, Any]) -> Table:
    peak = f"{report['peak']['actual']} of {report['peak']['forecast_p99']}"
    rows = (
        ("hosts, GPUs", f"{report['hosts']}, {report['gpus']}"),
        ("lowest headroom", f"{report['min_headroom_ratio']:.2f}"),
        ("suspended for room, before the peak", f"{report['preemptions']}, {report['preemptions_before_peak']}"),
        ("peak req/s, of planned for", peak),
        ("revisions of models", f"{report['revisions']}"),
    )
    return Table((Column("OUTCOME"), Column(str(report["mode"]).upper(), right=True)), rows)


def _serving_table(report: Mapping[str, Any]) -> Table:
    columns = (Column("MODEL"), Column("REPLICAS", right=True), Column("LOWEST HEADROOM", right=True))
    return Table(
        columns,
        tuple(
            (model["model"], f"{model['least_ready']} – {model['most_ready']}", f"{model['min_headroom_ratio']:.2f}")
            for model in report["serving"]
        ),
    )


def _job_table(report: Mapping[str, Any]) -> Table:
    columns = (
        Column("RAYJOB"),
        Column("PRIORITY"),
        Column("STATE"),
        Column("GPUS", right=True),
        Column("STARTS", right=True),
        Column("SUSPENDED"),
        Column("ITS OBJECT SAYS"),
    )
    return Table(columns, tuple(_job_row(applied) for applied in report["jobs"]))


def _job_row(applied: Mapping[str, Any]) -> tuple[Any, ...]:
    job = applied["job"]
    state = cell(job["state"], "green" if job["state"] in {"Succeeded", "Running"} else "yellow")
    times = ", ".join(f"{at[8:10]}. {at[11:16]}" for at in job["preempted_at"]) or "-"
    return (job["name"], job["priority"], state, f"{job['gpus']:g}", str(job["attempts"]), times, applied["status"])


def _told_table(report: Mapping[str, Any]) -> Table:
    """Return the events of the job that has most to tell."""
    applied = max(report["jobs"], key=lambda each: len(each["told"]))
    title = f"WHAT KUBECTL DESCRIBE RAYJOB {applied['job']['name']} TELLS"
    return Table((Column(title),), tuple((line,) for line in applied["told"]))
