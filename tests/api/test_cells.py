"""The picture of a host says by colour, by letters and in words who holds each device."""

import pytest

from scheduler.api.cells import cells_of, used_share
from scheduler.wire.hosts import Device, DeviceUse, Host


def host(*uses: tuple[DeviceUse, ...], state: str = "ready") -> Host:
    devices = tuple(Device(index=index, uses=use) for index, use in enumerate(uses))
    return Host(name="h1", state=state, devices=devices, cpus=8, cpus_used=2, memory_bytes=8, memory_bytes_used=4)


def use(kind: str, holder: str = "edit-check", name: str = "", milli: int = 1000) -> DeviceUse:
    return DeviceUse(holder=holder, name=name or holder, kind=kind, gpu_milli=milli)


@pytest.mark.parametrize(
    ("kind", "css", "text"),
    [
        ("serving", "s", "ec"),
        ("community", "c", "ec"),
        ("starting", "w", "ec"),
        ("stopping", "g", "ec"),
        ("held", "h", ""),
        ("stray", "o", "ec"),
    ],
)
def test_a_replica_shows_two_letters_and_links_nowhere(kind: str, css: str, text: str) -> None:
    (cell,) = cells_of(host((use(kind),)))
    assert (cell.css, cell.text, cell.href, cell.holder) == (css, text, "", "edit-check")


@pytest.mark.parametrize(("kind", "css"), [("training", "t"), ("preempting", "p")])
def test_a_job_shows_its_number_and_opens_its_page(kind: str, css: str) -> None:
    (cell,) = cells_of(host((use(kind, "100401", "wikitext-lm"),)))
    assert (cell.css, cell.text, cell.href) == (css, "0401", "/jobs/100401")
    assert "100401 wikitext-lm" in cell.words


@pytest.mark.parametrize(
    ("state", "css", "word"),
    [("ready", "f", "free"), ("draining", "x", "drained"), ("cordoned", "x", "drained"), ("lost", "l", "lost")],
)
def test_an_empty_device_is_free_only_on_a_ready_host(state: str, css: str, word: str) -> None:
    (cell,) = cells_of(host((), state=state))
    assert (cell.css, cell.words) == (css, f"h1 GPU 0: {word}")


def test_shares_split_the_cell_and_name_what_is_left() -> None:
    (cell,) = cells_of(host((use("serving", milli=250), use("training", "7", "small", 500))))
    assert cell.css == "frac"
    assert [(share.begin, share.css) for share in cell.shares] == [(0, "s"), (250, "t")]
    assert all(share.begin + share.width <= 1000 for share in cell.shares)
    assert cell.words.endswith("25\u202f% edit-check, serving; 50\u202f% 7 small, training; 25\u202f% free")


def test_use_is_a_percentage_that_never_leaves_the_bar() -> None:
    assert [used_share(1, 4), used_share(9, 4), used_share(-1, 4), used_share(1, 0)] == [25, 100, 0, 0]
