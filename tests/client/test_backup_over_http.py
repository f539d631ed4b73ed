"""A backup fetched from a running control plane, by operators only, as a file of one's own."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scheduler.client import Client
from scheduler.model.errors import ConfigError, NotPermitted, Unreachable


def test_an_operator_gets_the_whole_store(start: Callable[..., Any], tmp_path: Path) -> None:
    live = start(boss="operator", ada="submitter")
    content = os.urandom(3 * 2**20)
    live.backup = lambda file: file.write_bytes(content)
    with Client(live.url, "boss") as boss, Client(live.url, "ada") as ada:
        boss.backup(tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == content
        assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
        with pytest.raises(ConfigError, match="exists"):
            boss.backup(tmp_path / "b")
        with pytest.raises(ConfigError, match="cannot write"):
            boss.backup(tmp_path / "no" / "b")
        with pytest.raises(NotPermitted):
            ada.backup(tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_store_that_does_not_answer_leaves_no_file(start: Callable[..., Any], tmp_path: Path) -> None:
    live = start()

    def silent(_: Path) -> None:
        raise Unreachable("the store is silent")

    live.backup = silent
    with Client(live.url) as client, pytest.raises(Unreachable, match="the store is silent"):
        client.backup(tmp_path / "b")
    assert not (tmp_path / "b").exists()
