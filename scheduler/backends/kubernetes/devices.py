"""Accelerators of nodes: their resources, models and parts, as the device plugins and labellers of the vendors say."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from scheduler.backends.kubernetes.nodes import Node
from scheduler.backends.kubernetes.quantities import MIB, at_most
from scheduler.model.hosts import Device

PARTS: Final = "gpu.compute-memory-partition"
"""End of the label by which AMD's labeller says into what the accelerators of a host are cut."""
_AMD_MODES: Final = {"spx": 1, "dpx": 2, "tpx": 3, "qpx": 4, "cpx": 8}
_AMD_PART: Final = re.compile(r"(spx|dpx|tpx|qpx|cpx)_nps\d")
_MIG: Final = re.compile(r"mig-(\d)g\.(\d+)gb")
_MIG_SLICES: Final = 7
_DROPPED: Final = re.compile(r"^(nvidia|amd|tesla|instinct|geforce)$", re.IGNORECASE)
_ENDS: Final = re.compile(r"^(sxm\d*|pcie|oam|hbm.*|\d+gb|mig.*|hf|va|vf)$", re.IGNORECASE)


class Accelerators(NamedTuple):
    """What a host has.

    Attributes:
        resource: as which its devices are asked for; "" for a host without any.
        devices: one each, with its memory and into how many equal parts its accelerator is cut.
        model: of the accelerators.
        left_out: other resources that are devices here and are not planned: a host has devices of one kind.
    """

    resource: str = ""
    devices: tuple[Device, ...] = ()
    model: str = ""
    left_out: tuple[str, ...] = ()


def accelerators_of(node: Node, resources: Sequence[str]) -> Accelerators:
    """Return the devices of a node; of several kinds those of which it has most.

    Args:
        node: as its kubelet and the labellers describe it.
        resources: names of the resources that are devices.
    """
    counts = [(count, name) for name, count in node.allocatable.devices if name in resources]
    if not counts:
        return Accelerators()
    count, resource = max(counts)
    parts = parts_of(resource, node.labels)
    memory_mib = _memory_mib(resource, node.labels, parts)
    if parts > 1 and not memory_mib:
        memory_mib = 1  # of a part of which nothing is known, not even that is promised; 0 would suit nobody
    devices = tuple(Device(index, memory_mib, parts) for index in range(count))
    return Accelerators(resource, devices, model_of(node.labels), tuple(sorted(n for _, n in counts if n != resource)))


def is_part_name(resource: str) -> bool:
    """Whether devices that are asked for by this name are parts of accelerators."""
    return parts_of(resource, {}) > 1


def parts_of(resource: str, labels: Mapping[str, str]) -> int:
    """Return into how many equal parts the accelerators are cut of which a resource is one."""
    name = resource.partition("/")[2]
    if mig := _MIG.match(name):
        return max(1, _MIG_SLICES // int(mig[1]))
    said = _AMD_PART.match(name) or _AMD_PART.match(labels.get(f"amd.com/{PARTS}", ""))
    return _AMD_MODES[said[1]] if said else 1


def model_of(labels: Mapping[str, str]) -> str:
    """Return the model of a node's accelerators, for instance "MI300X" or "H100"; "" where no labeller says it."""
    for key in ("amd.com/gpu.product-name", "beta.amd.com/gpu.product-name", "nvidia.com/gpu.product"):
        if labels.get(key):
            return _short(labels[key])
    family = labels.get("amd.com/gpu.family", "")
    return family.upper() if family.lower().startswith("mi") else family


def _short(product: str) -> str:
    """Return the model in a product's name: without its maker, its board and its memory."""
    words = [word for word in re.split(r"[-_ ]", product) if word and not _DROPPED.match(word)]
    ends = next((at for at, word in enumerate(words) if at and _ENDS.match(word)), len(words))
    return "-".join(words[:ends])


def _memory_mib(resource: str, labels: Mapping[str, str], parts: int) -> int:
    """Return the memory of one device, 0 when nobody says."""
    if mig := _MIG.match(resource.partition("/")[2]):
        return int(mig[2]) * 1024
    if said := labels.get("nvidia.com/gpu.memory"):
        return int(said) if said.isdigit() else 0
    if said := labels.get("amd.com/gpu.vram"):
        return _vram_mib(said) // parts
    return 0


def _vram_mib(text: str) -> int:
    """Read what AMD's labeller says, for instance "192G": powers of two, whatever it is called."""
    found = re.fullmatch(r"(\d+)([MG])", text)
    return at_most(f"{found[1]}{found[2]}i", MIB) if found else 0
