"""A submission that nobody knows the fate of is sent again, and becomes one job."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from scheduler import connection
from scheduler.client import Client
from scheduler.model.errors import ConfigError, Conflict, Unreachable


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing between repetitions."""
    monkeypatch.setattr(connection, "PAUSES_S", (0.0, 0.0))


@pytest.fixture
def client_of() -> Iterator[Callable[..., Client]]:
    """Make clients that are closed at the end."""
    with ExitStack() as stack:
        yield lambda *parts, **named: stack.enter_context(Client(*parts, **named))


class Flaky(httpx.BaseTransport):
    """Carries requests, and loses the first answers on their way back."""

    def __init__(self, *losses: Exception | int) -> None:
        self._inner = httpx.HTTPTransport()
        self.losses = list(losses)
        self.keys: list[str] = []

    def close(self) -> None:
        self._inner.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._inner.handle_request(request)
        if request.url.path != "/api/v1/jobs":
            return answer
        self.keys.append(request.headers["Idempotency-Key"])
        answer.read()
        loss = self.losses.pop(0) if self.losses else None
        if isinstance(loss, int):
            return httpx.Response(loss, json={"error": {"code": "Unreachable", "message": "the store is silent"}})
        if loss is not None:
            raise loss
        return answer


LOSSES = (httpx.ReadTimeout("late"), httpx.RemoteProtocolError("cut"), httpx.ReadError("reset"), 503, 502, 504)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_what_was_lost_is_sent_again_as_the_same(
    live: Any, client_of: Callable[..., Client], loss: Exception | int
) -> None:
    transport = Flaky(loss, loss)
    job = client_of(live.url, transport=transport).submit(entrypoint="python train.py")
    assert job.id == "1"
    assert len(transport.keys) == 3
    assert len(set(transport.keys)) == 1
    assert [one.job_id for one in live.store.jobs()] == ["1"]
    assert len(live.store.events()) == 1


def test_each_submission_is_one_of_its_own(live: Any, client_of: Callable[..., Client]) -> None:
    transport = Flaky()
    client = client_of(live.url, transport=transport)
    assert [client.submit(entrypoint="python train.py").id for _ in range(3)] == ["1", "2", "3"]
    assert len(set(transport.keys)) == 3


def test_a_key_of_ones_own_repeats_a_submission_across_processes(live: Any, client_of: Callable[..., Client]) -> None:
    ids = {client_of(live.url).submit(entrypoint="python a.py", idempotency_key="nightly-17").id for _ in range(2)}
    assert ids == {"1"}
    with pytest.raises(Conflict, match="nightly-17"):
        client_of(live.url).submit(entrypoint="python b.py", idempotency_key="nightly-17")
    with pytest.raises(ConfigError):
        client_of(live.url).submit(entrypoint="python b.py", idempotency_key="a b")
    with pytest.raises(ConfigError):
        client_of(live.url).submit(entrypoint="python b.py", idempotency_key="k" * 256)
    assert len(live.store.jobs()) == 1


def test_the_order_of_keys_does_not_make_another_submission(live: Any, client_of: Callable[..., Client]) -> None:
    client = client_of(live.url)
    first = client.submit({"entrypoint": "true", "queue": "research"}, idempotency_key="k")
    assert client.submit({"queue": "research", "entrypoint": "true"}, idempotency_key="k").id == first.id


def test_in_vain_it_says_how_to_repeat_it(live: Any, client_of: Callable[..., Client]) -> None:
    transport = Flaky(*[httpx.ReadTimeout("late")] * 3)
    with pytest.raises(Unreachable, match="no answer in time") as caught:
        client_of(live.url, transport=transport).submit(entrypoint="python train.py")
    (key,) = set(transport.keys)
    assert caught.value.faults[0].help.endswith(f"--idempotency-key {key}")
    assert client_of(live.url).submit(entrypoint="python train.py", idempotency_key=key).id == "1"


def test_where_nobody_is_there_nothing_is_repeated(client_of: Callable[..., Client]) -> None:
    asked: list[int] = []

    def refuse(_: httpx.Request) -> httpx.Response:
        asked.append(1)
        raise httpx.ConnectError("[Errno 111] Connection refused")

    with pytest.raises(Unreachable, match="connection refused"):
        client_of("http://127.0.0.1:1", transport=httpx.MockTransport(refuse)).submit(entrypoint="true")
    assert len(asked) == 1


def test_tokens_of_two_people_do_not_share_keys(start: Callable[..., Any], client_of: Callable[..., Client]) -> None:
    live = start(one="submitter", two="submitter")
    ids = [
        client_of(live.url, token).submit(entrypoint="true", idempotency_key="k").id for token in ("one", "two", "one")
    ]
    assert ids == ["1", "2", "1"]
    assert {event.actor for event in live.store.events()} == {"submitter-0", "submitter-1"}


def test_output_of_others_is_not_shown(start: Callable[..., Any], client_of: Callable[..., Client]) -> None:
    live = start(one="submitter", two="submitter", boss="operator", look="viewer")
    job = client_of(live.url, "one").submit(entrypoint="true")
    for token, status in (("one", 404), ("two", 403), ("look", 403), ("boss", 404)):
        head = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{live.url}/api/v1/jobs/{job.id}/logs", headers=head).status_code == status
