"""Takes gangs through the gate: a thread that looks after each change, and at least every second."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from scheduler.backends.kubernetes import patches
from scheduler.backends.kubernetes.attempts import attempts_of
from scheduler.backends.kubernetes.caches import PODS, Caches, Watches
from scheduler.backends.kubernetes.connection import Connection, Refused
from scheduler.backends.kubernetes.handout import Handout
from scheduler.backends.kubernetes.index import PodIndex
from scheduler.backends.kubernetes.reasons import refused_pods
from scheduler.backends.kubernetes.room import Room
from scheduler.backends.kubernetes.running import Attempt
from scheduler.backends.kubernetes.tireless import Tireless
from scheduler.backends.kubernetes.ushering import GiveUp, LetIn, Patience, Standing, standing, step
from scheduler.control.isolation.bulkheads import reason_of
from scheduler.model.errors import HeadroomError

TICK_S: Final = 1.0
PAUSE_S: Final = 0.05
"""Wall seconds between two looks when nothing changes, and at least, however much does."""


@dataclass(slots=True)
class Usher:
    """Lets gangs in that are whole, and gives up those that will not be.

    Attributes:
        connection: to the API server.
        watches: what is known of it.
        owner: identity of our store; only what is ours is touched.
        now_s: the world's time.
        patience: see there.
        handout: likewise.
    """

    connection: Connection
    watches: Watches
    owner: str
    now_s: Callable[[], float]
    patience: Patience = field(default_factory=Patience)
    handout: Handout = field(default_factory=Handout)
    _index: PodIndex = field(default_factory=PodIndex)
    _standing: dict[tuple[str, int], Standing] = field(default_factory=dict)
    _refused: dict[tuple[str, int], str] = field(default_factory=dict)
    _woken: threading.Event = field(default_factory=threading.Event)
    _tireless: Tireless = field(default_factory=lambda: Tireless("letting gangs in"))
    _is_over: bool = False
    _thread: threading.Thread | None = None

    @property
    def fault(self) -> str:
        """What fails of letting gangs in; "" for nothing."""
        return self._tireless.fault

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="usher", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have it look now."""
        self._woken.set()

    def close(self) -> None:
        """End it."""
        self._is_over = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def look(self) -> None:
        """Do for every gang what is due.

        Raises:
            Unreachable: the cluster does not answer, or is not known.
            Superseded: another control plane leads.
        """
        caches = self.watches.now()
        self._index.update(caches.pods)
        everyone = tuple(attempts_of(caches, self._index))
        ours = [each for each in everyone if each.marks.owner == self.owner and each.is_promised]
        room = Room(caches.nodes, self._index, everyone, self.now_s())
        before, self._standing = self._standing, {}
        for attempt in ours:
            key = (attempt.seen.uid, attempt.marks.attempt)
            at = self._standing[key] = standing(attempt, before.get(key), room.now_s)
            try:
                self._do(attempt, step(attempt, at, room, self.patience), caches)
            except Refused as refusal:  # of this one; the others have nothing to do with it
                self._refused[key] = str(refusal)
            except HeadroomError:
                raise
            except Exception as error:  # noqa: BLE001  # likewise
                self._refused[key] = reason_of(error)
        self._refused = {key: why for key, why in self._refused.items() if key in self._standing}

    def _do(self, attempt: Attempt, what: LetIn | GiveUp | None, caches: Caches) -> None:
        match what:
            case LetIn():
                told = self.handout.to(attempt)
                for pod, host in what.pods:
                    patch = patches.pin(pod, caches.nodes[host].hostname, told)
                    answer = self.connection.patch(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}", patch)
                    caches.learn(PODS, answer)
            case GiveUp():
                refusal = self._refused.get((attempt.seen.uid, attempt.marks.attempt), "")
                said = "; ".join(filter(None, (refused_pods(self.connection, attempt, what.reason), refusal)))
                answer = self.connection.patch(attempt.seen.path, patches.suspend(attempt.seen, said))
                caches.learn(attempt.seen.kind.plural, answer)

    def _run(self) -> None:
        for _ in self._looks():
            self._tireless.do(self.look)

    def _looks(self) -> Iterator[None]:
        while True:
            self._woken.wait(TICK_S)
            time.sleep(PAUSE_S)
            self._woken.clear()
            if self._is_over:
                return
            yield
