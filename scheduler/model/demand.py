"""What serving will need, in replicas: all the planner ever learns of the traffic."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple


class Basis(StrEnum):
    """What a demand rests on, so that people can be told."""

    FORECAST = "forecast"
    CORRECTED = "corrected"
    """The forecast, raised because the load is above it."""
    COLD_START = "cold start"
    """Too little history: the load now, with a margin."""
    SILENT = "source silent"
    """The traffic source stopped answering: the last load known, with a margin."""
    REACTIVE = "reactive"
    """No forecast, because the configuration says so."""


class Level(NamedTuple):
    """How many replicas of a model are expected to be wanted from a moment on, another number than before.

    Attributes:
        at_s: from when on, epoch seconds.
        replicas: by the middle of the forecast.
        replicas_high: by its quantile by which serving is planned; seldom are more wanted.
    """

    at_s: float
    replicas: int
    replicas_high: int


@dataclass(frozen=True, slots=True)
class ModelDemand:
    """Replicas one model needs.

    Attributes:
        model: its name.
        replicas_now: enough for the load of this moment.
        replicas_wanted: enough for the highest load within the lead time (warm-up + preemption grace + control
            period); these are started now. At least `replicas_now`.
        replicas_held: enough for the highest load within the lead time and the shortest useful run of a training
            job; room for the difference is kept free. At least `replicas_wanted`.
        rps_now: requests per second now.
        rps_wanted: the quantile of the highest requests per second within the lead time.
        rps_per_replica: what one replica serves at its objective.
        peak_at_s: when the highest load of `rps_held`'s window is expected, epoch seconds.
        basis: see `Basis`.
        replicas_low: the fewest that are expected to be wanted within a day; None when nothing is foreseen.
        low_at_s: from when on, epoch seconds.
        falls: (at_s, replicas), each time within that day at which fewer are expected to be wanted than ever before
            it, the last one the lowest; () where only that is foreseen.
        course: each time within the next day and a half at which more or fewer are expected to be wanted than just
            before it, in order; () where nothing is foreseen, or nothing changes.
        replicas_asked: what the cluster's own controllers want now, see `Observation`; more than the model's limit
            while a rollout lasts. Contained in the others.
    """

    model: str
    replicas_now: int
    replicas_wanted: int
    replicas_held: int
    rps_now: float = 0.0
    rps_wanted: float = 0.0
    rps_per_replica: float = 1.0
    peak_at_s: float = 0.0
    basis: Basis = Basis.FORECAST
    replicas_low: int | None = None
    low_at_s: float = 0.0
    falls: tuple[tuple[float, int], ...] = ()
    course: tuple[Level, ...] = ()
    replicas_asked: int = 0

    def at_least(self, asked: int) -> "ModelDemand":
        """Return the demand where the cluster's own controllers want so many replicas now."""
        if not asked:
            return self
        wanted = max(self.replicas_wanted, asked)
        return replace(
            self, replicas_wanted=wanted, replicas_held=max(self.replicas_held, wanted), replicas_asked=asked
        )


@dataclass(frozen=True, slots=True)
class PoolDemand:
    """Room to hold for models whose replicas take devices of one kind: held for one of them, it serves any of them.

    Replicas are counted beyond those that the models want now.

    Attributes:
        name: the kind of device, for people.
        models: names, most important first.
        replicas_peak: for the highest sum of what all of them need at once within their windows, at the quantile.
        replicas_apart: what it would be if each model's own quantile were added.
        replicas_flash_crowd: reserve for a flash crowd, which no forecast knows of.
        replicas_surge: for a rolling update of one of the models at a time.
        peak_at_s: when the sum is expected to be highest, epoch seconds.
    """

    name: str
    models: tuple[str, ...]
    replicas_peak: int = 0
    replicas_apart: int = 0
    replicas_flash_crowd: int = 0
    replicas_surge: int = 0
    peak_at_s: float = 0.0

    @property
    def replicas_held(self) -> int:
        """All that is to be held."""
        return self.replicas_peak + self.replicas_flash_crowd + self.replicas_surge


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand of every served model at one moment, in the order in which models are kept alive when short.

    Attributes:
        models: most important first.
        pools: room to be held for several models together; a model in none of them is held room on its own.
    """

    models: tuple[ModelDemand, ...] = ()
    pools: tuple[PoolDemand, ...] = ()

    def of(self, model: str) -> ModelDemand | None:
        """Return the demand of one model, or None when it is not served."""
        return next((d for d in self.models if d.model == model), None)
