"""Fragmentation gradient descent: Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 4.

The fragment of a host is the free GPU that a pod of the expected work cannot use, averaged over that work: all of it
when the pod does not fit the host, the devices too small for it when it does. The host whose fragment grows least by a
placement is chosen.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from policies.packing.devices import devices_after
from policies.packing.workload_mix import PRIOR, SizeMix
from scheduler.model.ledger import Ledger
from scheduler.model.policy import Scorer
from scheduler.model.resources import Shape
from scheduler.model.work import WorkSeen

POPULAR: Final = 0.95
"""Share of the pods that the typical ones make up together."""
_SCALE_MILLI: Final = 1000.0
_TOP_SCORE: Final = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Typical:
    """The shapes that make up most of the work, memory aside.

    Attributes:
        cpu_milli, gpu_milli, gpu_count: int64 (T,); `gpu_milli` is per device, 0 for work without devices.
        models: the GPU models each accepts; empty for any.
        share: float64 (T,), sums to 1.
    """

    cpu_milli: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    gpu_count: NDArray[np.int64]
    models: tuple[frozenset[str], ...]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, mix: SizeMix) -> "Typical":
        """Take the most frequent shapes until `POPULAR` of all is reached; ties go to the larger shape."""
        counts: dict[tuple[int, int, int, frozenset[str]], int] = {}
        for shape, count in mix.counts:
            key = (shape.cpu_milli, shape.gpu_milli if shape.gpu_count else 0, shape.gpu_count, shape.gpu_models)
            counts[key] = counts.get(key, 0) + count
        ranked = sorted(counts.items(), key=lambda item: (item[1], item[0][:3], sorted(item[0][3])), reverse=True)
        before = np.cumsum([0, *(count for _, count in ranked)])[:-1]
        chosen = [item for item, seen in zip(ranked, before, strict=True) if seen < POPULAR * mix.total]
        share = np.array([count for _, count in chosen], dtype=np.float64)
        cpu, milli, devices = np.array([key[:3] for key, _ in chosen], dtype=np.int64).reshape(-1, 3).T
        return cls(cpu, milli, devices, tuple(key[3] for key, _ in chosen), share / max(share.sum(), 1))

    def accepts(self, gpu_model: str) -> NDArray[np.bool_]:
        """Return bool (T,): which of them need devices and may use those of a model."""
        return np.array([not m or gpu_model in m for m in self.models], dtype=bool) & (self.gpu_count > 0)


def fragment(
    typical: Typical, accepts: NDArray[np.bool_], cpu_milli: NDArray[np.int64], gpu_milli: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return float64 (N,): the expected free GPU, in thousandths of a device, that a typical pod cannot use.

    Args:
        typical: the expected work.
        accepts: bool (N, T), which of it may use each host's devices, see `Typical.accepts`.
        cpu_milli: int64 (N,), free thousandths of a core.
        gpu_milli: int64 (N, D), free thousandths of each device; below 0 where there is none.
    """
    free = np.maximum(gpu_milli, 0)
    large = free[:, None, :] >= np.maximum(typical.gpu_milli, 1)[None, :, None]
    fits = accepts & (large.sum(axis=2) >= typical.gpu_count) & (cpu_milli[:, None] >= typical.cpu_milli)
    usable = np.where(fits, (free[:, None, :] * large).sum(axis=2), 0)
    lost: NDArray[np.float64] = free.sum(axis=1) - usable @ typical.share
    return lost


def score_of(growth: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the published score of a growing fragment, 0 to 100 in whole steps; higher is better."""
    score: NDArray[np.int64] = (_TOP_SCORE / (1.0 + np.exp(np.clip(growth / _SCALE_MILLI, -500, 500)))).astype(np.int64)
    return score


def fgd(start: Ledger, work: WorkSeen) -> Scorer:  # noqa: ARG001  # the scarce is no concern of FGD
    """Score by the growth of the fragment, for the work seen, or a usual mix before there is any: the lowest wins."""
    return _scorer_for(SizeMix(work.usual) if work.usual else PRIOR)


@lru_cache(maxsize=4)
def _scorer_for(mix: SizeMix) -> Scorer:
    typical = Typical.of(mix)

    def score(ledger: Ledger, rows: NDArray[np.int64], shape: Shape) -> NDArray[np.float64]:
        models = [typical.accepts(model) for model in ledger.table.gpu_models]
        accepts = np.array(models, dtype=bool).reshape(-1, len(typical.share))[ledger.table.gpu_model[rows]]
        cpu, gpu, after = ledger.cpu_milli[rows], ledger.gpu_milli[rows], devices_after(ledger, rows, shape)
        growth = fragment(typical, accepts, cpu - shape.cpu_milli, after) - fragment(typical, accepts, cpu, gpu)
        return -score_of(growth).astype(np.float64)

    return score
