"""Hosts as rows: a sign per device for who holds it, the same counted in words, and the sums."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.cli.table import Cell, Column, Table, cell
from scheduler.cli.wording import NOTHING, moment, percent, plain, seconds
from scheduler.config.units import MIB, format_size
from scheduler.model.counting import plural
from scheduler.wire.base import Listing
from scheduler.wire.hosts import Device, Host, HostBooking

COLUMNS: Final = (
    Column("HOST"),
    Column("STATE"),
    Column("GPUS", drop=2),
    Column("USE"),
    Column("HELD BY", drop=6),
    Column("FREE", right=True, drop=1),
    Column("CPU", right=True, drop=4),
    Column("MEM", right=True, drop=5),
    Column("CORES", right=True, wide=True, drop=7),
    Column("MEMORY", right=True, wide=True, drop=8),
    Column("LABELS", wide=True, drop=9),
    Column("SINCE", drop=3),
)
STATE_STYLES: Final = {"draining": "yellow", "cordoned": "dim", "lost": "red"}
_SIGNS: Final = {
    "serving": ("█", "blue"),
    "community": ("c", "blue"),
    "starting": ("░", "blue"),
    "stopping": ("░", "dim"),
    "training": ("▓", ""),
    "preempting": ("▓", "yellow"),
    "held": ("▒", "blue"),
    "reserved": ("▒", ""),
    "stray": ("?", "yellow"),
    "occupied": ("o", "dim"),
    "free": ("∙", "dim"),
}
_WORDS: Final = {
    "serving": "serve",
    "community": "serve",
    "starting": "start",
    "stopping": "stop",
    "training": "train",
    "preempting": "preempt",
    "held": "held",
    "reserved": "reserved",
    "stray": "strays",
    "occupied": "others",
}
LEGEND: Final = (
    "█ serving  c community  ░ starting  ▓ training  ▒ held or reserved  ? stray  o other work  ∙ free  / drained"
)
"""What the signs of the column USE mean."""
MOST_SIGNS: Final = 16
"""Devices of a host that are shown one by one."""
_WHOLE: Final = 1000
_READY: Final = "ready"
_LOST: Final = "lost"


def host_table(hosts: Listing[Host], screen: Screen) -> Table:
    """Return one row a host."""
    rows = tuple(_row(host, hosts.observed_at, screen) for host in hosts.items)
    return Table(COLUMNS, rows, tuple(host.name for host in hosts.items))


def host_sums(hosts: Sequence[Host]) -> str:
    """Return how many hosts are in which state, and who holds how many GPUs."""
    states = Counter(host.state for host in hosts)
    first = f"{plural(len(hosts), 'host')}: " + ", ".join(f"{count} {state}" for state, count in states.most_common())
    held: dict[str, float] = {}
    for host in hosts:
        for kind, amount in _devices_by_holder(host).items():
            held[kind] = held.get(kind, 0.0) + amount
    if not held:
        return first
    words = ", ".join(f"{plain(amount)} {word}" for word, amount in held.items() if round(amount, 2))
    gpus = round(sum(1 / device.partitions for host in hosts for device in host.devices))
    return f"{first}\n{plural(gpus, 'GPU')}: {words}"


def host_detail(host: Host, now: datetime, screen: Screen) -> str:
    """Return everything about one host, a line for each device."""
    since = f" since {moment(host.since, now, screen)}" if host.since else ""
    reason = f" ({host.reason})" if host.reason else ""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(host.labels.items()))
    state = screen.paint(host.state, STATE_STYLES.get(host.state, ""))
    lines = [
        f"{screen.paint(host.name, 'bold')} · {state}{since}{reason}",
        f"CPU      {plain(host.cpus_used)} of {plain(host.cpus)} cores",
        f"Memory   {_size(host.memory_bytes_used)} of {_size(host.memory_bytes)}",
        *([f"Labels   {labels}"] if labels else []),
        *(f"GPU {device.index:<4} {_device(device, host)}" for device in host.devices),
        *(f"Booked   {_booking(one, now, screen)}" for one in host.bookings),
    ]
    return "\n".join(lines)


def still_there(host: Host) -> str:
    """Return what holds room on a host, or "" when nothing does."""
    names = sorted({use.name for device in host.devices for use in device.uses if not use.is_kept})
    cores = f"{plain(host.cpus_used)} cores" if host.cpus_used else ""
    return ", ".join([*names, *([cores] if cores else [])])


def _row(host: Host, now: datetime, screen: Screen) -> tuple[Cell | str, ...]:
    usable = host.state == _READY
    lost = host.state == _LOST
    return (
        cell(host.name, "bold"),
        cell(host.state, STATE_STYLES.get(host.state, "")),
        f"{len(host.devices)}×{host.gpu_kind}" if host.devices else NOTHING,
        Cell(tuple(_signs(host))) if host.devices and not lost else NOTHING,
        _words(host) or NOTHING,
        plain(_devices_by_holder(host).get("free", 0.0)) if usable and host.devices else NOTHING,
        NOTHING if lost else percent(host.cpus_used, host.cpus),
        NOTHING if lost else percent(host.memory_bytes_used, host.memory_bytes),
        plain(host.cpus),
        _size(host.memory_bytes),
        ",".join(f"{name}={value}" for name, value in sorted(host.labels.items())) or NOTHING,
        _since(host, now, screen),
    )


def _since(host: Host, now: datetime, screen: Screen) -> str:
    """Return how long a host is ready, or since when it is not, and why."""
    if host.since is None:
        return host.reason or NOTHING
    if host.state == _READY:
        return seconds((now - host.since).total_seconds())
    return f"{moment(host.since, now, screen)} {host.reason}".strip()


def _signs(host: Host) -> Iterator[tuple[str, str]]:
    """Yield a sign a device, or where these are too many (partitions) each sign once with how many there are."""
    signs = [_sign(device, host) for device in host.devices]
    if len(signs) <= MOST_SIGNS:
        yield from signs
        return
    for number, ((sign, style), count) in enumerate(Counter(signs).items()):
        yield f"{' ' * (number > 0)}{sign}{count}", style


def _sign(device: Device, host: Host) -> tuple[str, str]:
    """Return the sign of whoever holds most of a device."""
    if not device.uses:
        return _SIGNS["free"] if host.state == _READY else ("/", "dim")
    most = max(device.uses, key=lambda use: use.gpu_milli)
    return _SIGNS.get(most.kind, ("?", ""))


def _devices_by_holder(host: Host) -> dict[str, float]:
    """Return devices by kind of holder; what nobody holds is free, drained (or cordoned) or lost."""
    parts = defaultdict[str, float](float)
    for device in host.devices:
        for use in device.uses:
            parts["serving" if use.kind == "community" else use.kind] += use.gpu_milli / device.partitions
        parts[host.rest] += max(0, _WHOLE - sum(use.gpu_milli for use in device.uses)) / device.partitions
    return {kind: amount / _WHOLE for kind, amount in parts.items()}


def _words(host: Host) -> str:
    amounts = ((kind, amount) for kind, amount in _devices_by_holder(host).items() if kind in _WORDS)
    return " ".join(f"{plain(amount)} {_WORDS[kind]}" for kind, amount in amounts)


def _device(device: Device, host: Host) -> str:
    uses = ", ".join(
        f"{use.name} ({use.kind})" + f" {use.gpu_milli / 10:.0f} %" * (use.gpu_milli < _WHOLE) for use in device.uses
    )
    memory = f" {_size(device.memory_bytes)}" if device.memory_bytes else ""
    return f"{host.gpu_kind}{memory}  {uses or 'free'}"


def _booking(one: HostBooking, now: datetime, screen: Screen) -> str:
    where = f" on GPU {', '.join(map(str, one.devices))}" if one.devices else ""
    return f"from {moment(one.at, now, screen)}{where} for {one.job} {one.name}".rstrip()


def _size(size_bytes: float) -> str:
    return f"{format_size(size_bytes / MIB)}B" if size_bytes else NOTHING
