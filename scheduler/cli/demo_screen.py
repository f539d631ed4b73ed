"""What the terminal shows of the demo: events as they happen, one line that keeps changing, tables at the end."""

from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.status import Status

from scheduler.cli.screen import Screen
from scheduler.cli.table import Column, Table, cell, render
from scheduler.demo.play import Progress
from scheduler.demo.programme import SWAPPED
from scheduler.demo.watch import Sighting
from scheduler.wire.jobs import Event

TOLD: Final = frozenset({"preemption", "training", "host", "forecast", "failure"})
"""Kinds of events that are worth a line, beside those of a rollout; replicas come and go in the changing line."""
STYLES: Final = {"preemption": "yellow", "failure": "red", "host": "red"}
BARS: Final = "▁▂▃▄▅▆▇█"
LOOKS_A_LINE: Final = 30
"""Where nobody watches a line change, every so many looks print one."""


class Terminal:
    """What all demos print: steps, events as they happen, and one line that keeps changing.

    Args:
        screen: what the terminal can do.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._console = Console(file=screen.err, no_color=not screen.colored, highlight=False)
        self._status: Status | None = None
        self._ratios: list[float] = []
        self._looks = 0

    def say(self, step: str) -> None:
        """Show the step that has begun."""
        self._line(step + " …")
        if not self._console.is_terminal:
            self._screen.note(step)

    def quiet(self) -> None:
        """End the line that keeps changing."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def tables(self, *tables: Table) -> None:
        """Print tables, one below the other."""
        self.quiet()
        for table in tables:
            self._screen.say("")
            self._screen.say(render(table, self._screen))

    def look(self, seen: Sighting, share: float, *more: str) -> None:
        """Show the state, and what has happened since the last look.

        Args:
            seen: the state.
            share: of the replay that is over.
            more: further parts of the line.
        """
        for event in seen.events:
            if event.kind in TOLD or (event.subject == SWAPPED and "revision" in event.title):
                self._print(_event_line(event), STYLES.get(event.kind, ""))
        line = " · ".join([*self._state(seen, share), *more])
        self._line(line)
        self._looks += 1
        if not self._console.is_terminal and self._looks % LOOKS_A_LINE == 1:
            self._screen.note(line)

    def _line(self, text: str) -> None:
        if not self._console.is_terminal:
            return
        if self._status is None:
            self._status = self._console.status(text, spinner="dots")
            self._status.start()
        self._status.update(text)

    def _print(self, text: str, style: str) -> None:
        if self._console.is_terminal:
            self._console.print(text, style=style or None, markup=False, soft_wrap=True)
        else:
            self._screen.note(text)

    def _state(self, seen: Sighting, share: float) -> list[str]:
        capacity = seen.capacity
        self._ratios = [*self._ratios, capacity.headroom_ratio or 0.0][-40:]
        running = sum(job.state == "Running" for job in seen.jobs)
        return [
            f"{seen.at:%a %H:%M} {share:4.0%}",
            f"headroom {capacity.headroom_ratio or 0.0:.2f} {_spark(self._ratios[::4])}",
            f"{capacity.gpus_serving:g}/{capacity.gpus} GPUs serving, {capacity.gpus_training:g} training",
            f"{running} run, {capacity.waiting} wait",
        ]


class DemoScreen(Terminal):
    """Prints the demo on Ray."""

    def show(self, seen: Sighting, progress: Progress) -> None:
        """Show the state, what has happened since the last look, and what became of the requests."""
        self.look(seen, progress.share, f"{progress.late + progress.failed} of {progress.total} late or failed")

    def outcome(self, report: Mapping[str, Any], other: Mapping[str, Any] | None) -> None:
        """Print the tables of a report, beside that of the other mode when there is one."""
        self.tables(_outcome_table(report, other), _job_table(report), _serving_table(report), _version_table(report))


