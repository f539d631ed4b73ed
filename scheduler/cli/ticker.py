"""One line on the terminal of `headroom run` for each cycle that changes something, and for each change of health."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event
from typing import assert_never

from scheduler.cli.screen import Screen
from scheduler.control.records import CycleRecord
from scheduler.control.reports.board import STARTING, Board
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica

LOOK_S = 1.0
"""Longest wall time that a change of health goes unsaid."""


def tell_cycles(board: Board, stop: Event, screen: Screen) -> None:
    """Print until `stop` is set."""
    told, degraded = 0, board.degraded
    while not stop.is_set():
        report = board.wait_beyond(told, LOOK_S)
        if report is not None and report.cycle.number > told:
            told = report.cycle.number
            if report.cycle.plan.actions:
                screen.note(line_of(report.cycle, screen))
        before, degraded = degraded, board.degraded
        if degraded not in {before, ""}:
            screen.note(screen.paint(f"degraded: {degraded}", "red"))
        elif not degraded and before not in {STARTING, ""}:
            screen.note("all well again")


def line_of(cycle: CycleRecord, screen: Screen) -> str:
    """Return what a cycle decided, on one line."""
    at = screen.local(datetime.fromtimestamp(cycle.at_s, UTC))
    waiting = sum(1 for job in cycle.snapshot.jobs if job.state.is_waiting) - _starts(cycle)
    parts = [", ".join(_said(cycle.plan.actions)), *([f"{waiting} wait"] if waiting > 0 else [])]
    return f"{at:%H:%M:%S} plan {cycle.number} in {cycle.plan_duration_s * 1000:.0f} ms: {' · '.join(parts)}"


def _starts(cycle: CycleRecord) -> int:
    return sum(isinstance(action, StartJob) for action in cycle.plan.actions)


def _said(actions: tuple[Action, ...]) -> Iterator[str]:
    counted = Counter(_words(action) for action in actions)
    yield from (f"{words} ×{count}" if count > 1 else words for words, count in counted.items())


def _words(action: Action) -> str:
    match action:
        case StartReplica():
            return f"start {action.model} on {action.slot.host}"
        case StopReplica():
            return f"stop {action.model} on {action.slot.host}"
        case StartJob():
            return f"start {action.job_id} on {', '.join(sorted({slot.host for slot in action.slots}))}"
        case PreemptJob():
            return (
                f"preempt {action.job_id} ({f'for {action.beneficiary}' if action.beneficiary else action.cause.value})"
            )
        case _:
            assert_never(action)
