"""What came of the joint benchmark, as a document and as a table.

The document of `headroom bench joint --json`:

    {"setting": {"gpus": 384, "days": 14.0, …}, "seeds": [1, 2], "policies": {NAME: {
        "late_ratio": …, "violation_minutes": …, "mean_jct_s": …, "mean_wait_s": …, "p95_wait_s": …,
        "gpu_hours_useful": …, "gpu_hours_lost": …, "preemptions": …, "gpu_allocation": …,
        "goodput_per_mean_gpu": …, "jobs_unfinished": …, "feasible": true,
        "knob": {"name": "margin", "value": 0.25, "tried": [{"value": 0.1, "late_ratio": …, "mean_wait_s": …}, …]},
        "intervals": {NUMBER: half of its 95 % interval over seeds, …}}}}

Requests and GPU-hours are those of the counted days, jobs those that arrived in them, until the run has drained. Late
are all requests that were late or not answered. `gpu_allocation` is the share of device time that anybody held;
`goodput_per_mean_gpu` the work that was of use (training kept, and the service time of requests that were on time)
over all device time.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.joint.policies import CONTENDERS
from benchmarks.joint.running import FEASIBLE, Played, Tried, late_ratio
from benchmarks.joint.setting import SERVICE_S, Setting
from simulations.outcome import Estimate, Outcome, estimate

_HOUR_S: Final = 3600.0


def document(setting: Setting, found: Mapping[str, Played]) -> dict[str, object]:
    """Return all of it for JSON."""
    first = next(iter(found.values()))
    return {
        "setting": {
            "traffic": setting.traffic.name,
            "jobs": setting.jobs.name,
            "from": setting.start,
            "jobs_from": setting.jobs_start,
            "days": setting.days,
            "gpus": setting.gpus,
            "warm_up_s": setting.warm_up_s,
        },
        "seeds": [seed for seed, _ in first.runs],
        "policies": {name: _policy(name, played) for name, played in found.items()},
    }


def numbers(runs: Sequence[tuple[int, Outcome]]) -> dict[str, Estimate]:
    """Return each number of one policy with its interval over seeds."""
    each = [_numbers(outcome) for _, outcome in runs]
    return {name: estimate([one[name] for one in each]) for name in each[0]}


def _policy(name: str, played: Played) -> dict[str, object]:
    found = numbers(played.runs)
    knob: dict[str, object] = {
        "name": CONTENDERS[name].knob,
        "value": played.knob,
        "tried": [_tried(one) for one in played.tried],
    }
    return {
        **{number: _finite(each.mean) for number, each in found.items()},
        "feasible": found["late_ratio"].mean <= FEASIBLE,
        "knob": knob if CONTENDERS[name].knob else None,
        "intervals": {number: each.half_width for number, each in found.items()},
    }


def _tried(one: Tried) -> dict[str, Any]:
    return {"value": one.knob, "late_ratio": one.late_ratio, "mean_wait_s": _finite(one.wait_s)}


def _numbers(outcome: Outcome) -> dict[str, float]:
    held = outcome.serving_gpu_s + outcome.starting_gpu_s + outcome.training_gpu_s
    whole = held + outcome.idle_gpu_s + outcome.down_gpu_s
    served = outcome.requests * (1.0 - late_ratio(outcome)) * SERVICE_S
    return {
        "late_ratio": late_ratio(outcome),
        "violation_minutes": outcome.violation_s / 60.0,
        "mean_jct_s": outcome.completion_mean_s,
        "mean_wait_s": outcome.wait_mean_s,
        "p95_wait_s": outcome.wait_p95_s,
        "gpu_hours_useful": outcome.trained_gpu_s / _HOUR_S,
        "gpu_hours_lost": outcome.lost_gpu_s / _HOUR_S,
        "preemptions": outcome.preemptions,
        "gpu_allocation": held / whole,
        "goodput_per_mean_gpu": (outcome.trained_gpu_s + served) / whole,
        "jobs_unfinished": outcome.jobs_unfinished,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
