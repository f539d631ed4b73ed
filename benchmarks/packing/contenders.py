"""The packers of the benchmark, by name."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from benchmarks.packing import peers
from benchmarks.packing.packers import ClusteringPacker, RandomPacker, ScoredPacker, SharingPacker
from benchmarks.packing.planned import PlannedPacker
from benchmarks.packing.protocol import PackerOf
from benchmarks.packing.workload import Fleet, Pods
from policies.packing.workload_mix import SizeMix
from policies.registry import policy_from_names
from scheduler.model.errors import ConfigError

DEFAULT_POLICY: Final = policy_from_names()
"""What a site has that says nothing else."""


def _scored(scoring: peers.Scoring) -> Callable[[Fleet, Pods], PackerOf]:
    return lambda _fleet, _pods: lambda room, table, _chance: ScoredPacker(room, table, scoring)


def _fgd(fleet: Fleet, pods: Pods) -> PackerOf:
    """FGD knows the typical pods of the whole list beforehand, as published."""
    scoring = peers.fgd(mix_of(pods), fleet.models)
    return lambda room, table, _chance: SharingPacker(room, table, scoring)


CONTENDERS: Final[Mapping[str, Callable[[Fleet, Pods], PackerOf]]] = MappingProxyType(
    {
        "random": lambda _fleet, _pods: RandomPacker,
        "dotprod": _scored(peers.dot_product),
        "gpu-packing": _scored(peers.gpu_packing),
        "gpu-clustering": lambda _fleet, _pods: lambda room, table, _chance: ClusteringPacker(room, table),
        "best-fit": _scored(peers.best_fit),
        "first-fit": _scored(peers.first_fit),
        "fgd": _fgd,
        "headroom": lambda _fleet, _pods: lambda room, table, _chance: PlannedPacker(room, table, DEFAULT_POLICY),
    }
)


def mix_of(pods: Pods) -> SizeMix:
    """Return the mix of a whole list."""
    return SizeMix.of(Counter(pods.shapes[k] for k in pods.shape.tolist()))


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Return the contenders asked for, all when none is named, in the order of the table.

    Raises:
        ConfigError: a name that nobody has.
    """
    unknown = [name for name in names if name not in CONTENDERS]
    if unknown:
        raise ConfigError(f'--policy: no "{unknown[0]}"', help=f"one of: {', '.join(CONTENDERS)}")
    return tuple(name for name in CONTENDERS if not names or name in names)
