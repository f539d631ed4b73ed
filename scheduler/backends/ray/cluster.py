"""`RayCluster`: what the control loop sees of Ray."""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_never

import httpx

from scheduler.backends.ray import machine
from scheduler.backends.ray.applications import Catalogue, Front, ServeApplication
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.hosts import Fleet, fleet_of
from scheduler.backends.ray.link import DriverLink
from scheduler.backends.ray.names import Names
from scheduler.backends.ray.occupied import Occupied, beyond
from scheduler.backends.ray.rest import RayRest
from scheduler.backends.ray.runs import Runs
from scheduler.backends.ray.serving import Serving
from scheduler.backends.ray.strangers import Group, strays_of, with_devices
from scheduler.backends.ray.training import Training
from scheduler.control.ports import Clock, JobSpecs
from scheduler.control.private_files import private_folder
from scheduler.control.reports.board import RequestCounts
from scheduler.control.service.secrets import SecretShelf
from scheduler.control.settings import Declared
from scheduler.model.errors import ActionFailed, Unreachable
from scheduler.model.observation import Observation, Run, Stray, StrayKind
from scheduler.model.plan import Action, PreemptJob, StartJob, StartReplica, StopReplica
from scheduler.model.resources import Held, Shape
from scheduler.model.snapshot import shape_held
from scheduler.model.workloads import JobId, Replica, ServingModel