def _event_line(event: Event) -> str:
    """Return one line; of a stack trace the last one, which says what went wrong."""
    detail = (event.detail.strip().splitlines() or [""])[-1]
    return f"{event.at:%a %H:%M}  {event.title}" + (f" · {detail}" if detail else "")


def _spark(ratios: list[float]) -> str:
    """Return bars from 0.5 (lowest) to 2.0 (highest)."""
    levels = [min(max((ratio - 0.5) / 1.5, 0.0), 0.999) for ratio in ratios]
    return "".join(BARS[int(level * len(BARS))] for level in levels)


ROWS: Final = (
    ("requests", "requests_total"),
    ("late", "requests_late"),
    ("failed", "requests_failed"),
    ("lowest headroom", "min_headroom_ratio"),
    ("preemptions", "preemptions"),
    ("GPU-seconds lost", "gpu_seconds_lost"),
)


def _outcome_table(report: Mapping[str, Any], other: Mapping[str, Any] | None) -> Table:
    shown = [report, *([other] if other else [])]
    columns = (Column("OUTCOME"), *(Column(each["mode"].upper(), right=True) for each in shown))
    rows = [(title, *(f"{each[key]:,}" for each in shown)) for title, key in ROWS]
    peaks = [f"{each['peak']['actual']} of {each['peak']['forecast_p99']}" for each in shown]
    return Table(columns, (*rows, ("peak req/s, of planned for", *peaks)))


def _job_table(report: Mapping[str, Any]) -> Table:
    columns = (
        Column("JOB"),
        Column("PRIORITY"),
        Column("STATE"),
        Column("GPUS", right=True),
        Column("ATTEMPTS", right=True),
        Column("RESUMED FROM", right=True),
        Column("STEPS", right=True),
    )
    return Table(columns, tuple(_job_row(job) for job in report["jobs"]))


def _job_row(job: Mapping[str, Any]) -> tuple[Any, ...]:
    resumed = "-" if job["resumed_from_step"] is None else f"step {job['resumed_from_step']}"
    state = cell(job["state"], "green" if job["state"] == "Succeeded" else "red")
    steps = f"{job['step'] or 0} of {job['total_steps'] or '-'}"
    return (job["name"], job["priority"], state, f"{job['gpus']:g}", str(job["attempts"]), resumed, steps)


def _serving_table(report: Mapping[str, Any]) -> Table:
    columns = (
        Column("MODEL"),
        Column("REQUESTS", right=True),
        Column("LATE", right=True),
        Column("FAILED", right=True),
        Column("REPLICAS", right=True),
        Column("LOWEST HEADROOM", right=True),
    )
    return Table(columns, tuple(_serving_row(model) for model in report["serving"]))


def _serving_row(model: Mapping[str, Any]) -> tuple[str, ...]:
    ratio = model["min_headroom_ratio"]
    replicas = f"{model['least_ready']} – {model['most_ready']}"
    counts = (f"{model['requests']:,}", f"{model['late']:,}", f"{model['failed']:,}")
    return (model["model"], *counts, replicas, "-" if ratio is None else f"{ratio:.2f}")


def _version_table(report: Mapping[str, Any]) -> Table:
    columns = (
        Column("NEW VERSION, TRAINED BY"),
        Column("REVISION", right=True),
        Column("FATE"),
        Column("TRIED ON", right=True),
        Column("FAILED", right=True),
        Column("WHY"),
    )
    return Table(columns, tuple(_version_row(version) for version in report["versions"]))


def _version_row(version: Mapping[str, Any]) -> tuple[Any, ...]:
    fate = {"done": cell("took over", "green"), "rolled back": cell("rolled back", "yellow"), "": "not begun"}
    tried = (f"{version['requests']:,} requests", f"{version['failed']:,}")
    return (
        version["job"],
        str(version["revision"]),
        fate.get(version["fate"], version["fate"]),
        *tried,
        version["why"] or "-",
    )
