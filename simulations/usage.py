"""What the simulated devices and replicas did, kept as sums and steps while time passes."""

from collections import defaultdict
from dataclasses import dataclass, field
from enum import StrEnum


class Use(StrEnum):
    """What GPU-seconds go into."""

    SERVING = "serving"
    """Ready replicas."""
    STARTING = "starting"
    """Replicas that warm up or stop."""
    TRAINING = "training"
    LOST = "lost"
    """Devices of hosts that do not answer."""


class Meter:
    """Integrates amounts that stay the same between changes; GPU-seconds when the amounts are devices."""

    def __init__(self, start_s: float) -> None:
        """Begin with nothing in use at `start_s`."""
        self._level: dict[str, float] = defaultdict(float)
        self._sum: dict[str, float] = defaultdict(float)
        self._since: dict[str, float] = defaultdict(lambda: start_s)

    def add(self, kind: str, amount: float, now_s: float) -> None:
        """Change the amount in use from `now_s` on."""
        self._sum[kind] = self.total(kind, now_s)
        self._since[kind] = now_s
        self._level[kind] += amount

    def level(self, kind: str) -> float:
        """Return the amount in use now."""
        return self._level[kind]

    def total(self, kind: str, now_s: float) -> float:
        """Return the amount times seconds up to `now_s`."""
        return self._sum[kind] + self._level[kind] * (now_s - self._since[kind])


@dataclass(slots=True)
class Steps:
    """A number that changes in steps over time; two changes at one moment count as the later one.

    Attributes:
        at_s: when it changed, ascending, epoch seconds.
        values: what it was from then on.
    """

    at_s: list[float] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def add(self, amount: int, now_s: float) -> None:
        """Change it by `amount` from `now_s` on."""
        value = self.now + amount
        if self.at_s and self.at_s[-1] == now_s:
            self.values[-1] = value
        else:
            self.at_s.append(now_s)
            self.values.append(value)

    @property
    def now(self) -> int:
        """The latest value; 0 before the first change."""
        return self.values[-1] if self.values else 0


@dataclass(frozen=True, slots=True)
class TrainingTotals:
    """Where the GPU-seconds of ended attempts went.

    Attributes:
        held_gpu_s: from getting the room to giving it back; the sum of the other three.
        kept_gpu_s: progress that a checkpoint or a success kept.
        lost_gpu_s: progress after the last checkpoint of an attempt that did not succeed.
        overhead_gpu_s: starting up and saving.
    """

    held_gpu_s: float = 0.0
    kept_gpu_s: float = 0.0
    lost_gpu_s: float = 0.0

    @property
    def overhead_gpu_s(self) -> float:
        """Starting up and saving."""
        return self.held_gpu_s - self.kept_gpu_s - self.lost_gpu_s

    def plus(self, *, held: float, kept: float, lost: float) -> "TrainingTotals":
        """Return the totals with one attempt added, in GPU-seconds."""
        return TrainingTotals(self.held_gpu_s + held, self.kept_gpu_s + kept, self.lost_gpu_s + lost)
