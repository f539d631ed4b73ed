"""Lists of pods made from a given one: more or fewer shares, gangs, constrained or CPU-only pods, other sizes.

A policy that is good on the lists it was made with may be tuned to them. These change one property at a time, by the
measures of the published lists of the openb trace: shares and gangs in per cent of the demand for devices, constrained
pods in per cent of those that ask for devices, CPU-only pods in per cent of those of its list cpu100.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.packing.workload import Pods
from scheduler.model.errors import ConfigError
from scheduler.model.resources import WHOLE_DEVICE_MILLI, Shape

_CPU_ONLY: Final = 789 / 7064
"""CPU-only pods for each that asks for devices, on the list cpu100."""
_LENGTH: Final = 10
"""Thousandths to which shares of other lengths are rounded."""
_HEAVY: Final = 1 / 3
"""The part of the pods that asks for twice the CPU on a CPU-heavy list."""

Chance = np.random.Generator
Recipe = Callable[[Pods, float, Chance], Pods]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What each of K shapes is, bool (K,) each."""

    cpu_only: NDArray[np.bool_]
    share: NDArray[np.bool_]
    gang: NDArray[np.bool_]
    constrained: NDArray[np.bool_]

    @classmethod
    def of(cls, pods: Pods) -> "_Kinds":
        shapes = pods.shapes
        return cls(
            np.array([not shape.gpu_count for shape in shapes]),
            np.array([shape.gpu_count == 1 and shape.gpu_milli < WHOLE_DEVICE_MILLI for shape in shapes]),
            np.array([shape.gpu_count > 1 for shape in shapes]),
            np.array([bool(shape.gpu_models) for shape in shapes]),
        )


def variant(pods: Pods, name: str) -> Pods:
    """Return the list that a name stands for, made from `pods`.

    Args:
        pods: the list to begin with.
        name: recipes of `RECIPES`, those that take a number with it, joined by `+`; `:SEED` behind draws another list.

    Raises:
        ConfigError: no such recipe, or none of the pods that it draws from is on the list.
    """
    steps, _, seed = name.partition(":")
    if seed and not seed.isdigit():
        raise ConfigError(f'--variant: "{name}" has no whole number as its seed', help="for instance cpu000:2")
    chance = np.random.default_rng(int(seed or 0))
    for step in steps.split("+"):
        recipe, number = _recipe(step)
        pods = recipe(pods, number, chance)
    return pods


def all_variants(pods: Pods) -> tuple[str, ...]:
    """Return the names that make up a round of all properties; those of constrained pods where a list has some."""
    return CONSTRAINED if _Kinds.of(pods).constrained.any() else UNCONSTRAINED


def _recipe(step: str) -> tuple[Recipe, float]:
    word = step.rstrip("0123456789")
    number = step[len(word) :]
    recipe = RECIPES.get(f"{word}NN" if number else word)
    if recipe is None:
        raise ConfigError(f'--variant: no recipe "{step}"', help=f"all, or of {', '.join(RECIPES)}")
    return recipe, int(number or 0) / 100


def _shares(pods: Pods, part: float, chance: Chance) -> Pods:
    """As many pods with devices; shares make up this part of their demand."""
    kinds, asked = _Kinds.of(pods), pods.gpu_milli
    share, whole = kinds.share, ~kinds.share & ~kinds.cpu_only
    sizes = [
        float(asked[pods.shape[group[pods.shape]]].mean()) if group[pods.shape].any() else 1.0
        for group in (share, whole)
    ]
    of_pods = part / sizes[0] / (part / sizes[0] + (1 - part) / sizes[1])
    many = int((~kinds.cpu_only)[pods.shape].sum())
    drawn = (_drawn(pods, group, round(many * p), chance) for group, p in ((share, of_pods), (whole, 1 - of_pods)))
    return _listed(pods, pods.shape[kinds.cpu_only[pods.shape]], *drawn)


def _gangs(pods: Pods, part: float, chance: Chance) -> Pods:
    """The pods of at most one device as they are; gangs make up this part of the demand."""
    if part >= 1:
        raise ConfigError("--variant: gangs make up a part of the demand below 100 per cent", help="multigpu50")
    gang, asked = _Kinds.of(pods).gang, pods.gpu_milli
    rest = pods.shape[~gang[pods.shape]]
    many = round(asked[rest].sum() * part / (1 - part) / _mean(asked, pods.shape[gang[pods.shape]]))
    return _listed(pods, rest, _drawn(pods, gang, many, chance))


