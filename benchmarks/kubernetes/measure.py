"""Drives a backend on the large double and measures it: the double runs in another process, so memory is Headroom's."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from statistics import quantiles

from benchmarks.kubernetes.double import COUNT, OVER, serve
from benchmarks.kubernetes.site import Size, free_node, gang_name
from scheduler.control.ports import Cluster
from scheduler.model.errors import NotFound, Unreachable
from scheduler.model.jobspec import JobSpec
from scheduler.model.plan import StartJob
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

READY_S, LET_IN_S, BETWEEN_S = 600.0, 60.0, 0.3


class Specs:
    """What was accepted, in memory."""

    def __init__(self) -> None:
        self._specs: dict[JobId, JobSpec] = {}

    def add(self, job_id: JobId, spec: JobSpec) -> None:
        """Accept a job."""
        self._specs[job_id] = spec

    def spec(self, job_id: JobId) -> JobSpec:
        """Return a job's specification."""
        if job_id not in self._specs:
            raise NotFound(f"no job {job_id}")
        return self._specs[job_id]


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        known_s: from the start to the whole cluster being known and looked at for the first time.
        observed_ms: how long each look at it took, while things happened.
        patched_ms: from the last pod of a gang being there to each of its pods being let in.
        events_per_s: changes of pods that there were, from the start to the end.
        expected: how many pods should have been let in.
        memory_mib: the most that Headroom's process held.
        cpu: cores that it used while things happened.
    """

    size: Size
    known_s: float
    observed_ms: tuple[float, ...]
    patched_ms: tuple[float, ...]
    events_per_s: float
    expected: int
    memory_mib: float
    cpu: float


def percentiles(values: tuple[float, ...]) -> tuple[float, float, float]:
    """Return median, 99th percentile and worst."""
    cuts = quantiles(values, n=100, method="inclusive") if len(values) > 1 else [*values] * 99
    return cuts[49], cuts[98], max(values)


def measure(size: Size, open_cluster: Callable[[str, Specs], Cluster], note: Callable[[str], object]) -> Measured:
    """Measure a backend; `open_cluster` opens it on a URL and returns once the cluster is known."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, size), daemon=True)
    process.start()
    note(f"making up {size.nodes} nodes and {size.pods} pods")
    if not mine.poll(READY_S):
        raise Unreachable("the double of the Kubernetes API did not come up")
    url, specs, began_s = mine.recv(), Specs(), time.monotonic()
    cluster = open_cluster(url, specs)
    cluster.observe()
    known_s = time.monotonic() - began_s
    note(f"known after {known_s:.1f} s; starting {size.gangs} gangs under {size.events_per_s} events a second")
    cpu_s, at_s = time.process_time(), time.monotonic()
    observed = _start_all(cluster, specs, size)
    _wait_for_all(mine, size)
    cpu = (time.process_time() - cpu_s) / (time.monotonic() - at_s)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mine.send(OVER)
    rate, patched = mine.recv()
    process.join()
    return Measured(size, known_s, observed, tuple(patched), rate, size.gangs * size.workers, memory_mib, cpu)


def _start_all(cluster: Cluster, specs: Specs, size: Size) -> tuple[float, ...]:
    """Start every gang on its node, with a look at the cluster before each; return how long the looks took."""
    took = []
    for number in range(size.gangs):
        began_s = time.monotonic()
        seen = cluster.observe()
        took.append(1000 * (time.monotonic() - began_s))
        spec = next(order.spec for order in seen.orders if f"/{gang_name(number)}/" in order.spec.origin)
        job_id = JobId(str(number + 1))
        specs.add(job_id, spec)
        slots = tuple(Slot(free_node(number), (device,)) for device in range(size.workers))
        cluster.apply(StartJob(job_id, 1, slots))
        time.sleep(BETWEEN_S)
    return tuple(took)


def _wait_for_all(pipe: Connection, size: Size) -> None:
    """Wait until all pods of all gangs are let in, or for as long as that may take."""
    until_s = time.monotonic() + LET_IN_S
    while time.monotonic() < until_s:
        pipe.send(COUNT)
        if pipe.recv() >= size.gangs * size.workers:
            return
        time.sleep(BETWEEN_S)
