"""What runs on a Ray cluster that our store did not start: told apart by names and marks, with its room. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from scheduler.backends.ray.applications import ROUTER_APP, wanted_in
from scheduler.backends.ray.hosts import Fleet
from scheduler.backends.ray.names import MIB, Names, RunLabel, mark_of
from scheduler.backends.ray.replicas import DELETING, GONE_STATES, MARK, Wanted
from scheduler.model.observation import Stray, StrayKind
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Held, Shape, Slot

Group = Mapping[str, Any]
"""`name`, and `bundles` as (node id, amounts by resource)."""
Submission = tuple[RunLabel | None, Mapping[str, Any]]
ALIVE: Final = frozenset({"PENDING", "RUNNING"})


def strays_of(
    groups: Sequence[Group], others: Iterable[Submission], apps: Mapping[str, Any], fleet: Fleet, names: Names
) -> tuple[Stray, ...]:
    """Return the strays, sorted by name; those that do not say which devices they have hold none in particular yet.

    Args:
        groups: all placement groups.
        others: submissions that are not ours.
        apps: applications of Serve that are not ours, by name, as Serve shows them.
        fleet: the hosts; room elsewhere is nobody's concern.
        names: ours.
    """
    by_name = {group["name"]: group for group in groups if not names.owns_group(group["name"])}
    runs = [_run(label, job, by_name, fleet) for label, job in others if job["status"] in ALIVE and _name(label, job)]
    seen = {run.name for run in runs}
    rooms = [
        Stray(name, StrayKind.GROUP, held=tuple(_bundles(group, fleet)))
        for name, group in by_name.items()
        if name not in seen
    ]
    served = [Stray(name, StrayKind.APPLICATION, _mark(name), tuple(_held(app, fleet))) for name, app in apps.items()]
    return tuple(sorted((*runs, *rooms, *served), key=lambda stray: (stray.name, stray.kind)))


def foreign_apps(details: Mapping[str, Any], owner: str, wanted: Iterable[Wanted]) -> dict[str, Mapping[str, Any]]:
    """Return the applications that Serve shows and that are not ours, by name.

    Args:
        details: what `/api/serve/applications/` answers.
        owner: identity of our store.
        wanted: our replicas; those that were adopted bear other names.
    """
    ours, mark = {each.app for each in wanted}, mark_of(owner)
    return {
        name: app
        for name, app in details["applications"].items()
        if name not in ours and _mark(name) != mark and app.get("status") != DELETING
    }


def router_of(details: Mapping[str, Any], app: str) -> str | None:
    """Return the router that an application belongs to, or that it is; None when it is none of Headroom's."""
    routers = [name for name in details["applications"] if name.partition(MARK)[0] == ROUTER_APP]
    has = (name for name in routers if any(each.app == app for each in wanted_in(details, name) or ()))
    return app if app in routers else next(has, None)


def with_devices(strays: Sequence[Stray], taken: Iterable[Slot], fleet: Fleet) -> tuple[Stray, ...]:
    """Return the strays with devices for those that hold some and do not say which: the last that nobody else has.

    Args:
        strays: as `strays_of` returns them.
        taken: slots of our own.
        fleet: the hosts.
    """
    named = [slot for stray in strays for slot, _ in stray.held]
    left = {host.name: [device.index for device in host.devices] for host in fleet.hosts}
    for slot in (*taken, *named):
        left[slot.host] = [index for index in left.get(slot.host, []) if index not in slot.devices]
    return tuple(
        Stray(one.name, one.kind, one.owner, tuple(_placed(one.held, left)), one.job_id, one.attempt) for one in strays
    )


def _placed(held: Iterable[Held], left: dict[str, list[int]]) -> Iterator[Held]:
    for slot, shape in held:
        missing = shape.gpu_count - len(slot.devices)
        if missing <= 0:
            yield slot, shape
            continue
        free = left[slot.host]
        chosen, left[slot.host] = free[-missing:], free[:-missing]
        devices = tuple(sorted((*slot.devices, *chosen)))
        yield Slot(slot.host, devices), _of_size(shape, len(devices))


def _of_size(shape: Shape, devices: int) -> Shape:
    share = shape.gpu_milli if devices == shape.gpu_count else WHOLE_DEVICE_MILLI
    return Shape(shape.cpu_milli, shape.memory_mib, devices, share)


def _run(label: RunLabel | None, job: Mapping[str, Any], groups: Mapping[str, Group], fleet: Fleet) -> Stray:
    name = _name(label, job)
    group = groups.get(name)
    held = tuple(_bundles(group, fleet)) if group else ()
    if label is None:
        return Stray(name, StrayKind.RUN, held=held)
    shapes = [shape for _, shape in held] or [Shape()]
    here = tuple(
        (slot, _sized(shapes[min(rank, len(shapes) - 1)], len(slot.devices))) for rank, slot in enumerate(label.slots)
    )
    return Stray(name, StrayKind.RUN, label.owner, here, label.job_id, label.attempt)


def _sized(shape: Shape, devices: int) -> Shape:
    return shape if shape.gpu_count == devices else Shape(shape.cpu_milli, shape.memory_mib, devices)


def _name(label: RunLabel | None, job: Mapping[str, Any]) -> str:
    return label.name if label else str(job.get("submission_id") or "") * (job.get("type") != "DRIVER")


def _mark(app: str) -> str:
    return app.partition(MARK)[2]


def _bundles(group: Group, fleet: Fleet) -> Iterator[Held]:
    for node, amounts in group["bundles"]:
        if node in fleet.names:
            yield Slot(fleet.names[node]), _shape(amounts.get("CPU"), amounts.get("GPU"), amounts.get("memory"))


def _held(app: Mapping[str, Any], fleet: Fleet) -> Iterator[Held]:
    for deployment in app.get("deployments", {}).values():
        options = (deployment.get("deployment_config") or {}).get("ray_actor_options") or {}
        shape = _shape(options.get("num_cpus", 1), options.get("num_gpus"), options.get("memory"))
        for replica in deployment.get("replicas", ()):
            if replica.get("node_id") in fleet.names and replica["state"] not in GONE_STATES:
                yield Slot(fleet.names[replica["node_id"]]), shape


def _shape(cpus: float | None, gpus: float | None, memory: float | None) -> Shape:
    """Return a shape from Ray's amounts; of several devices, parts count as whole ones."""
    cpu_milli, memory_mib = round((cpus or 0) * 1000), int((memory or 0) // MIB)
    if not gpus:
        return Shape(cpu_milli, memory_mib)
    if gpus < 1:
        return Shape(cpu_milli, memory_mib, 1, max(1, round(gpus * WHOLE_DEVICE_MILLI)))
    return Shape(cpu_milli, memory_mib, -int(-gpus // 1))
