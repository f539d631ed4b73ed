"""Who is compared, and the one number of each that is tuned on an earlier window."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.joint.foresight import Clairvoyant
from benchmarks.joint.peers import LikeLastWeek, OneStepAhead
from benchmarks.joint.setting import GPUS_PER_HOST, SOURCE, Setting, all_time_peak
from scheduler.config.scenario import Scenario
from scheduler.config.schema import ErlangC, Resources
from scheduler.control.demand.listening import Crews
from scheduler.model.running import Running
from simulations.run import Setup

Change = Callable[[Scenario, Setting, float], Scenario]
Outfit = Callable[[Setup, float], Setup]

ORDERED: Final = "+order"
"""What is added to the name of a peer that has headroom's queue order, and its victims."""
OF_ORDER: Final[Mapping[str, object]] = {"queue_order": "shortest-first", "may_displace": "shorter-first"}
"""Of the section `policy`, what headroom's queue order is."""
_STEP_S, _LOAN_S, _HOLD_S = 180.0, 300.0, 3600.0
_MARGINS: Final = (0.1, 0.15, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)
_QUANTILES: Final = (0.999, 0.9995, 0.9999)


def _as_it_is(setup: Setup, _: float) -> Setup:
    return setup


@dataclass(frozen=True, slots=True)
class Contender:
    """One policy.

    Attributes:
        about: one sentence.
        knob: what is tuned; "" for nothing.
        values: among which.
        change: the site under this policy, with the knob at a value.
        outfit: the run under it, likewise.
        like: whose tuned value it takes, as the order of the queue makes no request late; "" for its own.
    """

    about: str
    knob: str
    values: tuple[float, ...]
    change: Change
    outfit: Outfit = _as_it_is
    like: str = ""


def _static(scenario: Scenario, setting: Setting, _: float) -> Scenario:
    peak = min(all_time_peak(setting), setting.gpus)
    model = scenario.models[0].model_copy(update={"min_replicas": peak, "max_replicas": peak})
    return scenario.model_copy(update={"models": (model,)})


def _reactive(scenario: Scenario, _: Setting, margin: float) -> Scenario:
    control = scenario.control.model_copy(update={"reactive": True, "margin": margin})
    return scenario.model_copy(update={"control": control})


def _whole_hosts(scenario: Scenario, setting: Setting, margin: float) -> Scenario:
    """Return the site with replicas that are hosts: as many requests at once as it has devices."""
    each = scenario.models[0]
    needs = Resources(cpus=GPUS_PER_HOST * each.resources.cpus, memory=16 * 1024, gpus=GPUS_PER_HOST)
    assert isinstance(each.capacity, ErlangC)  # noqa: S101  # the setting's model is one
    whole = {
        "resources": needs,
        "capacity": each.capacity.model_copy(update={"concurrency": GPUS_PER_HOST}),
        "max_replicas": setting.hosts,
    }
    return _reactive(scenario.model_copy(update={"models": (each.model_copy(update=whole),)}), setting, margin)


def _foreseeing(scenario: Scenario, _: Setting, quantile: float) -> Scenario:
    control = scenario.control.model_copy(update={"quantile": quantile})
    return scenario.model_copy(update={"control": control})


def _holding(scenario: Scenario, setting: Setting, quantile: float) -> Scenario:
    policy = scenario.policy.model_copy(update={"min_runtime": _HOLD_S})
    return _foreseeing(scenario.model_copy(update={"policy": policy}), setting, quantile)


def _seasonal(scenario: Scenario, _: Setting, __: float) -> Scenario:
    return scenario


def _expecting(step_s: float, setup: Setup, _: float) -> Setup:
    return replace(setup, sources={SOURCE: OneStepAhead(setup.sources[SOURCE], step_s)})


def _as_last_week(setup: Setup, margin: float) -> Setup:
    return replace(setup, crews=Crews(fitters=LikeLastWeek(setup.sources[SOURCE], margin)))


def _true_future(setup: Setup, _: float) -> Setup:
    return replace(setup, crews=Crews(fitters=Clairvoyant(setup.loads[SOURCE])))


def _fewest(setup: Setup, knob: float, before: Outfit = _as_it_is) -> Setup:
    """Return the run in which as few jobs are stopped as can be."""
    return before(replace(setup, policy=replace(setup.policy, victim_cost=_each_alike)), knob)


def _each_alike(running: Running, _: float) -> NDArray[np.float64]:
    return np.ones(len(running.jobs))


def _newest_first(change: Change) -> Change:
    """Return a change by which the newest are stopped first, too."""

    def both(scenario: Scenario, setting: Setting, knob: float) -> Scenario:
        policy = scenario.policy.model_copy(update={"victim_cost": "newest-first"})
        return change(scenario.model_copy(update={"policy": policy}), setting, knob)

    return both


def _ordered(change: Change) -> Change:
    """Return a change by which the queue is in headroom's order, too."""

    def both(scenario: Scenario, setting: Setting, knob: float) -> Scenario:
        policy = scenario.policy.model_copy(update=dict(OF_ORDER))
        return change(scenario.model_copy(update={"policy": policy}), setting, knob)

    return both


_PEERS: Final[Mapping[str, Contender]] = {
    "static": Contender("replicas for the highest load ever recorded, all the time", "", (0.0,), _static),
    "reactive": Contender(
        "an autoscaler: replicas for the load of the last minute and a margin", "margin", _MARGINS, _reactive
    ),
    "predictive": Contender(
        "the same for the load that a Kalman filter expects of the next three minutes",
        "margin",
        _MARGINS,
        _reactive,
        partial(_expecting, _STEP_S),
    ),
    "seasonal-predictive": Contender(
        "a day ahead, start-up time known: the same time last week and a margin (as AHPA)",
        "margin",
        _MARGINS,
        _seasonal,
        _as_last_week,
    ),
    "lyra-like": Contender(
        "whole hosts are lent to training, by the load expected of the next five minutes and a margin (as Lyra)",
        "margin",
        _MARGINS,
        _whole_hosts,
        partial(_fewest, before=partial(_expecting, _LOAN_S)),
    ),
    "gfs-like": Contender(
        "training is let in up to what a quantile of the next hour's peak leaves (as GFS)",
        "quantile",
        _QUANTILES,
        _holding,
    ),
}
_OURS: Final[Mapping[str, Contender]] = {
    "headroom": Contender(
        "replicas for a quantile of the forecast peak within the lead time", "quantile", _QUANTILES, _foreseeing
    ),
    "oracle": Contender("headroom with the true future for its forecast", "", (0.99,), _foreseeing, _true_future),
}
_NEWEST: Final = ("static", "reactive", "predictive", "seasonal-predictive")

PEERS: Final[Mapping[str, Contender]] = {
    **{
        name: replace(peer, change=_newest_first(peer.change), like=name + ORDERED)
        if name in _NEWEST
        else replace(peer, like=name + ORDERED)
        for name, peer in _PEERS.items()
    },
    **{
        name + ORDERED: replace(peer, about=f"{name} with headroom's queue order", change=_ordered(peer.change))
        for name, peer in _PEERS.items()
    },
}
CONTENDERS: Final[Mapping[str, Contender]] = {
    **PEERS,
    **{name: replace(ours, change=_ordered(ours.change)) for name, ours in _OURS.items()},
}
"""By name. Placement is headroom's for all of them; order of the queue and choice of victims are a peer's own, or
headroom's where its name ends in `+order`: what differs then is what is known of the load, and what is made of it."""
