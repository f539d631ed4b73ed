"""`RayCluster`: what the control loop sees of Ray."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_never

import httpx

from scheduler.backends.ray import machine
from scheduler.backends.ray.applications import Catalogue, Front, ServeApplication
from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.backends.ray.link import DriverLink
from scheduler.backends.ray.names import run_name
from scheduler.backends.ray.rest import RayRest
from scheduler.backends.ray.runs import Runs
from scheduler.backends.ray.serving import Serving
from scheduler.backends.ray.training import Training
from scheduler.control.board import ModelTally
from scheduler.control.leading import Lease
from scheduler.control.ports import Clock, JobSpecs
from scheduler.control.private import private_folder
from scheduler.control.secrets import SecretShelf
from scheduler.model.errors import Unreachable
from scheduler.model.observation import Observation
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.workloads import JobId, ServingModel


class RayCluster:
    """A Ray cluster as a `scheduler.control.ports.Cluster`.

    Nothing that matters is kept here: runs carry their slots in Ray's job metadata, replicas are listed in the
    router's configuration, orders to stop and checkpoints lie in `state_dir`. A new instance sees the same.

    Args:
        address: host and port of Ray's GCS; this machine must be a node of the cluster.
        dashboard_url: of Ray's dashboard.
        lease: proved before each order, and before each look, for looking enforces what is overdue.
        specs: what to run.
        clock: the world's time.
        applications: by model name.
        served: the models, with the shapes of their replicas.
        state_dir: packages, checkpoints, orders to stop; all hosts must see it under the same path.
        secrets: what jobs may name; none when left out.
        router_host: address that the front router listens on. When Serve runs already, its own.
        router_port: its port; 0 for a free one. When Serve runs already, its own.
    """

    def __init__(  # noqa: PLR0913  # the composition root names every one of them
        self,
        address: str,
        dashboard_url: str,
        *,
        lease: Lease,
        specs: JobSpecs,
        clock: Clock,
        applications: Mapping[str, ServeApplication],
        served: Iterable[ServingModel],
        state_dir: Path,
        secrets: SecretShelf | None = None,
        router_host: str = "127.0.0.1",
        router_port: int = 0,
    ) -> None:
        private_folder(state_dir)
        self._clock, self._lease = clock, lease
        self._link, self._rest = DriverLink(address), RayRest(dashboard_url, lease.prove)
        self._training = Training(self._link, self._rest, specs, clock, state_dir)
        self._training.secrets = secrets or self._training.secrets
        self._runs = Runs(self._training, self._link, self._rest, clock)
        catalogue = Catalogue({model.name: model for model in served}, dict(applications))
        front = Front(router_host, router_port or machine.free_ports(1)[0], str(state_dir.resolve() / "tallies.json"))
        self._serving = Serving(self._rest, catalogue, clock, front)
        self._fleet = Fleet()
        self._tallies: dict[str, ModelTally] = {}
        self._http = httpx.Client(timeout=2.0, trust_env=False)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ray-serve")

    def observe(self) -> Observation:
        """Return what runs on Ray now; also enforces what is overdue, see `Runs.observe`.

        Raises:
            Unreachable: Ray does not answer.
            Superseded: another control plane leads.
        """
        self._lease.prove()
        asked_at_s = time.monotonic()
        serving = self._pool.submit(self._rest.serve)
        groups = self._look()
        runs = self._runs.observe(groups, self._fleet)
        replicas, faults = self._serving.observe(serving.result(), asked_at_s, self._fleet)
        return Observation(self._clock.now_s(), self._fleet.hosts, runs, replicas, faults)

    def apply(self, action: Action) -> None:
        """Begin to carry out one action; changes of replicas are gathered for a moment and sent together.

        Raises:
            ActionFailed: Ray refuses; the room is as it was before.
            Unreachable: Ray does not answer.
            Superseded: another control plane leads; nothing is done.
        """
        self._lease.prove()
        if not self._fleet.hosts:
            self._look()
        match action:
            case StartJob():
                self._training.start(action, self._fleet)
            case PreemptJob():
                self._training.preempt(action)
            case StartReplica():
                self._serving.start(action, self._fleet)
            case StopReplica():
                self._serving.stop(action, self._fleet)
            case _:
                assert_never(action)

    def forget(self, job_id: JobId, attempt: int) -> None:
        """Drop an ended run."""
        self._training.forget(job_id, attempt)

    def logs(self, job_id: JobId, attempt: int) -> str:
        """Return what the driver of a run has printed so far, without secrets; "" when nobody knows the run."""
        return self._training.secrets.hide(self._training.outputs.read(run_name(job_id, attempt)))

    @property
    def router_url(self) -> str:
        """Where requests go, for instance "http://127.0.0.1:8000"; models answer under /models/<name>/."""
        return f"http://{self._serving.front.host}:{self._serving.front.port}"

    def tallies(self) -> Mapping[str, ModelTally]:
        """Return the requests counted by the router, by model; the last ones known while it does not answer."""
        try:
            answer = self._http.get(f"{self.router_url}/headroom/tallies").raise_for_status()
            self._tallies = {model: ModelTally(**counts) for model, counts in answer.json().items()}
        except httpx.HTTPError:
            return self._tallies
        return self._tallies

    def close(self) -> None:
        """Let go of Ray; what runs there goes on."""
        self._serving.close()
        self._pool.shutdown(wait=False)
        self._http.close()
        self._rest.close()
        self._link.close()

    def _look(self) -> Iterable[str]:
        seen: Mapping[str, Any] = self._link.look()
        if "error" in seen:
            raise Unreachable(f"Ray does not say what it has: {seen['error']}")
        self._fleet = fleet_of(seen["nodes"], self._fleet, self._clock.now_s())
        return list(seen["groups"])
