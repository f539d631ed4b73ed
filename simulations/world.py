"""A simulated world: clock, store and cluster, and what each job in it really needs."""

from collections.abc import Iterable

from scheduler.model.hosts import Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.observation import Order
from scheduler.model.workloads import JobId, ServingModel
from simulations.cluster import SimulatedCluster
from simulations.engine import Engine
from simulations.memory_store import MemoryStore
from simulations.work import Work


class World:
    """Everything of a simulation but the control loop; it is the cluster's `Workload`.

    Attributes:
        engine: the virtual clock.
        store: what was accepted.
        cluster: the hosts.
    """

    def __init__(
        self,
        start_s: float,
        hosts: Iterable[Host],
        models: Iterable[ServingModel] = (),
        store: MemoryStore | None = None,
    ) -> None:
        """Start at `start_s` (epoch seconds) with empty hosts, and with no jobs or those of a store."""
        self.engine = Engine(start_s)
        self.store = store or MemoryStore()
        self.cluster = SimulatedCluster(self.engine, hosts, models, self.store, self)
        self._works: dict[JobId, Work] = {}
        self._ordered: dict[str, Work] = {}

    def submit(self, spec: JobSpec, work: Work) -> JobId:
        """Accept a job now and return its id."""
        job = self.store.accept(spec, self.engine.now_s())
        self._works[job.job_id] = work
        return job.job_id

    def declare(self, job_id: JobId, work: Work) -> None:
        """Say what a job really needs that the store has already."""
        self._works[job_id] = work

    def order(self, order: Order, work: Work) -> None:
        """Give a job to the cluster itself, and say what it really needs."""
        self._ordered[order.spec.origin] = work
        self.cluster.order(order)

    def work(self, job_id: JobId) -> Work:
        """Return a job's work; KeyError when it was never submitted here."""
        known = self._works.get(job_id)
        return self._ordered[self.store.spec(job_id).origin] if known is None else known
