"""Serving on Ray: keeps Serve's configuration at the replicas asked for, and sees which of them are there."""

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from scheduler.backends.ray import machine
from scheduler.backends.ray.applications import (
    ROUTER_APP,
    TOLD_S,
    Catalogue,
    Former,
    Front,
    former_in,
    front_in,
    is_waiting,
    router_name,
    serve_config,
    wanted_in,
)
from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.replicas import (
    MARK,
    Wanted,
    app_name,
    complaints,
    faults_in,
    is_building,
    key_of,
    seen,
    states_by_app,
    stopped,
)
from scheduler.backends.ray.rest import RayRest
from scheduler.backends.ray.strangers import foreign_apps, router_of
from scheduler.control.ports import Clock
from scheduler.model.errors import ActionFailed, HeadroomError
from scheduler.model.plan import StartReplica, StopReplica
from scheduler.model.resources import Shape
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState

GATHER_S: Final = 0.15
"""Changes within this time are sent to Serve together."""
BUILD_S: Final = 10.0
"""Longest that changes wait for applications under construction: a new configuration would start them afresh."""
LOOK_S: Final = 0.3
"""How often it is asked whether they are done."""
SLOW_WALL_S: Final = 60.0
"""A replica is never called slow before."""
log = logging.getLogger(__name__)


