"""Keys of a store: one for each purpose, the same for all who use the store, and kept with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.model.errors import Superseded
from scheduler.store.backup import back_up, restore
from scheduler.store.sql import SqlStore


def test_all_control_planes_on_a_store_have_one_key_for_a_purpose(
    url: str, open_store: Callable[[str], SqlStore]
) -> None:
    key = open_store(url).key("progress")
    assert len(key) == 32
    assert open_store(url).key("progress") == key
    assert open_store(url).key("other") != key


def test_stores_have_keys_of_their_own(tmp_path: Path, open_store: Callable[[str], SqlStore]) -> None:
    one, other = (open_store(f"sqlite:///{tmp_path}/{name}.db") for name in ("a", "b"))
    assert one.key("progress") != other.key("progress")


def test_a_store_that_is_restored_has_its_keys(url: str, tmp_path: Path, open_store: Callable[[str], SqlStore]) -> None:
    store = open_store(url)
    key = store.key("progress")
    store.close()
    back_up(url, tmp_path / "b")
    restore(url, tmp_path / "b", force=True)
    assert open_store(url).key("progress") == key


def test_who_does_not_lead_makes_no_key_and_has_the_leaders(url: str) -> None:
    behind, leads = SqlStore(url, fence=7), SqlStore(url)
    with pytest.raises(Superseded):
        behind.key("progress")
    key = leads.key("progress")
    assert behind.key("progress") == key
    behind.close()
    leads.close()
