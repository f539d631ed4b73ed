"""Who is compared, and the one number of each that is tuned on an earlier window."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from benchmarks.joint.setting import Setting, all_time_peak
from scheduler.config.scenario import Scenario

Change = Callable[[Scenario, Setting, float], Scenario]


@dataclass(frozen=True, slots=True)
class Contender:
    """One policy.

    Attributes:
        about: one sentence.
        knob: what is tuned; "" for nothing.
        values: among which.
        change: the site under this policy, with the knob at a value.
        knows: whether it knows the true future.
    """

    about: str
    knob: str
    values: tuple[float, ...]
    change: Change
    knows: bool = False


def _static(scenario: Scenario, setting: Setting, _: float) -> Scenario:
    peak = min(all_time_peak(setting), setting.gpus)
    model = scenario.models[0].model_copy(update={"min_replicas": peak, "max_replicas": peak})
    return scenario.model_copy(update={"models": (model,)})


def _reactive(scenario: Scenario, _: Setting, margin: float) -> Scenario:
    control = scenario.control.model_copy(update={"reactive": True, "margin": margin})
    return scenario.model_copy(update={"control": control})


def _foreseeing(scenario: Scenario, _: Setting, quantile: float) -> Scenario:
    control = scenario.control.model_copy(update={"quantile": quantile})
    return scenario.model_copy(update={"control": control})


CONTENDERS: Final[Mapping[str, Contender]] = {
    "static": Contender("replicas for the highest load ever recorded, all the time", "", (0.0,), _static),
    "reactive": Contender(
        "an autoscaler: replicas for the load of the last minute and a margin",
        "margin",
        (0.1, 0.25, 0.4, 0.6),
        _reactive,
    ),
    "headroom": Contender(
        "replicas for a quantile of the forecast peak within the lead time", "quantile", (0.9, 0.99, 0.999), _foreseeing
    ),
    "oracle": Contender("headroom with the true future for its forecast", "", (0.99,), _foreseeing, knows=True),
}
"""By name. Order of the queue, placement and choice of victims are headroom's for all of them, so that what differs is
what is known of the load, and what is made of it."""
