"""The actors together: one step of all of them, steps until nothing changes any more, or a thread in real time."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx

from simulations.kubernetes.actors.mirror import Sight
from simulations.kubernetes.rest import Rest

STEP_S = 0.1
MOST_STEPS = 200
START = datetime(2026, 1, 1, tzinfo=UTC)


class Actor(Protocol):
    """Something that looks at the cluster and acts on it."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Do what there is to do now."""


class SteppedClock:
    """A clock that goes only when it is told to."""

    def __init__(self, start: datetime = START) -> None:
        self.time = start

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


class Stage:
    """Actors on one cluster, each with its own client so that rights and managers can differ."""

    def __init__(self, rest: Rest, actors: Sequence[Actor], clock: Callable[[], datetime]) -> None:
        self.rest, self.actors, self.clock = rest, list(actors), clock
        self.sight = Sight(rest)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def step(self) -> None:
        """Let every actor act once."""
        for actor in self.actors:
            actor.act(self.sight, self.clock())

    def settle(self) -> None:
        """Step until a step changes nothing."""
        for _ in range(MOST_STEPS):
            before = self._version()
            self.step()
            if self._version() == before:
                return
        raise RuntimeError(f"the actors did not come to rest in {MOST_STEPS} steps")

    def _version(self) -> str:
        found = self.rest.get("/api/v1/namespaces", limit="1")
        return str(found["metadata"]["resourceVersion"])

    def start(self, step_s: float = STEP_S) -> None:
        """Step in a thread of its own until `stop`."""
        self._thread = threading.Thread(target=self._run, args=(step_s,), daemon=True)
        self._thread.start()

    def _run(self, step_s: float) -> None:
        while not self._stopped.wait(step_s):
            try:
                self.step()
            except httpx.HTTPError:  # another was quicker, or the server is away: the next step sees it anew
                continue

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
