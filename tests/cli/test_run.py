"""`headroom run` says where it answers only when it may act, and lets go of everything when it may not."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest

from scheduler.cli import run
from scheduler.cli.composition import plane as composed
from scheduler.cli.composition.cluster import Seat
from scheduler.model.errors import ClusterTaken, Superseded, Unreachable

CONFIG = SimpleNamespace(store="")
RAY = SimpleNamespace(kind="ray", address="127.0.0.1:6379")
AGAIN = SimpleNamespace(read=None, told=None)


class Plane:
    """A control plane whose cluster answers a claim as it is told to."""

    def __init__(self, answer: Exception | None) -> None:
        self.answer, self.is_closed, self.cluster, self.reloader = answer, False, self, None

    def claim(self) -> None:
        """Claim the cluster."""
        if self.answer is not None:
            raise self.answer

    def close(self) -> None:
        """Let go."""
        self.is_closed = True


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Serve a plane up to where its API would begin; return what was said."""

    def serve(plane: Plane) -> list[str]:
        said: list[str] = []

        def begun(*_: object) -> Any:
            raise Superseded("the API begins")

        monkeypatch.setattr(composed, "compose", lambda *_, **__: plane)
        monkeypatch.setattr(composed, "web_app", lambda _: None)
        monkeypatch.setattr("scheduler.api.serving.server_of", lambda _: None)
        monkeypatch.setattr(run, "looping", begun)
        seat = Seat(SimpleNamespace(), "")  # type: ignore[arg-type]  # nobody proves it here
        screen = SimpleNamespace(note=said.append)
        with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(Superseded) as raised:
            run.serve(CONFIG, RAY, seat, listener, screen, AGAIN)  # type: ignore[arg-type]  # parts of them
        return [*said, str(raised.value)]

    return serve


def test_a_cluster_of_somebody_else_is_refused_before_it_is_said_where_this_one_answers(served: Any) -> None:
    plane = Plane(ClusterTaken("this cluster is claimed by process 9 on db2"))
    assert served(plane) == ["this cluster is claimed by process 9 on db2"]
    assert plane.is_closed


@pytest.mark.parametrize("answer", [None, Unreachable("Ray does not answer")])
def test_a_cluster_that_is_ours_or_away_is_begun_with(served: Any, answer: Exception | None) -> None:
    plane = Plane(answer)
    banner, begun = served(plane)
    assert "Ray at 127.0.0.1:6379 · store sqlite · page and API at http://127.0.0.1:" in banner
    assert begun == "the API begins"
    assert plane.is_closed
