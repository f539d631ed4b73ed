"""Hosts with who holds each device."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from scheduler.api.presenting.jobs import places
from scheduler.api.presenting.times import MIB, moment, moment_or_none
from scheduler.control.records import HostMark
from scheduler.control.reports.board import Report
from scheduler.control.snapshots.parts import marked
from scheduler.model.hosts import Host as ModelHost
from scheduler.model.occupancy import Use, kept, work
from scheduler.wire.hosts import Device, DeviceUse, Host, HostBooking
from scheduler.wire.jobs import devices_by_host

CPU_MILLI = 1000


def host_views(report: Report, marks: Sequence[HostMark] | None = None) -> tuple[Host, ...]:
    """Return every host of the last snapshot, by name, with what its devices do.

    Args:
        report: the last one.
        marks: what operators say of hosts by now, where that may be newer; None for what the snapshot says.
    """
    snapshot = report.cycle.snapshot
    there = tuple(work(snapshot))
    uses = _uses_by_device((*there, *kept(snapshot, report.cycle.plan)))
    used_cpu, used_memory = _used(there)
    booked = _booked_by_host(report)
    hosts = snapshot.hosts if marks is None else _marked(report, marks)
    return tuple(
        _host_view(host, uses, used_cpu[host.name], used_memory[host.name], booked[host.name]) for host in hosts
    )


def _marked(report: Report, marks: Iterable[HostMark]) -> tuple[ModelHost, ...]:
    """Return hosts as the cluster has them, in the state that operators want of them."""
    seen = {host.name: host for host in report.observation.hosts}
    return marked([seen.get(host.name, host) for host in report.cycle.snapshot.hosts], marks)


def _uses_by_device(there: Iterable[Use]) -> Mapping[tuple[str, int], list[DeviceUse]]:
    uses: dict[tuple[str, int], list[DeviceUse]] = defaultdict(list)
    for slot, shape, holder, name, kind in there:
        for index in slot.devices:
            use = DeviceUse(holder=holder, name=name, kind=kind, gpu_milli=shape.gpu_milli)
            uses[slot.host, index].append(use)
    return uses


def _used(there: Iterable[Use]) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return thousandths of a core and MiB in use by host."""
    cpu_milli: dict[str, int] = defaultdict(int)
    memory_mib: dict[str, int] = defaultdict(int)
    for slot, shape, *_ in there:
        cpu_milli[slot.host] += shape.cpu_milli
        memory_mib[slot.host] += shape.memory_mib
    return cpu_milli, memory_mib


def _booked_by_host(report: Report) -> Mapping[str, list[HostBooking]]:
    """Return what is booked for later, the earliest first."""
    booked: dict[str, list[HostBooking]] = defaultdict(list)
    for one in report.cycle.plan.bookings:
        job = report.cycle.snapshot.by_id.get(one.job_id)
        for host, devices in devices_by_host(places(one.slots)).items():
            booked[host].append(
                HostBooking(job=one.job_id, name=job.name if job else "", at=moment(one.start_s), devices=devices)
            )
    return booked


def _host_view(
    host: ModelHost,
    uses: Mapping[tuple[str, int], list[DeviceUse]],
    cpu_milli: int,
    memory_mib: int,
    booked: Iterable[HostBooking],
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
        bookings=tuple(booked),
    )
