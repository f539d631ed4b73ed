"""Cluster, store, clock and traffic as a control plane may find them: stale, late, full, silent or lying."""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

import numpy as np

from forecasting.series import Series
from scheduler.control.ports import Traffic
from scheduler.model.errors import ActionFailed, Unreachable
from scheduler.model.observation import Observation
from scheduler.model.plan import Action
from simulations.cluster import SimulatedCluster
from simulations.engine import Engine
from simulations.memory_store import MemoryStore

READING: Final = frozenset(
    {"jobs", "job", "spec", "cycles", "reservations", "moves", "host_marks", "stray_orders", "starts", "models",
     "revision", "revisions", "proposals", "events", "origins", "submitted", "jobs_after", "unpublished",
     "publication", "attempt_totals"}
)  # fmt: skip
"""Calls of a store that change nothing."""


class Death(BaseException):
    """The process ends here; nothing may catch it on its way out."""


class Fate:
    """Ends the process at one of the coming calls; `left` is None while it lives on."""

    def __init__(self) -> None:
        """Let it live."""
        self.left: int | None = None

    def strike(self) -> None:
        """Count a call; end the process when it is the one."""
        if self.left is None:
            return
        if self.left <= 0:
            self.left = None
            raise Death
        self.left -= 1


class ShakyClock:
    """The engine's time, and for a while another.

    Attributes:
        off_s: seconds by which it is wrong.
    """

    def __init__(self, engine: Engine) -> None:
        """Be right."""
        self._engine, self.off_s = engine, 0.0

    @property
    def speed(self) -> float:
        """As the engine's."""
        return self._engine.speed

    def now_s(self) -> float:
        """Return what the clock shows."""
        return self._engine.now_s() + self.off_s

    def to_world_s(self, wall_s: float) -> float:
        """Return the present."""
        return self._engine.to_world_s(wall_s) + self.off_s

    def sleep(self, duration_s: float) -> None:
        """Let everything due happen."""
        self._engine.sleep(duration_s)


class ShakyCluster:
    """A cluster between which and the control plane things go wrong.

    Attributes:
        stale: shows what it showed when this began.
        misses: how many runs and replicas are not shown, from the `pick`-th on.
        pick: see `misses`.
        late_s: after which orders are carried out.
        is_away: whether it does not answer.
    """

    def __init__(self, cluster: SimulatedCluster, clock: ShakyClock, fate: Fate, engine: Engine) -> None:
        """Pass everything on."""
        self._cluster, self._clock, self._fate, self._engine = cluster, clock, fate, engine
        self.stale, self.misses, self.pick, self.late_s, self.is_away = False, 0, 0, 0.0, False
        self._last: Observation | None = None

    def observe(self) -> Observation:
        """Return what is shown."""
        self._answer()
        if self.stale and self._last is not None:
            return replace(self._last, taken_at_s=self._clock.now_s())
        seen = self._last = self._cluster.observe()
        hidden = slice(self.pick, self.pick + self.misses)
        runs = tuple(run for run in seen.runs if run not in seen.runs[hidden])
        replicas = tuple(one for one in seen.replicas if one not in seen.replicas[hidden])
        return replace(seen, taken_at_s=self._clock.now_s(), runs=runs, replicas=replicas)

    def apply(self, action: Action) -> None:
        """Carry out an action, perhaps later: what is refused then, nobody hears of."""
        self._answer()
        if self.late_s:
            self._engine.after(self.late_s, lambda: self._try(action))
        else:
            self._cluster.apply(action)

    def __getattr__(self, name: str) -> Any:
        """Return what the cluster has of that name; calls may fail as the others."""
        found = getattr(self._cluster, name)
        return self._guarded(found) if callable(found) else found

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*args: Any, **named: Any) -> Any:
            self._answer()
            return call(*args, **named)

        return guarded

    def _answer(self) -> None:
        self._fate.strike()
        if self.is_away:
            raise Unreachable("the cluster does not answer", help="wait")

    def _try(self, action: Action) -> None:
        with suppress(ActionFailed):
            self._cluster.apply(action)


class ShakyStore:
    """A store that may be full, and calls of which may be the last thing that a process does.

    Attributes:
        is_full: whether nothing can be written.
    """

    def __init__(self, store: MemoryStore, fate: Fate) -> None:
        """Pass everything on."""
        self._store, self._fate, self.is_full = store, fate, False

    def __getattr__(self, name: str) -> Any:
        """Return what the store has of that name."""
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*args: Any, **named: Any) -> Any:
            self._fate.strike()
            if self.is_full and name not in READING:
                raise Unreachable("the disk is full", help="make room")
            return found(*args, **named)

        return call


class ShakyTraffic:
    """A traffic source without history that may be silent, or lie.

    Attributes:
        is_silent: whether it does not answer.
        lie: what it says in place of the load; NaN for the truth.
        after: the load when those that were given are over.
    """

    def __init__(self, loads: tuple[float, ...], each_s: float) -> None:
        """Take requests per second of each part of the time."""
        self._loads, self._each_s = loads, each_s
        self.is_silent, self.lie, self.after = False, math.nan, 1.0

    def load(self, at_s: Any) -> Any:
        """Return requests per second at moments."""
        place = (np.asarray(at_s, dtype=np.float64) // self._each_s).astype(int)
        inside = (place >= 0) & (place < len(self._loads))
        return np.where(inside, np.array(self._loads)[np.clip(place, 0, len(self._loads) - 1)], self.after)

    def read(self, now_s: float) -> Traffic:
        """Return the load of the moment.

        Raises:
            Unreachable: it is silent.
        """
        if self.is_silent:
            raise Unreachable("the traffic source does not answer", help="wait")
        told = float(self.load(now_s)) if math.isnan(self.lie) else self.lie
        return Traffic(Series(0, 3600, np.array([])), told, now_s)