class Serving:
    """Starts and stops replicas.

    What is wanted is written into the configuration of the router, so Serve itself remembers it for the next control
    plane.

    Args:
        rest: reaches Serve.
        catalogue: what may be served.
        clock: the world's time.
        front: where the router is to answer.
        owner: identity of our store; applications of others are left as they are.
    """

    def __init__(self, rest: RayRest, catalogue: Catalogue, clock: Clock, front: Front, owner: str = "") -> None:
        self._owner, self._router = owner, router_name(owner)
        self._left_out: frozenset[str] = frozenset()
        self._adopted: frozenset[str] = frozenset()
        self._rest, self._catalogue, self._clock, self.front = rest, catalogue, clock, front
        self._wanted: tuple[Wanted, ...] = ()
        self._former = Former()
        self._selectors: Mapping[str, Mapping[str, str]] = {}
        self._ready_since: dict[ReplicaId, float] = {}
        self._timer: threading.Timer | None = None
        self._dirty = False
        self._dirty_since_s = 0.0
        self._sent_at_s = 0.0
        self._failure = ""
        self._closed = False
        self._is_known = False
        self._lock = threading.RLock()

    def start(self, action: StartReplica, fleet: Fleet) -> None:
        """Add a replica.

        Raises:
            ActionFailed: the model is not served here, or the host is gone.
        """
        key = key_of(*action.revised)
        if key not in self._catalogue.applications:
            raise ActionFailed(f"no application is declared for model {key}")
        if not fleet.is_ready(action.slot.host):
            raise ActionFailed(f"{action.model} cannot start on {action.slot.host}: no such host now")
        name = f"{action.model}@{action.slot.host}-{uuid.uuid4().hex[:8]}"
        holds = _amounts(self._catalogue.models[key].shape)
        runs = action.slot.host, self._owner, action.revision
        new = Wanted(
            name,
            action.model,
            action.slot.host,
            action.slot.devices,
            self._clock.now_s(),
            holds=holds,
            named=app_name(action.model, *runs) if self._owner else "",
            revision=action.revision,
        )
        with self._lock:
            self._know()
            self._change((*self._wanted, new), fleet)

    def declare(self, catalogue: Catalogue) -> None:
        """Take note of what may be served from now on; what has replicas and is left out answers until it stops."""
        with self._lock:
            known = catalogue.with_former(self._catalogue, {each.key for each in self._wanted})
            changed, self._catalogue = known != self._catalogue, known
            if changed and self._is_known:
                self._need_sending(GATHER_S)

    def stop(self, action: StopReplica, fleet: Fleet) -> None:
        """Take a replica away, after the requests it has."""
        with self._lock:
            self._know()
            after = stopped(self._wanted, action.replica_id, time.time(), self._clock.now_s())
            if after != self._wanted:
                self._change(after, fleet)

    def observe(
        self, details: Mapping[str, Any], asked_at_s: float, fleet: Fleet
    ) -> tuple[tuple[Replica, ...], tuple[str, ...]]:
        """Return the replicas that hold room, and sentences about those that cannot start.

        Args:
            details: what `RayRest.serve` answered.
            asked_at_s: `time.monotonic()` when it was asked.
            fleet: the hosts; replicas on lost ones are given up.

        Raises:
            Unreachable: Ray does not answer.
        """
        with self._lock:
            self._selectors = fleet.selectors
            is_fresh = asked_at_s > self._sent_at_s  # an older answer does not know the latest changes
            if is_fresh and not self._dirty:
                self._adopt(details)
            on_ready_hosts = [each for each in self._wanted if fleet.is_ready(each.host)]
            replicas = self._dated(seen(on_ready_hosts, states_by_app(details), faults_in(details)))
            self._tidy(replicas, fleet, is_missing=is_fresh and wanted_in(details, self._router) is None)
            return replicas, self._faults(details, replicas)

    def others(self, details: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """Return the applications that Serve shows and that are not ours, by name."""
        with self._lock:
            found = foreign_apps(details, self._owner, self._wanted)
            self._adopted = self._adopted.intersection(found)  # one that is gone may come back, and be adopted again
            return found

    def adopt(self, app: str, fleet: Fleet) -> None:
        """Take over the router that an application belongs to, and all of its replicas of models declared here.

        They go on under their names, and requests go to where they went. What was taken over is not taken over again,
        though it may be seen and asked for some turns longer.

        Raises:
            ActionFailed: it is no application of Headroom's, or none of its models is declared.
        """
        with self._lock:
            self._know()
            details = self._rest.serve()
            router = router_of(details, app)
            if router in self._adopted:
                return
            live = [each for each in wanted_in(details, router or "") or () if each.is_live]
            came = [replace(each, named=each.app) for each in live if each.key in self._catalogue.applications]
            if router is None or not came:
                raise ActionFailed(f"{app} serves no model that is declared here")
            self.front = front_in(details, router) or self.front
            self._left_out |= {router}
            self._adopted |= {router}
            here = {each.replica_id for each in self._wanted}
            self._change((*self._wanted, *(each for each in came if each.replica_id not in here)), fleet)

    def evict(self, app: str) -> None:
        """Have somebody else's application removed, which was made by a configuration as ours are."""
        with self._lock:
            self._left_out |= {app}
            self._need_sending(GATHER_S)

    def flush(self) -> None:
        """Send what is still being gathered.

        Raises:
            Unreachable: Ray does not answer.
            ActionFailed: Serve refuses the configuration.
        """
        with self._lock:
            if self._dirty:
                self._send()

    def close(self) -> None:
        """Stop gathering; what was not sent is dropped."""
        with self._lock:
            self._closed = True
            self._call_off()

    def _know(self) -> None:
        """Take over what runs already, before anything is added to it."""
        if not self._is_known:
            self._adopt(self._rest.serve())

    def _adopt(self, details: Mapping[str, Any]) -> None:
        self._is_known = True
        self._wanted = wanted_in(details, self._router) or ()
        self._former = former_in(details, self._wanted, self._catalogue, self._router)
        self.front = front_in(details, self._router) or self._apart(details)

    def _apart(self, details: Mapping[str, Any]) -> Front:
        """Return where our first router is to answer: not where somebody else's does."""
        routers = (name for name in details["applications"] if name.partition(MARK)[0] == ROUTER_APP)
        taken = {front.port for name in routers if (front := front_in(details, name))}
        return replace(self.front, port=machine.free_ports(1)[0]) if self.front.port in taken else self.front

    def _change(self, wanted: tuple[Wanted, ...], fleet: Fleet) -> None:
        self._wanted, self._selectors = wanted, fleet.selectors
        self._need_sending(GATHER_S)

    def _need_sending(self, delay_s: float) -> None:
        if not self._dirty:
            self._dirty, self._dirty_since_s = True, time.monotonic()
        self._schedule(delay_s)

    def _schedule(self, delay_s: float) -> None:
        with self._lock:
            self._call_off()
            if self._closed:
                return
            self._timer = threading.Timer(delay_s, self._send_later)
            self._timer.daemon = True
            self._timer.start()

    def _call_off(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    def _send_later(self) -> None:
        with self._lock:  # as `close` does: what is being sent is sent before the connection goes
            self._timer = None
            if self._closed:
                return
            try:
                self._flush_unless_building()
            except HeadroomError as error:
                log.warning("Serve did not take the new configuration: %s", error)

    def _flush_unless_building(self) -> None:
        if time.monotonic() < self._dirty_since_s + BUILD_S and is_building(self._rest.serve()):
            self._schedule(LOOK_S)
        else:
            self.flush()

    def _send(self) -> None:
        wall_s = time.time()
        given = (self._wanted, self._catalogue, self.front, self._selectors, wall_s, self._former, self._router)
        config = serve_config(*given)
        config["applications"] += self._as_they_are()
        try:
            self._rest.serve_config(config)
        except ActionFailed as error:
            self._dirty, self._failure = False, str(error)
            raise
        self._call_off()
        self._sent_at_s = time.monotonic()
        self._dirty, self._failure = False, ""
        if is_waiting(self._wanted, wall_s):
            self._need_sending(TOLD_S + GATHER_S)

    def _as_they_are(self) -> list[Any]:
        """Return others' applications as Serve has them: one that a configuration leaves out is removed."""
        others = foreign_apps(self._rest.serve(), self._owner, self._wanted)
        self._left_out = self._left_out.intersection(others)
        kept = (app.get("deployed_app_config") for name, app in sorted(others.items()) if name not in self._left_out)
        return [config for config in kept if config]

    def _tidy(self, replicas: tuple[Replica, ...], fleet: Fleet, *, is_missing: bool) -> None:
        """Give up what sits on lost hosts, drop what has stopped, and see that nothing stays unsent."""
        present = {replica.replica_id for replica in replicas}
        known = [w for w in self._wanted if w.key in self._catalogue.applications or w.app in self._former.apps]
        possible = [w for w in known if fleet.is_ready(w.host)]
        kept = tuple(w for w in possible if w.is_live or w.replica_id in present)
        changed, self._wanted = kept != self._wanted, kept
        # Once in any case: the models' declarations may differ from those of the control plane before.
        is_due = (is_missing or not self._sent_at_s) and bool(self._catalogue.applications)
        if (changed or self._dirty or is_due) and self._timer is None:
            self._need_sending(0.0)

    def _faults(self, details: Mapping[str, Any], replicas: tuple[Replica, ...]) -> tuple[str, ...]:
        refused = (f"Serve refuses its configuration: {self._failure}",) if self._failure else ()
        others = foreign_apps(details, self._owner, self._wanted)
        ours = {name: app for name, app in details["applications"].items() if name not in others}
        return refused + complaints({"applications": ours}) + self._slow(replicas)

    def _slow(self, replicas: tuple[Replica, ...]) -> tuple[str, ...]:
        now_s, least_s = self._clock.now_s(), SLOW_WALL_S * self._clock.speed
        models = self._catalogue.models
        starting = [(r, models.get(_key(r))) for r in replicas if r.state is ReplicaState.STARTING]
        return tuple(
            f"{r.model} on {r.slot.host} has been starting for {now_s - r.since_s:.0f} s and says nothing"
            for r, model in starting
            if model is not None and now_s - r.since_s > max(least_s, 3 * model.warm_up_s)
        )

    def _dated(self, replicas: tuple[Replica, ...]) -> tuple[Replica, ...]:
        now_s = self._clock.now_s()
        ready = {
            r.replica_id: self._ready_since.get(r.replica_id, now_s) for r in replicas if r.state is ReplicaState.READY
        }
        self._ready_since = ready
        return tuple(replace(r, since_s=ready.get(r.replica_id, r.since_s), shape=self._held_by(r)) for r in replicas)

    def _held_by(self, replica: Replica) -> Shape | None:
        """Return what a replica holds where its model does not say it: Serve is told so at the first chance."""
        served = self._catalogue.models.get(_key(replica))
        if served is None:
            return replica.shape
        return None if len(self._catalogue.names[replica.model]) == 1 else served.shape


def _key(replica: Replica) -> str:
    return key_of(replica.model, replica.revision)


def _amounts(shape: Shape) -> tuple[int, ...]:
    return shape.cpu_milli, shape.memory_mib, shape.gpu_count, shape.gpu_milli
