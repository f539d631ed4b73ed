"""Hosts with who holds each device."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from scheduler.api.presenting.times import MIB, moment_or_none
from scheduler.control.board import Report
from scheduler.control.records import HostMark
from scheduler.model.hosts import Host as ModelHost
from scheduler.model.hosts import HostState
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape, Slot
from scheduler.model.snapshot import Snapshot, shape_held
from scheduler.model.workloads import JobState, Replica, ReplicaState, ServingModel, TrainingJob
from scheduler.wire.cluster import Device, DeviceUse, Host

CPU_MILLI = 1000
STRAY = "stray"
"""Kind and name of what others run: who they are is in the list of strays."""
_REPLICA_KINDS = {ReplicaState.STARTING: "starting", ReplicaState.STOPPING: "stopping"}


class Held(NamedTuple):
    """One unit of work (or a promise of room) in its slot."""

    slot: Slot
    shape: Shape
    holder: str
    name: str
    kind: str


def host_views(report: Report, marks: Sequence[HostMark] | None = None) -> tuple[Host, ...]:
    """Return every host of the last snapshot, by name, with what its devices do.

    Args:
        report: the last one.
        marks: what operators say of hosts by now, where that may be newer; None for what the snapshot says.
    """
    snapshot = report.cycle.snapshot
    work = tuple(work_of(snapshot))
    uses = _uses_by_device((*work, *promises_of(report)))
    used_cpu, used_memory = _used(work)
    hosts = snapshot.hosts if marks is None else _marked(snapshot.hosts, marks)
    return tuple(_host_view(host, uses, used_cpu[host.name], used_memory[host.name]) for host in hosts)


def _marked(hosts: Iterable[ModelHost], marks: Iterable[HostMark]) -> Iterator[ModelHost]:
    """Yield hosts in the state that operators want of them; a lost one stays lost."""
    by_host = {mark.host: mark for mark in marks}
    for host in hosts:
        mark = by_host.get(host.name)
        if host.state is HostState.LOST:
            yield host
        elif mark is not None:
            yield replace(host, state=mark.state, reason=mark.reason, since_s=mark.since_s)
        elif not host.takes_new_work:
            yield replace(host, state=HostState.READY, reason="", since_s=0.0)
        else:
            yield host


def work_of(snapshot: Snapshot) -> Iterator[Held]:
    """Return everything that holds room: replicas first, then jobs, then strays."""
    models = {model.name: model for model in snapshot.models}
    shapes = {name: model.shape for name, model in models.items()}
    for replica in snapshot.replicas:
        kind = _replica_kind(replica, models.get(replica.model))
        yield Held(replica.slot, shape_held(replica, shapes), replica.model, replica.model, kind)
    for job in snapshot.jobs:
        for slot in job.slots if job.state.holds_room else ():
            yield Held(slot, job.gang.shape, job.job_id, job.name, _job_kind(job))
    for slot, shape in snapshot.foreign:
        yield Held(slot, shape, STRAY, STRAY, STRAY)


def promises_of(report: Report) -> Iterator[Held]:
    """Yield the room that is kept free: what the last plan promised, as far as nobody holds it yet."""
    snapshot = report.cycle.snapshot
    known = {model.name: (model.name, model.shape) for model in snapshot.models}
    known |= {str(job.job_id): (job.name, job.gang.shape) for job in snapshot.jobs}
    taken = _taken_milli(work_of(snapshot))
    for promise in report.cycle.plan.reservations:
        name, shape = known.get(promise.holder, ("", Shape()))
        for slot in promise.slots if name else ():
            if all(taken[slot.host, index] + shape.gpu_milli <= WHOLE_DEVICE_MILLI for index in slot.devices):
                yield Held(slot, shape, promise.holder, name, "held")


def _taken_milli(work: Iterable[Held]) -> Counter[tuple[str, int]]:
    taken: Counter[tuple[str, int]] = Counter()
    for slot, shape, *_ in work:
        taken.update({(slot.host, index): shape.gpu_milli for index in slot.devices})
    return taken


def _replica_kind(replica: Replica, model: ServingModel | None) -> str:
    return _REPLICA_KINDS.get(replica.state, "community" if model is not None and model.community else "serving")


def _job_kind(job: TrainingJob) -> str:
    return "preempting" if job.state is JobState.PREEMPTING else "training"


def _uses_by_device(work: Iterable[Held]) -> Mapping[tuple[str, int], list[DeviceUse]]:
    uses: dict[tuple[str, int], list[DeviceUse]] = defaultdict(list)
    for slot, shape, holder, name, kind in work:
        for index in slot.devices:
            use = DeviceUse(holder=holder, name=name, kind=kind, gpu_milli=shape.gpu_milli)
            uses[slot.host, index].append(use)
    return uses


def _used(work: Iterable[Held]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return thousandths of a core and MiB in use by host."""
    cpu_milli: dict[str, int] = defaultdict(int)
    memory_mib: dict[str, int] = defaultdict(int)
    for slot, shape, *_ in work:
        cpu_milli[slot.host] += shape.cpu_milli
        memory_mib[slot.host] += shape.memory_mib
    return cpu_milli, memory_mib


def _host_view(
    host: ModelHost, uses: Mapping[tuple[str, int], list[DeviceUse]], cpu_milli: int, memory_mib: int
) -> Host:
    return Host(
        name=host.name,
        state=host.state.value,
        reason=host.reason,
        since=moment_or_none(host.since_s),
        gpu_model=host.gpu_model,
        devices=tuple(
            Device(
                index=device.index,
                memory_bytes=device.memory_mib * MIB,
                partitions=device.partitions,
                uses=tuple(uses.get((host.name, device.index), ())),
            )
            for device in host.devices
        ),
        cpus=host.cpu_milli / CPU_MILLI,
        cpus_used=cpu_milli / CPU_MILLI,
        memory_bytes=host.memory_mib * MIB,
        memory_bytes_used=memory_mib * MIB,
        labels=dict(host.labels),
    )
