"""The SDK where nobody, or somebody else, answers: every failure says what to do."""

from collections.abc import Callable

import httpx
import pytest

from scheduler.client import Client
from scheduler.model.errors import (
    ConfigError,
    Conflict,
    HeadroomError,
    NotFound,
    NotPermitted,
    Unreachable,
)

HELP = 'is "headroom run" up there? HEADROOM_URL or --url points elsewhere'


def answering(handler: Callable[[httpx.Request], httpx.Response]) -> Client:
    return Client("http://headroom.test", transport=httpx.MockTransport(handler))


def test_the_address_comes_from_the_argument_the_environment_or_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADROOM_URL", raising=False)
    assert Client().url == "http://127.0.0.1:8321"
    monkeypatch.setenv("HEADROOM_URL", "http://10.0.0.5:8321/")
    assert Client().url == "http://10.0.0.5:8321"
    assert Client("https://headroom.test").url == "https://headroom.test"


@pytest.mark.parametrize("url", ["headroom.test", "ftp://headroom.test", "127.0.0.1:8321"])
def test_an_address_that_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(url)
    assert str(caught.value) == f'"{url}" is not a URL'
    assert caught.value.faults[0].help == "begin it with http:// or https://"


def test_the_token_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_TOKEN", "of-the-environment")
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization", ""))
        return httpx.Response(404)

    for client in (answering(handler), Client("http://x.test", "given", transport=httpx.MockTransport(handler))):
        with client, pytest.raises(NotFound):
            client.status()
    assert seen == ["Bearer of-the-environment", "Bearer given"]


def test_nobody_there_is_unreachable_with_the_address() -> None:
    with Client("http://127.0.0.1:1") as client, pytest.raises(Unreachable) as caught:
        client.jobs()
    assert str(caught.value) == "cannot reach http://127.0.0.1:1 (connection refused)"
    assert caught.value.faults[0].help == HELP


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (httpx.ConnectTimeout("slow"), "no answer in time"),
        (httpx.ReadTimeout("slow"), "no answer in time"),
        (httpx.ConnectError("[Errno -2] Name or service not known"), "name or service not known"),
        (httpx.RemoteProtocolError("Server disconnected"), "Server disconnected"),
        (httpx.ReadError(""), "ReadError"),
    ],
)
def test_every_failure_of_the_network_is_unreachable(error: httpx.HTTPError, cause: str) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise error

    with answering(handler) as client, pytest.raises(Unreachable) as caught:
        client.hosts()
    assert str(caught.value) == f"cannot reach http://headroom.test ({cause})"
    with answering(handler) as client, pytest.raises(Unreachable):
        list(client.logs(1))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, NotPermitted), (403, NotPermitted), (404, NotFound), (409, Conflict), (413, ConfigError), (422, ConfigError),
     (500, HeadroomError), (502, Unreachable), (503, Unreachable), (504, Unreachable)],
)  # fmt: skip
def test_each_status_is_its_own_error_with_all_faults(status: int, kind: type[HeadroomError]) -> None:
    fault = {"code": "X", "message": "that is wrong", "field": "resources.gpus", "help": "write 1"}
    body = {"error": fault, "errors": [fault, {**fault, "message": "and that"}]}
    with answering(lambda _: httpx.Response(status, json=body)) as client, pytest.raises(HeadroomError) as caught:
        client.capacity()
    assert type(caught.value) is kind
    assert [(one.code, one.message, one.field, one.help) for one in caught.value.faults] == [
        ("X", "that is wrong", "resources.gpus", "write 1"),
        ("X", "and that", "resources.gpus", "write 1"),
    ]


def test_an_answer_without_our_words_is_named_by_its_status() -> None:
    with answering(lambda _: httpx.Response(502, text="<html>")) as client, pytest.raises(Unreachable) as caught:
        client.status()
    assert str(caught.value) == "http://headroom.test/api/v1/status answered 502 Bad Gateway"


@pytest.mark.parametrize("text", ["<html>hello</html>", "{}", "[]", ""])
def test_another_program_at_the_address_is_recognised(text: str) -> None:
    with answering(lambda _: httpx.Response(200, text=text)) as client, pytest.raises(Unreachable) as caught:
        client.jobs()
    assert str(caught.value) == "http://headroom.test does not answer as a control plane does"


