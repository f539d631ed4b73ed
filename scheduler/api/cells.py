"""The picture of a host: one cell per device, as text, colour class and spoken words."""

from dataclasses import dataclass
from typing import Final

from scheduler.api.formatting import initials, percent
from scheduler.model.resources import WHOLE_DEVICE_MILLI
from scheduler.wire.hosts import Device, DeviceUse, Host

CLASSES: Final = {
    "serving": "s",
    "community": "c",
    "starting": "w",
    "stopping": "g",
    "training": "t",
    "preempting": "p",
    "held": "h",
    "reserved": "v",
    "stray": "o",
    "occupied": "o",
    "free": "f",
    "drained": "x",
    "lost": "l",
}
WORDS: Final = {
    "community": "community serving",
    "preempting": "saving a checkpoint",
    "held": "held for the peak",
    "reserved": "reserved for it",
    "stray": "somebody else's",
    "occupied": "somebody else's",
}
JOB_KINDS: Final = frozenset({"training", "preempting"})
MOST_LETTERS: Final = 4
GAP_MILLI: Final = 30
"""Between the shares of a device, in thousandths of the cell's width."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a cell: where it begins and how wide it is, in thousandths, and its colour class."""

    begin: int
    width: int
    css: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One device.

    Attributes:
        css: class of the colour; "frac" when it is shared.
        text: what stands in it.
        words: what is said of it, for instance "ml-serve1013 GPU 3: 401 wikitext-lm, training".
        holder: model or job id whose cells are shown together; "" for none.
        href: what a click opens; "" for nothing.
        shares: parts of a shared device.
    """

    css: str
    text: str
    words: str
    holder: str
    href: str
    shares: tuple[Share, ...] = ()


def cells_of(host: Host) -> tuple[Cell, ...]:
    """Return the cells of a host, in device order."""
    return tuple(_cell(host, device) for device in host.devices)


def used_share(used: float, total: float) -> int:
    """Return percent in use, 0 to 100."""
    return max(0, min(100, round(100 * used / total))) if total else 0


def _cell(host: Host, device: Device) -> Cell:
    spoken = f"{host.name} GPU {device.index}: {_spoken(device, host.rest)}"
    if not device.uses:
        return Cell(CLASSES[host.rest], "", spoken, "", "")
    first = device.uses[0]
    href = f"/jobs/{first.holder}" if first.kind in JOB_KINDS else ""
    whole = sum(use.gpu_milli for use in device.uses) >= WHOLE_DEVICE_MILLI
    if whole and len({(use.holder, use.kind) for use in device.uses}) == 1:
        return Cell(CLASSES[first.kind], _text(first), spoken, first.holder, href)
    return Cell("frac", "", spoken, first.holder, href, _shares(device.uses))


def _text(use: DeviceUse) -> str:
    if use.is_kept:
        return ""
    return use.holder[-MOST_LETTERS:] if use.kind in JOB_KINDS else initials(use.name)


def _spoken(device: Device, rest: str) -> str:
    said = [_said(use) for use in device.uses]
    free = WHOLE_DEVICE_MILLI - sum(use.gpu_milli for use in device.uses)
    if free > 0 and device.uses:
        said.append(f"{percent(free / WHOLE_DEVICE_MILLI)} {rest}")
    return "; ".join(said) or rest


def _said(use: DeviceUse) -> str:
    who = f"{use.holder} {use.name}" if use.holder != use.name else use.name
    share = "" if use.gpu_milli == WHOLE_DEVICE_MILLI else f"{percent(use.gpu_milli / WHOLE_DEVICE_MILLI)} "
    return f"{share}{who}, {WORDS.get(use.kind, use.kind)}"


def _shares(uses: tuple[DeviceUse, ...]) -> tuple[Share, ...]:
    shares, begin = [], 0
    for use in uses:
        shares.append(Share(begin, max(1, use.gpu_milli - GAP_MILLI), CLASSES[use.kind]))
        begin += use.gpu_milli
    return tuple(shares)
