"""The double in a process of its own: serves, changes pods, makes those of gangs and notes when they are let in."""

import re
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from benchmarks.kubernetes.site import SPACE, Size, fill, pod_name
from simulations.kubernetes.actors.jobs import pod_of
from simulations.kubernetes.api import Api
from simulations.kubernetes.requests import Answer, Request
from simulations.kubernetes.rest import Rest
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client
from simulations.kubernetes.watching import Watch

COUNT, OVER = "count", "over"
JOB = re.compile(rf"/apis/batch/v1/namespaces/{SPACE}/jobs/(gang-\d+)$")
POD = re.compile(rf"/api/v1/namespaces/{SPACE}/pods/(gang-\d+)-\d+-\w+$")


@dataclass
class Noting(Api):
    """The API, noting when gangs are started and when their pods are let in; times are of the monotonic clock."""

    started: list[str] = field(default_factory=list)
    complete_s: dict[str, float] = field(default_factory=dict)
    let_in_s: dict[str, list[float]] = field(default_factory=dict)
    changes: int = 0

    def handle(self, request: Request) -> Answer | Watch:
        """Answer, and note."""
        answered = super().handle(request)
        if request.method == "PATCH" and isinstance(answered, Answer) and isinstance(answered.body, dict):
            self._note(request.path, answered.body)
        return answered

    def _note(self, path: str, body: dict[str, Any]) -> None:
        if (found := JOB.fullmatch(path)) and body.get("spec", {}).get("suspend") is False:
            if found[1] not in self.started:
                self.started.append(found[1])
        elif (found := POD.fullmatch(path)) and "schedulingGates" not in body.get("spec", {"schedulingGates": ()}):
            self.let_in_s.setdefault(found[1], []).append(time.monotonic())


def serve(pipe: Connection, size: Size) -> None:
    """Serve until `over` comes through the pipe, then send what was noted.

    That is how many changes a second there were, and the milliseconds from event to patch, by pod. Until then each
    `count` is answered with how many pods were let in.
    """
    api = Noting()
    api.definitions.ship()
    fill(api, size)
    over = threading.Event()
    with Server(api) as server:
        work = [threading.Thread(target=task, args=(api, size, over), daemon=True) for task in (_change, _make)]
        for thread in work:
            thread.start()
        began_s = time.monotonic()
        pipe.send(server.url)
        while pipe.recv() != OVER:
            pipe.send(sum(len(times) for times in api.let_in_s.values()))
        over.set()
        for thread in work:
            thread.join()
    rate = api.changes / (time.monotonic() - began_s)
    pipe.send((rate, [1000 * (at - api.complete_s[gang]) for gang, times in api.let_in_s.items() for at in times]))


def _change(api: Noting, size: Size, over: threading.Event) -> None:
    """Change the status of pods, evenly in time."""
    rest, chance, due = Rest(client(api)), np.random.default_rng(1), time.monotonic()
    for number in range(10**9):
        if over.wait(max(0.0, due - time.monotonic())):
            return
        due += 1 / size.events_per_s
        where = f"/api/v1/namespaces/{SPACE}/pods/{pod_name(int(chance.integers(size.pods)))}/status"
        rest.patch(where, {"status": {"message": f"change {number}"}})
        api.changes += 1


def _make(api: Noting, size: Size, over: threading.Event) -> None:
    """Do the Job controller's part: the pods of a gang that was started, all at once."""
    rest, made = Rest(client(api)), 0
    while not over.wait(0.001):
        for name in api.started[made:]:
            found = rest.get(f"/apis/batch/v1/namespaces/{SPACE}/jobs/{name}")
            for index in range(size.workers):
                rest.create(pod_of(found, index))
            api.complete_s[name] = time.monotonic()
            made += 1
