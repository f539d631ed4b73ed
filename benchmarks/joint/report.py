"""What came of the joint benchmark, as a document.

The document of `headroom bench joint --json`:

    {"windows": [{"traffic": "dewiki…", "from": …, "gpus": 384, …}, …], "seeds": [1, 2], "policies": {NAME: {
        "late_ratio": …, "late_ratio_worst": …, "violation_minutes": …, "mean_jct_s": …, "mean_wait_s": …,
        "p95_wait_s": …, "large_wait_s": …, "gpu_hours_useful": …, "gpu_hours_lost": …, "gpu_hours_serving": …,
        "preemptions": …, "gpu_allocation": …, "goodput_per_mean_gpu": …, "jobs_unfinished": …,
        "feasible": true,
        "knob": {"name": "margin", "tried": [{"traffic": …, "value": 0.1, "late_ratio": …, "gpu_hours": …}, …]},
        "intervals": {NUMBER: half of its 95 % interval over the runs, …},
        "sizes": {"8+ GPUs": {"jobs": …, "mean_wait_s": …, "p95_wait_s": …, "mean_jct_s": …}, …}}},
     "against": {PEER: {"mean_wait_s": {"change": -0.31, "low": -0.4, "high": -0.2}, …}},
     "best_peer": NAME, "best_peer_in_our_order": NAME}

Requests and GPU-hours are those of the counted days, jobs those that arrived in them, until the run has drained. Late
are all requests that were late or not answered. `gpu_allocation` is the share of device time that anybody held;
`goodput_per_mean_gpu` the work that was of use (training kept, and the service time of requests that were on time)
over all device time. `against` is headroom's number over the peer's in the same window and seed, less 1: the geometric
mean, with its 95 % interval. The best peer is the feasible one with the shortest mean wait.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from benchmarks.joint.policies import CONTENDERS, ORDERED, PEERS
from benchmarks.joint.running import FEASIBLE, SIZES, Played, Run, Tried
from benchmarks.joint.setting import SERVICE_S, Setting
from simulations.outcome import Estimate, estimate

OURS: Final = "headroom"
COMPARED: Final = ("mean_wait_s", "p95_wait_s", "mean_jct_s", "gpu_hours_useful", "large_wait_s")
"""Numbers that are held against a peer's."""
_HOUR_S: Final = 3600.0
_LEAST: Final = 1.0
"""Of a number that is divided by."""


def document(found: Mapping[str, Played]) -> dict[str, object]:
    """Return all of it for JSON."""
    first = next(iter(found.values()))
    return {
        "windows": [_window(one) for one in dict.fromkeys(run.setting for run in first.runs)],
        "seeds": list(dict.fromkeys(run.seed for run in first.runs)),
        "policies": {name: _policy(name, played) for name, played in found.items()},
        "against": {name: _against(found, name) for name in found if name != OURS} if OURS in found else {},
        "best_peer": best_peer(found, ordered=False),
        "best_peer_in_our_order": best_peer(found, ordered=True),
    }


def numbers(runs: Sequence[Run]) -> dict[str, Estimate]:
    """Return each number of one policy with its interval over windows and seeds."""
    each = [_numbers(run) for run in runs]
    return {name: estimate([one[name] for one in each]) for name in each[0]}


def is_feasible(played: Played) -> bool:
    """Whether so few requests were late, over all runs."""
    return _late(played.runs) <= FEASIBLE


def best_peer(found: Mapping[str, Played], *, ordered: bool) -> str | None:
    """Return the feasible peer with the shortest mean wait; None when none is feasible."""
    peers = [name for name in found if name in PEERS and name.endswith(ORDERED) == ordered and is_feasible(found[name])]
    return min(peers, key=lambda name: numbers(found[name].runs)["mean_wait_s"].mean, default=None)


