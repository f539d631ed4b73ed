"""Hysteresis: a replica goes only when nobody has needed it for a while."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Steady:
    """Replicas lately needed: (at_s, replicas), later and fewer from one to the next.

    Only moments that may still be the highest of the window are kept, so the first is the highest of it.
    """

    needs: tuple[tuple[float, int], ...]

    @classmethod
    def at(cls, now_s: float, replicas: int) -> Self:
        """Begin with what runs already: a control plane that restarts forgets what was needed, not what is there."""
        return cls(((now_s, replicas),))

    @property
    def most(self) -> int:
        """The most replicas needed within the window."""
        return self.needs[0][1]


def steadied(before: Steady, now_s: float, replicas: int, window_s: float) -> Steady:
    """Return what was needed up to now, `replicas` being needed now; needs older than `window_s` are forgotten."""
    recent = [(at_s, need) for at_s, need in before.needs if need > replicas and now_s - at_s < window_s]
    return Steady((*recent, (now_s, replicas)))
