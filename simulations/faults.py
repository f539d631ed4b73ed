"""Hosts that are lost and come back: as listed, or at random by seed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scheduler.config.scenario import Faults
from simulations.chance import chance
from simulations.cluster import SimulatedCluster
from simulations.engine import Engine


@dataclass(frozen=True, slots=True, order=True)
class Outage:
    """A host without an answer from `at_s` to `until_s`, epoch seconds."""

    host: str
    at_s: float
    until_s: float


def outages(faults: Faults, hosts: Sequence[str], start_s: float, end_s: float, seed: int) -> tuple[Outage, ...]:
    """Return all outages that begin between `start_s` and `end_s`, by host and time, overlapping ones joined."""
    listed = [Outage(o.host, start_s + o.after, start_s + o.after + o.lasts) for o in faults.outages]
    at_random = [o for host in hosts for o in _random(faults, host, start_s, end_s, chance(seed, f"fault {host}"))]
    return tuple(_joined(sorted(outage for outage in listed + at_random if outage.at_s < end_s)))


def schedule(outages: Iterable[Outage], cluster: SimulatedCluster, engine: Engine) -> None:
    """Let the outages happen."""
    for outage in outages:
        engine.at(outage.at_s, lambda host=outage.host: cluster.lose_host(host))  # type: ignore[misc]  # bound early
        engine.at(outage.until_s, lambda host=outage.host: cluster.return_host(host))  # type: ignore[misc]


def _random(faults: Faults, host: str, start_s: float, end_s: float, rng: np.random.Generator) -> Iterator[Outage]:
    """Yield outages with exponential times between and exponential repairs: a two-state Markov process."""
    if faults.mean_time_between is None:
        return
    at_s = start_s + rng.exponential(faults.mean_time_between)
    while at_s < end_s:
        until_s = at_s + rng.exponential(faults.mean_repair)
        yield Outage(host, at_s, until_s)
        at_s = until_s + rng.exponential(faults.mean_time_between)


def _joined(outages: Iterable[Outage]) -> Iterator[Outage]:
    """Join outages of one host that touch; `outages` come sorted."""
    before: Outage | None = None
    for outage in outages:
        if before is not None and outage.host == before.host and outage.at_s <= before.until_s:
            before = Outage(before.host, before.at_s, max(before.until_s, outage.until_s))
            continue
        if before is not None:
            yield before
        before = outage
    if before is not None:
        yield before