def _constrained(pods: Pods, part: float, chance: Chance) -> Pods:
    """As many pods with devices; this part of them names models."""
    kinds = _Kinds.of(pods)
    free, many = ~kinds.constrained & ~kinds.cpu_only, int((~kinds.cpu_only)[pods.shape].sum())
    groups = ((kinds.constrained, part), (free, 1 - part))
    drawn = (_drawn(pods, group, round(many * p), chance) for group, p in groups)
    return _listed(pods, pods.shape[kinds.cpu_only[pods.shape]], *drawn)


def _cpu_only(pods: Pods, part: float, chance: Chance) -> Pods:
    cpu_only = _Kinds.of(pods).cpu_only
    rest = pods.shape[~cpu_only[pods.shape]]
    return _listed(pods, rest, _drawn(pods, cpu_only, round(part * _CPU_ONLY * len(rest)), chance))


def _cpu_times(pods: Pods, factor: float, _chance: Chance) -> Pods:
    return Pods.of([_with_cpu(pods.shapes[k], factor) for k in pods.shape.tolist()])


def _cpu_heavy(pods: Pods, _number: float, chance: Chance) -> Pods:
    heavy = chance.random(len(pods.shape)) < _HEAVY
    return Pods.of([_with_cpu(pods.shapes[k], 1 + h) for k, h in zip(pods.shape.tolist(), heavy.tolist(), strict=True)])


def _sampled(pods: Pods, part: float, chance: Chance) -> Pods:
    return Pods(pods.shapes, chance.choice(pods.shape, round(part * len(pods.shape)), replace=False))


def _reweighted(pods: Pods, _number: float, chance: Chance) -> Pods:
    """As many pods; how often each shape comes is drawn anew around what it was."""
    weights = np.bincount(pods.shape, minlength=len(pods.shapes)) * chance.exponential(size=len(pods.shapes))
    return Pods(pods.shapes, chance.choice(len(pods.shapes), len(pods.shape), p=weights / weights.sum()))


def _odd(pods: Pods, _number: float, chance: Chance) -> Pods:
    """Shares of one length get another length, the same for all of them."""
    lengths = sorted({shape.gpu_milli for shape in pods.shapes if shape.gpu_count == 1} - {WHOLE_DEVICE_MILLI})
    others = chance.choice(np.arange(_LENGTH, WHOLE_DEVICE_MILLI, _LENGTH), len(lengths), replace=False).tolist()
    other = dict(zip(lengths, others, strict=True)) | {0: 0, WHOLE_DEVICE_MILLI: WHOLE_DEVICE_MILLI}
    shapes = [replace(shape, gpu_milli=other.get(shape.gpu_milli, shape.gpu_milli)) for shape in pods.shapes]
    return Pods.of([shapes[k] for k in pods.shape.tolist()])


RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "gpushareNN": _shares,
        "multigpuNN": _gangs,
        "gpuspecNN": _constrained,
        "cpuNN": _cpu_only,
        "cpu-timesNN": _cpu_times,
        "cpu-heavy": _cpu_heavy,
        "sampleNN": _sampled,
        "reweighted": _reweighted,
        "odd": _odd,
    }
)
"""By name; `NN` stands for a number, in per cent."""

UNCONSTRAINED: Final = (
    *(f"gpushare{part}" for part in (20, 40, 60, 80, 100)),
    *(f"multigpu{part}" for part in (20, 30, 40, 50)),
    *(f"cpu{part}" for part in ("000", "050", 100, 200, 250)),
    *("cpu-times50", "cpu-times150", "cpu-heavy", "sample50", "reweighted", "odd"),
)
CONSTRAINED: Final = (*(f"gpuspec{part}" for part in (10, 20, 25, 33)), "sample50", "gpushare60+gpuspec20")


def _with_cpu(shape: Shape, factor: float) -> Shape:
    return replace(shape, cpu_milli=round(shape.cpu_milli * factor))


def _drawn(pods: Pods, of: NDArray[np.bool_], many: int, chance: Chance) -> NDArray[np.int64]:
    """Return so many shapes, drawn from the pods of some kind."""
    group = pods.shape[of[pods.shape]]
    if many and not len(group):
        raise ConfigError("--variant: the list has no pod of the kind to draw", help="begin with another --pods")
    return chance.choice(group, many) if many else group[:0]


def _mean(asked: NDArray[np.int64], shapes: NDArray[np.int64]) -> float:
    """Return what these pods ask for on average; 1 where there are none, of which none can be drawn either."""
    return float(asked[shapes].mean()) if len(shapes) else 1.0


def _listed(pods: Pods, *parts: NDArray[np.int64]) -> Pods:
    return Pods(pods.shapes, np.concatenate(parts))