def test_a_newer_servers_unknown_keys_are_passed_over() -> None:
    body = {"kind": "JobList", "observedAt": "2026-11-23T17:24:00Z", "cycle": 1, "items": [], "newer": 1}
    with answering(lambda _: httpx.Response(200, json=body)) as client:
        assert client.jobs().items == ()


def pointing(where: dict[str, str]) -> tuple[Client, list[str]]:
    """Return a client of http://headroom.test, where some hosts point to others, and the requests that were sent."""
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(f"{request.method} {request.url.host} {request.headers.get('authorization', '')}".strip())
        if request.url.host == "gone.test":
            raise httpx.ConnectError("[Errno 111] Connection refused")
        if request.url.host in where:
            fault = {"code": "NotLeader", "message": "this control plane waits"}
            body = {"error": fault, "errors": [fault]}
            return httpx.Response(503, json=body, headers={"Headroom-Leader": where[request.url.host]})
        return httpx.Response(404)

    return Client("http://headroom.test", "secret", transport=httpx.MockTransport(handler)), sent


def test_the_leader_that_is_pointed_to_is_asked_with_the_same_token() -> None:
    client, sent = pointing({"headroom.test": "http://leader.test/"})
    with client, pytest.raises(NotFound):
        client.stop(1)
    assert sent == ["POST headroom.test Bearer secret", "POST leader.test Bearer secret"]
    assert client.url == "http://leader.test"


def test_two_that_point_at_each_other_are_asked_once_each() -> None:
    client, sent = pointing({"headroom.test": "http://leader.test", "leader.test": "http://headroom.test"})
    with client, pytest.raises(Unreachable, match="this control plane waits"):
        client.stop(1)
    assert len(sent) == 2


def test_a_leader_that_waits_itself_by_now_is_followed_back() -> None:
    where = {"headroom.test": "http://leader.test"}
    client, sent = pointing(where)
    with client:
        with pytest.raises(NotFound):
            client.stop(1)
        where.clear()
        where["leader.test"] = "http://headroom.test"
        with pytest.raises(NotFound):
            client.stop(1)
    assert [one.split()[1] for one in sent] == ["headroom.test", "leader.test", "leader.test", "headroom.test"]


def test_output_is_read_from_the_leader_likewise() -> None:
    client, sent = pointing({"headroom.test": "http://leader.test"})
    with client, pytest.raises(NotFound):
        list(client.logs(1))
    assert [one.split()[1] for one in sent] == ["headroom.test", "leader.test"]


def test_a_leader_that_has_gone_is_forgotten() -> None:
    client, sent = pointing({"headroom.test": "http://gone.test"})
    with client, pytest.raises(Unreachable, match="this control plane waits"):
        client.stop(1)
    assert client.url == "http://headroom.test"
    assert len(sent) == 3


@pytest.mark.parametrize("leader", ["", "ftp://leader.test", "//leader.test", "http://headroom.test"])
def test_what_is_no_other_address_is_not_followed(leader: str) -> None:
    client, sent = pointing({"headroom.test": leader})
    with client, pytest.raises(Unreachable):
        client.stop(1)
    assert len(sent) == 1


def test_a_token_never_leaves_for_an_address_without_encryption() -> None:
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(503, headers={"Headroom-Leader": "http://leader.test"})

    with (
        Client("https://headroom.test", "secret", transport=httpx.MockTransport(handler)) as client,
        pytest.raises(Unreachable),
    ):
        client.stop(1)
    assert len(seen) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.cordon("a\udcff"),
        lambda client: client.hold("7\udcff", "x"),
        lambda client: client.hold("7", "a\udcff"),
        lambda client: client.jobs(owner="a\udcff"),
        lambda client: client.set_priority("7", "a\udcff"),
    ],
)
def test_words_of_a_terminal_that_are_no_text_are_no_fault_of_ours(call: Callable[[Client], object]) -> None:
    with pytest.raises((ConfigError, NotFound)):
        call(answering(lambda _: httpx.Response(404)))