def change(ours: Sequence[Run], theirs: Sequence[Run], number: str) -> dict[str, float] | None:
    """Return by what share a number is more than a peer's in the same windows and seeds; None where it is unknown."""
    pairs = [(_numbers(our)[number], _numbers(their)[number]) for our, their in zip(ours, theirs, strict=True)]
    known = [(max(our, _LEAST), max(their, _LEAST)) for our, their in pairs if math.isfinite(our + their)]
    if not known:
        return None
    ratio = estimate([math.log(our / their) for our, their in known])
    low, high = ratio.mean - ratio.half_width, ratio.mean + ratio.half_width
    return {"change": math.expm1(ratio.mean), "low": math.expm1(low), "high": math.expm1(high)}


def _against(found: Mapping[str, Played], name: str) -> dict[str, object]:
    return {number: change(found[OURS].runs, found[name].runs, number) for number in COMPARED}


def _window(setting: Setting) -> dict[str, object]:
    return {
        "traffic": setting.traffic.name,
        "jobs": setting.jobs.name,
        "from": setting.start,
        "jobs_from": setting.jobs_start,
        "days": setting.days,
        "gpus": setting.gpus,
        "warm_up_s": setting.warm_up_s,
        "peak_share": setting.peak_share,
    }


def _policy(name: str, played: Played) -> dict[str, object]:
    found = numbers(played.runs)
    tried = [_tried(traffic.name, one) for (traffic, _), values in played.tried.items() for one in values]
    return {
        **{number: _finite(each.mean) for number, each in found.items()},
        "late_ratio": _late(played.runs),
        "late_ratio_worst": max(run.late_ratio for run in played.runs),
        "feasible": is_feasible(played),
        "knob": {"name": CONTENDERS[name].knob, "tried": tried} if tried else None,
        "intervals": {number: each.half_width for number, each in found.items()},
        "sizes": {size: _sized(played.runs, place) for place, size in enumerate(SIZES)},
    }


def _tried(traffic: str, one: Tried) -> dict[str, Any]:
    return {"traffic": traffic, "value": one.knob, "late_ratio": one.late_ratio, "gpu_hours": one.gpu_hours}


def _late(runs: Sequence[Run]) -> float:
    """Return the share of all requests of several runs that were late."""
    return sum(run.late_ratio * run.outcome.requests for run in runs) / sum(run.outcome.requests for run in runs)


def _sized(runs: Sequence[Run], place: int) -> dict[str, float | None]:
    """Return the numbers of the jobs of one size, of all runs together."""
    waits = np.concatenate([run.wait_s[run.size == place] for run in runs])
    ends = np.concatenate([run.completion_s[run.size == place] for run in runs])
    if not len(waits):
        return {"jobs": 0, "mean_wait_s": None, "p95_wait_s": None, "mean_jct_s": None}
    return {
        "jobs": len(waits),
        "mean_wait_s": float(waits.mean()),
        "p95_wait_s": float(np.quantile(waits, 0.95)),
        "mean_jct_s": float(ends.mean()),
    }


def _numbers(run: Run) -> dict[str, float]:
    outcome, large = run.outcome, run.wait_s[run.size == len(SIZES) - 1]
    held = outcome.serving_gpu_s + outcome.starting_gpu_s + outcome.training_gpu_s
    whole = held + outcome.idle_gpu_s + outcome.down_gpu_s
    served = outcome.requests * (1.0 - run.late_ratio) * SERVICE_S
    return {
        "late_ratio": run.late_ratio,
        "violation_minutes": outcome.violation_s / 60.0,
        "mean_jct_s": outcome.completion_mean_s,
        "mean_wait_s": outcome.wait_mean_s,
        "p95_wait_s": outcome.wait_p95_s,
        "large_wait_s": float(large.mean()) if len(large) else math.nan,
        "gpu_hours_useful": outcome.trained_gpu_s / _HOUR_S,
        "gpu_hours_lost": outcome.lost_gpu_s / _HOUR_S,
        "gpu_hours_serving": (outcome.serving_gpu_s + outcome.starting_gpu_s) / _HOUR_S,
        "preemptions": outcome.preemptions,
        "gpu_allocation": held / whole,
        "goodput_per_mean_gpu": (outcome.trained_gpu_s + served) / whole,
        "jobs_unfinished": outcome.jobs_unfinished,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
