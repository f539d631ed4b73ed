"""Whether a gang could ever run: also asked at submission, so that what can never start is refused at once."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scheduler.model.counting import plural
from scheduler.model.hosts import Host, HostState
from scheduler.model.ledger import Ledger
from scheduler.model.plan import Reason, Unplaced
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placement.placing import capped, limit_of
from scheduler.planning.placement.topology import most_together
from scheduler.planning.reasons.wording import asks, models_of


def empty(hosts: Sequence[Host]) -> Ledger:
    """Return the room of the hosts as if all were up, took new work and had nothing on them."""
    return Ledger.of([replace(host, state=HostState.READY) for host in hosts])


def never_fits(hosts: Sequence[Host], gang: Gang, subject: str = "") -> Unplaced | None:
    """Say why a gang is larger than the whole cluster, or None when it could run on an empty one.

    Hosts that are cordoned, draining or lost count: they may come back.

    Args:
        hosts: all hosts known.
        gang: what was asked for.
        subject: job id, or "" before there is one.

    Returns:
        The refusal, with the workers asked for, how many could run, and in the message what would fit.
    """
    return never_fits_on(empty(hosts), gang, subject)


def never_fits_on(whole: Ledger, gang: Gang, subject: str = "") -> Unplaced | None:
    """As `never_fits`, for room made by `empty`, so that it is made once for many gangs."""
    fitting = most_together(gang, capped(whole.units(gang.shape), limit_of(gang), gang.workers), whole.table)
    if fitting >= gang.workers:
        return None
    if not whole.table.matching(gang.shape).any():
        return Unplaced(subject, Reason.NO_HOST_MATCHES, _no_match(whole, gang.shape), gang.workers)
    has = _has_together(whole, gang, fitting) if gang.require_same else _has(whole, gang.shape)
    message = f"this gang can never run: {asks(gang)}; {has}{_suggestion(whole, gang, fitting)}"
    return Unplaced(subject, Reason.IMPOSSIBLE_GANG, message, gang.workers, fitting)


def _no_match(whole: Ledger, shape: Shape) -> str:
    wanted = [f"{key}={value}" for key, value in shape.host_labels]
    wanted += [f"GPU model {models_of(shape)}"] if shape.gpu_models else []
    wanted += [f"{shape.device_memory_mib} MiB of device memory"] if shape.device_memory_mib else []
    there = sorted({_offer(host) for host in whole.hosts if host.devices})
    hint = (
        "" if shape.device_memory_mib or not _fits_parts(whole, shape) else "; partitions are for who states gpu_memory"
    )
    return f"no host has {' and '.join(wanted) or 'a whole GPU'}; GPU models here: {', '.join(there) or 'none'}{hint}"


def _offer(host: Host) -> str:
    """Say what a host's devices are: their model, and for parts of one which part and how much memory."""
    device, model = host.devices[0], host.gpu_model or "unnamed"
    return model if device.partitions == 1 else f"{model}/{device.partitions} ({device.memory_mib} MiB each)"


def _fits_parts(whole: Ledger, shape: Shape) -> bool:
    return bool(whole.table.matching(replace(shape, device_memory_mib=1)).any())


def _has(whole: Ledger, shape: Shape) -> str:
    """Say what the hosts that match have, in the resource that is asked for."""
    rows = np.flatnonzero(whole.table.matching(shape).any(axis=1))
    devices = [len(whole.hosts[row].devices) for row in rows]
    hosts = f"the cluster has {plural(len(rows), 'matching host')}"
    if shape.gpu_count:
        return f"{hosts} with {plural(sum(devices), 'GPU')}, at most {max(devices)} on one"
    cores, memory = int(whole.cpu_milli[rows].max()) // 1000, int(whole.memory_mib[rows].max())
    return f"{hosts} with at most {cores} CPU and {memory} MiB"


def _has_together(whole: Ledger, gang: Gang, fitting: int) -> str:
    """Say how many workers the largest rack (or the like) takes."""
    label = gang.require_same
    if not any(key == label for host in whole.hosts for key, _ in host.labels):
        return f"no host has the label {label}, so that none is known to be near another"
    return f"no one {label} takes more than {fitting} of the workers"


def _suggestion(whole: Ledger, gang: Gang, fitting: int) -> str:
    """Say what of it would fit: fewer workers, or as many GPUs over workers with fewer each."""
    total = gang.workers * gang.shape.gpu_count
    smaller = (size for size in range(gang.shape.gpu_count - 1, 0, -1) if total % size == 0)
    for size in smaller if gang.shape.gpu_milli == WHOLE_DEVICE_MILLI else ():
        split = replace(
            gang, workers=total // size, shape=replace(gang.shape, gpu_count=size), max_per_host=0, max_workers=0
        )
        units = whole.units(split.shape).clip(max=split.workers)
        if most_together(split, units, whole.table) >= split.workers:
            return f"; fits: --workers {split.workers} --gpus {size}"
    return f"; fits: --workers {fitting}" if fitting else ""
