"""A question of the kind "what if": what would be otherwise from now on, and how far ahead is looked."""

from dataclasses import dataclass

from scheduler.control.settings import Served, Settings
from scheduler.model.jobspec import JobSpec
from scheduler.model.policy import Policy

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Spike:
    """Traffic that is a multiple of what would come, from `at_s` (epoch seconds) for `lasts_s`; nobody foresees it."""

    at_s: float
    lasts_s: float
    factor: float


@dataclass(frozen=True, slots=True)
class NewHosts:
    """So many hosts more, each like one that is there."""

    like: str
    count: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How the site would decide."""

    policy: Policy
    settings: Settings


@dataclass(frozen=True, slots=True)
class Question:
    """What would be otherwise.

    Attributes:
        horizon_s: how far ahead is looked.
        runs: how many ways in which chance may go are played through.
        seed: of chance; equal seeds give equal answers.
        traffic: all traffic is so many times what is forecast, and the forecast knows it.
        spikes: of all traffic, beside that.
        lost_hosts: names of hosts that are gone at once.
        new_hosts: hosts that are there at once.
        rules: how the site would decide; None: as it does.
        job: that is submitted at once.
        model: that is deployed at once, least important; its traffic source must be known.
    """

    horizon_s: float = 2 * DAY_S
    runs: int = 20
    seed: int = 1
    traffic: float = 1.0
    spikes: tuple[Spike, ...] = ()
    lost_hosts: tuple[str, ...] = ()
    new_hosts: tuple[NewHosts, ...] = ()
    rules: Rules | None = None
    job: JobSpec | None = None
    model: Served | None = None

    @property
    def changes_traffic(self) -> bool:
        """Whether other requests come than as it is."""
        return self.traffic != 1 or bool(self.spikes)
