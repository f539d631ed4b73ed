"""Bookkeeping of replicas: which should run where, and which of them do, by what Serve shows. Pure."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

from scheduler.backends.ray.names import mark_of
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import FIRST_REVISION, Replica, ReplicaId, ReplicaState, trial_name

DELETING: Final = "DELETING"
"""Serve's word for an application on its way out; it no longer lists the replicas that are still ending."""
MARK: Final = "~"
"""Between the name of an application and the mark of its owner."""
GONE_STATES: Final = frozenset({"STOPPED"})
ILL_STATES: Final = frozenset({"DEPLOY_FAILED", "UNHEALTHY"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A replica that was asked for.

    Attributes:
        replica_id: ours; Serve numbers its replicas itself, so which of a host's replicas carries it is bookkeeping.
        model: served model.
        host: where.
        devices: indices the planner counts for it; Ray chooses the real ones.
        since_s: when its state began, the world's epoch seconds.
        stopped_wall_s: when it was asked to stop, wall time; None while it is wanted.
        holds: CPU (milli), memory (MiB), devices and share of each that it holds; () where nobody noted it.
        named: its Serve application; "" for one made before they carried the mark of an owner.
        revision: of its model.
    """

    replica_id: str
    model: str
    host: str
    devices: tuple[int, ...]
    since_s: float
    stopped_wall_s: float | None = None
    holds: tuple[int, ...] = ()
    named: str = ""
    revision: int = FIRST_REVISION

    @property
    def app(self) -> str:
        """Name of its Serve application."""
        return self.named or app_name(self.model, self.host, revision=self.revision)

    @property
    def key(self) -> str:
        """What a catalogue calls what it runs."""
        return key_of(self.model, self.revision)

    @property
    def is_live(self) -> bool:
        """Whether it is to run."""
        return self.stopped_wall_s is None

    def as_json(self) -> dict[str, Any]:
        """Return a form that survives JSON."""
        return asdict(self) | {"devices": list(self.devices), "holds": list(self.holds)}

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Read `as_json` back."""
        lists = {"devices": tuple(content["devices"]), "holds": tuple(content.get("holds", ()))}
        return cls(**{**content, **lists})


def key_of(model: str, revision: int) -> str:
    """Return what a catalogue calls a revision of a model: its first by the model's name alone."""
    return model if revision == FIRST_REVISION else trial_name(model, revision)


def app_name(model: str, host: str, owner: str = "", revision: int = FIRST_REVISION) -> str:
    """Return the name of the Serve application of one revision of a model on one host; each owner has its own."""
    runs = model if revision == FIRST_REVISION else f"{model}.{revision}"
    return f"{runs}@{host}{MARK}{mark_of(owner)}" if owner else f"{runs}@{host}"


def states_by_app(details: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return how many replicas of each application are in which of Serve's states.

    An application that is being deleted counts as one with as many replicas as were ever asked for: until it is gone
    nobody knows how many of them still hold their room.

    Args:
        details: what `/api/serve/applications/` answers.
    """
    return {app: _states(content) for app, content in details["applications"].items()}


def _states(app: Mapping[str, Any]) -> Counter[str]:
    if app.get("status") == DELETING:
        return Counter({DELETING: sys.maxsize})
    return Counter(
        replica["state"]
        for deployment in app["deployments"].values()
        for replica in deployment["replicas"]
        if replica["state"] not in GONE_STATES
    )


def seen(
    wanted: Sequence[Wanted], running: Mapping[str, Counter[str]], faults: Mapping[str, str] | None = None
) -> tuple[Replica, ...]:
    """Return the replicas that hold room, sorted by id; `faults` are what is wrong with applications, see `faults_in`.

    On each host the oldest wanted ones are the ready ones. One that was asked to stop is listed while Serve has more
    replicas than are wanted.
    """
    by_app: dict[str, list[Wanted]] = {}
    for each in sorted(wanted, key=lambda w: (w.since_s, w.replica_id)):
        by_app.setdefault(each.app, []).append(each)
    ill = faults or {}
    found = [
        replica
        for app, all_ in by_app.items()
        for replica in _seen(all_, running.get(app, Counter()), ill.get(app, ""))
    ]
    return tuple(sorted(found, key=lambda replica: replica.replica_id))


def _seen(wanted: Sequence[Wanted], states: Counter[str], fault: str) -> Iterable[Replica]:
    live = [each for each in wanted if each.is_live]
    going = [each for each in wanted if not each.is_live]
    for position, each in enumerate(live):
        is_ready = position < states["RUNNING"]
        yield _replica(each, ReplicaState.READY if is_ready else ReplicaState.STARTING, "" if is_ready else fault)
    for each in going[: max(0, states.total() - len(live))]:
        yield _replica(each, ReplicaState.STOPPING)


def _replica(wanted: Wanted, state: ReplicaState, fault: str = "") -> Replica:
    return Replica(
        ReplicaId(wanted.replica_id),
        wanted.model,
        Slot(wanted.host, wanted.devices),
        state,
        wanted.since_s,
        _shape(wanted.holds),
        revision=wanted.revision,
        fault=fault,
    )


def _shape(holds: tuple[int, ...]) -> Shape | None:
    if not holds:
        return None
    cpu_milli, memory_mib, gpu_count, gpu_milli = holds
    return Shape(cpu_milli, memory_mib, gpu_count, gpu_milli)


def stopped(wanted: Sequence[Wanted], replica_id: str, wall_s: float, now_s: float) -> tuple[Wanted, ...]:
    """Return the replicas with one of them asked to stop; nothing changes when it is not there or already asked."""
    return tuple(
        replace(each, stopped_wall_s=wall_s, since_s=now_s) if each.replica_id == replica_id and each.is_live else each
        for each in wanted
    )


def is_building(details: Mapping[str, Any]) -> bool:
    """Whether Serve is importing and building an application, which a new configuration would make it start again.

    Args:
        details: what `/api/serve/applications/` answers.
    """
    return any(app["status"] == "DEPLOYING" and not app["deployments"] for app in details["applications"].values())


def complaints(details: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a sentence about each application that Serve says is not well.

    Args:
        details: what `/api/serve/applications/` answers.
    """
    return tuple(f"{app.partition(MARK)[0]} {fault}" for app, fault in sorted(faults_in(details).items()))


def faults_in(details: Mapping[str, Any]) -> dict[str, str]:
    """Return what Serve says is wrong with applications that are not well, by name.

    Args:
        details: what `/api/serve/applications/` answers.
    """
    return {
        app: f"is {content['status'].lower().replace('_', ' ')}: {_last_line(_words(content))}"
        for app, content in details["applications"].items()
        if content["status"] in ILL_STATES
    }


def _words(app: Mapping[str, Any]) -> str:
    """Return what is wrong: a deployment's own words (the error of its constructor) say more than the application's."""
    ill = [each for each in app["deployments"].values() if each.get("status") in ILL_STATES and each.get("message")]
    return str(ill[0]["message"] if ill else app["message"])


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "Serve gives no reason"
