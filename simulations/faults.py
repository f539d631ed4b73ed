"""What breaks: hosts that are lost, replicas and jobs that do not start, a control plane that ends; by seed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from scheduler.config.scenario import Faults, Starts
from scheduler.model.workloads import JobId, ReplicaId
from simulations.chance import chance
from simulations.engine import Engine

if TYPE_CHECKING:
    from simulations.cluster import SimulatedCluster


DOWN_S: Final = 60.0
"""For so long a control plane is away that is restarted at random."""


@dataclass(frozen=True, slots=True, order=True)
class Outage:
    """A host without an answer from `at_s` to `until_s`, epoch seconds."""

    host: str
    at_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class StartFaults:
    """What goes wrong with starts; each start has its own draw, whatever else is started.

    Attributes:
        asked: how often, and how badly.
        seed: of all that is left to chance.
    """

    asked: Starts = field(default_factory=Starts)
    seed: int = 0

    def warm_up(self, replica_id: ReplicaId) -> float:
        """Return so many times its warm-up a replica takes."""
        return self.asked.slow_by if self._happens(f"slow start of {replica_id}", self.asked.slow) else 1.0

    def fails(self, replica_id: ReplicaId) -> bool:
        """Whether a replica never gets ready."""
        return self._happens(f"failed start of {replica_id}", self.asked.failing)

    def job_fails(self, job_id: JobId, attempt: int) -> bool:
        """Whether an attempt does not come up."""
        return self._happens(f"failed start of job {job_id} {attempt}", self.asked.jobs_failing)

    def _happens(self, what: str, share: float) -> bool:
        return share > 0 and float(chance(self.seed, what).random()) < share


@dataclass(frozen=True, slots=True, order=True)
class Restart:
    """A control plane that ends at `at_s`, epoch seconds, and is there again after `down_s`."""

    at_s: float
    down_s: float


def restarts(faults: Faults, start_s: float, end_s: float, seed: int) -> tuple[Restart, ...]:
    """Return all restarts of the control plane that begin between `start_s` and `end_s`, in order."""
    found = [Restart(start_s + one.after, one.down) for one in faults.restarts]
    if faults.restart_every is not None:
        rng, at_s = chance(seed, "restarts"), start_s
        while (at_s := at_s + float(rng.exponential(faults.restart_every))) < end_s:
            found.append(Restart(at_s, DOWN_S))
    return tuple(sorted(one for one in found if one.at_s < end_s))


def outages(faults: Faults, hosts: Sequence[str], start_s: float, end_s: float, seed: int) -> tuple[Outage, ...]:
    """Return all outages that begin between `start_s` and `end_s`, by host and time, overlapping ones joined."""
    listed = [Outage(o.host, start_s + o.after, start_s + o.after + o.lasts) for o in faults.outages]
    at_random = [o for host in hosts for o in _random(faults, host, start_s, end_s, chance(seed, f"fault {host}"))]
    return tuple(_joined(sorted(outage for outage in listed + at_random if outage.at_s < end_s)))


def schedule(outages: Iterable[Outage], cluster: "SimulatedCluster", engine: Engine) -> None:
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
