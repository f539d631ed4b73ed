"""How the load of a service becomes replicas, as its autoscaler's target says, else as is assumed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

Object = Mapping[str, Any]

METRIC: Final = "autoscaling.knative.dev/metric"
TARGET: Final = "autoscaling.knative.dev/target"
RATE: Final = "headroom/rps-per-replica"


@dataclass(frozen=True, slots=True)
class Assumed:
    """What is written where an object does not say it.

    Attributes:
        rps: requests per second that a replica serves.
        service_time: that a request takes.
        warm_up: from the decision to start a replica until it answers.
    """

    rps: float = 10.0
    service_time: str = "500ms"
    warm_up: str = "1m"


@dataclass(frozen=True, slots=True)
class Rule:
    """A capacity rule as the configuration writes it, and what of it is assumed."""

    section: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


def rule_of(predictor: Object, annotations: Mapping[str, str], assumed: Assumed) -> Rule:
    """Return the rule of a service: by its own word, its target of requests or of concurrency, or as assumed."""
    metric = predictor.get("scaleMetric") or annotations.get(METRIC) or "concurrency"
    target = _number(predictor.get("scaleTarget") or annotations.get(TARGET))
    own = _number(annotations.get(RATE))
    if own or (metric == "rps" and target):
        return Rule({"kind": "rate", "rps_per_replica": _plain(own or target)})
    at_once = _at_once(metric, target, _number(predictor.get("containerConcurrency")))
    if not at_once:
        said = f"rps_per_replica {_plain(assumed.rps)} is assumed: it has no target of requests"
        return Rule({"kind": "rate", "rps_per_replica": _plain(assumed.rps)}, (said,))
    section = {
        "kind": "erlang-c",
        "service_time": assumed.service_time,
        "concurrency": at_once,
        "latency_objective": "2s",
    }
    return Rule(section, (f"service_time {assumed.service_time} and latency_objective 2s are assumed",))


def _at_once(metric: str, target: float, limit: float) -> int:
    """Return how many requests a replica works on at once; 0 when nothing says so."""
    bounds = [bound for bound in (target if metric == "concurrency" else 0.0, limit) if bound >= 1]
    return int(min(bounds, default=0.0))


def _number(text: object) -> float:
    """Return a positive number, 0 for anything else."""
    try:
        return max(0.0, float(str(text)))
    except ValueError:
        return 0.0


def _plain(number: float) -> int | float:
    return int(number) if number.is_integer() else number