class RayCluster:
    """A Ray cluster as a `scheduler.control.ports.Cluster`.

    Nothing that matters is kept here: runs carry their slots in Ray's job metadata, replicas are listed in the
    router's configuration, orders to stop and checkpoints lie in `state_dir`. A new instance sees the same.

    Args:
        address: host and port of Ray's GCS; this machine must be a node of the cluster.
        dashboard_url: of Ray's dashboard.
        claimant: whose orders these are; its lease is proved, and its claim on the cluster seen to, before each order
            and each look, for looking enforces what is overdue.
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
        claimant: Claimant,
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
        self._clock, self._claimant = clock, claimant
        self._names = Names(claimant.lease.fence.owner)
        self._link = DriverLink(address, claimant)
        self._rest = RayRest(dashboard_url, self._link.confirm)
        self._training = Training(self._link, self._rest, specs, clock, state_dir, self._names)
        self._training.secrets = secrets or self._training.secrets
        self._runs = Runs(self._training, self._link, self._rest, clock)
        models = {model.name: model for model in served}
        catalogue = Catalogue(models, dict(applications))
        self._shapes = {name: model.shape for name, model in models.items()}
        self._occupied = Occupied()
        front = Front(
            router_host, router_port or machine.free_ports(1)[0], str(state_dir.resolve() / "request_counts.json")
        )
        self._serving = Serving(self._rest, catalogue, clock, front, self._names.owner)
        self._evicted: dict[str, float] = {}
        self._fleet = Fleet()
        self._tallies: dict[str, RequestCounts] = {}
        self._http = httpx.Client(timeout=2.0, trust_env=False)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="ray-serve")

    def claim(self) -> None:
        """Claim the cluster, as looking at it does.

        Raises:
            Unreachable: Ray does not answer.
            Superseded: another control plane leads, or has the cluster.
        """
        self._look()

    def observe(self) -> Observation:
        """Return what runs on Ray now; also enforces what is overdue, see `Runs.observe`.

        Raises:
            Unreachable: Ray does not answer.
            Superseded: another control plane leads, or has the cluster.
        """
        self._claimant.claim()
        asked_at_s = time.monotonic()
        serving = self._pool.submit(self._rest.serve)
        nodes, groups = self._look()
        runs = self._runs.observe([group["name"] for group in groups], self._fleet)
        details = serving.result()
        replicas, faults = self._serving.observe(details, asked_at_s, self._fleet)
        strays = self._strays(groups, details, runs, replicas)
        occupied = self._occupation(nodes, groups, strays, runs, replicas)
        return Observation(self._clock.now_s(), self._fleet.hosts, runs, replicas, faults, strays, occupied)

    def apply(self, action: Action) -> None:
        """Begin to carry out one action; changes of replicas are gathered for a moment and sent together.

        Raises:
            ActionFailed: Ray refuses; the room is as it was before.
            Unreachable: Ray does not answer.
            Superseded: another control plane leads; nothing is done.
        """
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

    def adopt(self, stray: Stray) -> None:
        """Take over a run, or the router and the replicas that an application belongs to.

        Raises:
            ActionFailed: it is neither, or none of its models is declared.
            Unreachable: Ray does not answer.
        """
        match stray.kind:
            case StrayKind.RUN:
                self._link.adopt(stray.name)
            case StrayKind.APPLICATION:
                self._serving.adopt(stray.name, self._fleet)
            case StrayKind.GROUP:
                raise ActionFailed(f"nothing is known of what holds the room {stray.name}")

    def evict(self, stray: Stray, grace_s: float) -> None:
        """Have a stray end; of a run, what is left after the grace is removed with its room when this is said again.

        Raises:
            ActionFailed: Ray refuses.
            Unreachable: Ray does not answer.
        """
        match stray.kind:
            case StrayKind.GROUP:
                self._link.release([stray.name])
            case StrayKind.APPLICATION if self._is_configured(stray.name):
                self._serving.evict(stray.name)
            case StrayKind.APPLICATION:
                self._link.unserve(stray.name)
            case StrayKind.RUN:
                due_s = self._evicted.setdefault(stray.name, time.monotonic() + grace_s / self._clock.speed)
                self._rest.stop(stray.name)
                if time.monotonic() >= due_s:
                    self._link.release([stray.name])

    def declare(self, declared: Sequence[Declared]) -> None:
        """Take note of all revisions of models that are served or tried; Serve is told with the next changes."""
        self._serving.declare(Catalogue.of(declared))

    def logs(self, job_id: JobId, attempt: int) -> str:
        """Return what the driver of a run has printed so far, without secrets; "" when nobody knows the run."""
        return self._training.secrets.hide(self._training.outputs.read(self._names.run(job_id, attempt)))

    @property
    def router_url(self) -> str:
        """Where requests go, for instance "http://127.0.0.1:8000"; models answer under /models/<name>/."""
        return f"http://{self._serving.front.host}:{self._serving.front.port}"

    def request_counts(self) -> Mapping[str, RequestCounts]:
        """Return the requests counted by the router, by model; the last ones known while it does not answer."""
        try:
            answer = self._http.get(f"{self.router_url}/headroom/request-counts").raise_for_status()
            self._tallies = {model: RequestCounts(**counts) for model, counts in answer.json().items()}
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

    def _is_configured(self, app: str) -> bool:
        return bool(self._rest.serve()["applications"].get(app, {}).get("deployed_app_config"))

    def _strays(
        self, groups: Sequence[Group], details: Mapping[str, Any], runs: Sequence[Run], replicas: Sequence[Replica]
    ) -> tuple[Stray, ...]:
        found = strays_of(groups, self._runs.others, self._serving.others(details), self._fleet, self._names)
        taken = [slot for run in runs if run.state.holds_room for slot in run.slots]
        return with_devices(found, [*taken, *(replica.slot for replica in replicas)], self._fleet)

    def _occupation(
        self,
        nodes: Sequence[Mapping[str, Any]],
        groups: Sequence[Group],
        strays: Sequence[Stray],
        runs: Sequence[Run],
        replicas: Sequence[Replica],
    ) -> tuple[Held, ...]:
        served = [(replica.slot, shape_held(replica, self._shapes)) for replica in replicas]
        apps = [held for stray in strays if stray.kind is StrayKind.APPLICATION for held in stray.held]
        others = [held for stray in strays for held in stray.held]
        going = [(slot, Shape(gpu_count=len(slot.devices))) for r in runs if r.state.holds_room for slot in r.slots]
        now = beyond(nodes, groups, (*served, *apps), self._fleet)
        return self._occupied.seen(time.monotonic(), now, (*going, *served, *others), self._fleet)

    def _look(self) -> tuple[Sequence[Mapping[str, Any]], Sequence[Group]]:
        seen: Mapping[str, Any] = self._link.look()
        if "error" in seen:
            raise Unreachable(f"Ray does not say what it has: {seen['error']}")
        self._fleet = fleet_of(seen["nodes"], self._fleet, self._clock.now_s())
        self._names.adopted = frozenset(seen["adopted"])
        return list(seen["nodes"]), list(seen["groups"])
