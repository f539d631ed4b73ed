"""A finished simulation as a document for programs and as a few lines for people.

The document of `headroom simulate --json`:

    {"scenario": "evening-peak", "seeds": 5, "days": 3.0, "hosts": 15, "gpus": 38, "jobs": 243,
     "outcome":   {name: mean over seeds, …},         names and units as in `simulations.outcome.Outcome`
     "intervals": {name: half of the 95 % interval, …},
     "runs":      [{"seed": 1, name: value, …, "models": {name: {as in `simulations.serving.ModelService`}}}, …],
     "made":      {"command": that plays it again, "release": of Headroom},
     "evidence":  what happened in the first run, as in `simulations.evidence.Evidence`; for `headroom compare`}

Numbers that do not exist (no request, endless headroom) are null. Several scenarios are {"scenarios": [document, …]}.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from scheduler.config.units import format_duration
from scheduler.control.release import release
from simulations.evidence import Evidence
from simulations.outcome import Estimate, Outcome, as_json, estimates, finite

_EVIDENCE: Final = TypeAdapter(Evidence)
HOUR_S = 3600.0
FEW = 10
"""Fewer hours than this are shown with a decimal."""


@dataclass(frozen=True, slots=True)
class Result:
    """Runs of one scenario.

    Attributes:
        scenario: its name.
        days: counted in each run.
        hosts, gpus: how many there are.
        runs: (seed, outcome), one a run, at least one.
        wall_s: how long all of them took.
        evidence: what happened in the first run; None where nobody asked.
        command: that plays it again; "" where nobody knows.
    """

    scenario: str
    days: float
    hosts: int
    gpus: int
    runs: tuple[tuple[int, Outcome], ...]
    wall_s: float
    evidence: Evidence | None = None
    command: str = ""

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Mean and interval of each number of the outcome."""
        return estimates([outcome for _, outcome in self.runs])


def document(result: Result) -> dict[str, object]:
    """Return the result for JSON; equal runs give equal documents (wall time is not in it)."""
    found = result.estimates
    return {
        "scenario": result.scenario,
        "seeds": len(result.runs),
        "days": result.days,
        "hosts": result.hosts,
        "gpus": result.gpus,
        "jobs": round(found["jobs"].mean),
        "outcome": finite({name: estimate.mean for name, estimate in found.items()}),
        "intervals": finite({name: estimate.half_width for name, estimate in found.items()}),
        "runs": [{"seed": seed, **as_json(outcome)} for seed, outcome in result.runs],
        "made": {"command": result.command, "release": release()},
        **({} if result.evidence is None else {"evidence": _EVIDENCE.dump_python(result.evidence)}),
    }


def lines(result: Result, moment: Callable[[float], str]) -> list[str]:
    """Return the outcome for people; `moment` writes an epoch second."""
    found = result.estimates
    worst = min((outcome for _, outcome in result.runs), key=lambda outcome: outcome.min_headroom_ratio)
    seeds = len(result.runs)
    rows = [
        (
            f"late requests  {_percent(found['late_requests_share'])}",
            f"failed       {_percent(found['failed_requests_share'])}",
            f"violation    {_duration(found['violation_s'])}",
            f"headroom min {_lowest(worst, moment)}",
        ),
        (
            f"wait mean/p95  {_duration(found['wait_mean_s'])} / {_duration(found['wait_p95_s'])}",
            f"finish mean  {_duration(found['completion_mean_s'])}",
            f"preemptions  {_count(found['preemptions'])}",
            f"{_hours(found['lost_gpu_s'])} GPU-hours lost of {_hours(found['trained_gpu_s'])} trained",
        ),
        (
            f"jobs done      {_count(found['jobs_succeeded'])} of {_count(found['jobs'])}",
            f"failed       {_count(found['jobs_failed'])}",
            _left_open(found),
            _gpu_hours(found),
        ),
    ]
    head = (
        f"{result.scenario} · {result.days:g} days · {result.hosts} hosts, {result.gpus} GPUs · "
        f"{_count(found['jobs'])} jobs · {seeds} {'seed' if seeds == 1 else 'seeds'} · {result.wall_s:.1f} s"
    )
    return [head, *_aligned(rows), *_cut_off(found)]


def row(result: Result) -> tuple[str, ...]:
    """Return the outcome as one row: name, GPUs, late, violation, headroom, waits, preemptions and lost GPU-hours."""
    found = result.estimates
    headroom = min(outcome.min_headroom_ratio for _, outcome in result.runs)
    return (
        result.scenario,
        str(result.gpus),
        _percent(found["late_requests_share"]),
        _duration(found["violation_s"]),
        f"{headroom:.2f}" if math.isfinite(headroom) else "-",
        _duration(found["wait_mean_s"]),
        _duration(found["wait_p95_s"]),
        _count(found["preemptions"]),
        _hours(found["lost_gpu_s"]),
    )


def _left_open(found: Mapping[str, Estimate]) -> str:
    if found["jobs_unfinished"].mean:
        return f"unfinished   {_count(found['jobs_unfinished'])}"
    return f"drained in   {_duration(found['drained_s'])}"


def _cut_off(found: Mapping[str, Estimate]) -> list[str]:
    """Return what the end of the run left open, so that no wait is taken for a whole one."""
    if not found["jobs_unfinished"].mean:
        return []
    unfinished, never = _count(found["jobs_unfinished"]), _count(found["jobs_never_started"])
    open_ = f"cut off        {unfinished} jobs were open {format_duration(found['drained_s'].mean)} after the last day"
    return [f"{open_} (drain): no finish counts of them, and of the {never} never started the wait up to then"]


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["   ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _percent(estimate: Estimate) -> str:
    if math.isnan(estimate.mean):
        return "-"
    spread = f" ± {100 * estimate.half_width:.4f}" if estimate.half_width else ""
    return f"{100 * estimate.mean:.4f} %{spread}"


def _duration(estimate: Estimate) -> str:
    if math.isnan(estimate.mean):
        return "-"
    spread = f" ± {format_duration(estimate.half_width)}" if estimate.half_width else ""
    return f"{format_duration(estimate.mean)}{spread}"


def _count(estimate: Estimate) -> str:
    return f"{round(estimate.mean):,}".replace(",", " ")


def _hours(estimate: Estimate) -> str:
    hours = estimate.mean / HOUR_S
    return f"{hours:.1f}" if 0 < hours < FEW else f"{round(hours):,}".replace(",", " ")


def _gpu_hours(found: Mapping[str, Estimate]) -> str:
    serving, training, idle = (_hours(found[f"{use}_gpu_s"]) for use in ("serving", "training", "idle"))
    return f"GPU-hours {serving} serving, {training} training, {idle} idle"


def _lowest(outcome: Outcome, moment: Callable[[float], str]) -> str:
    if not math.isfinite(outcome.min_headroom_ratio):
        return "-"
    return f"{outcome.min_headroom_ratio:.2f} ({outcome.shortest}, {moment(outcome.min_headroom_at_s)})"
