"""Two control planes never share a store, and a dead one holds nothing."""

import subprocess
import sys

import pytest

from scheduler.model.errors import ConfigError, Conflict
from scheduler.store.ownership import sole_user

HOLD = """
import sys, time
from scheduler.store.ownership import sole_user
with sole_user(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_user_is_refused_until_the_first_has_left(url: str) -> None:
    with sole_user(url), pytest.raises(Conflict, match="another control plane uses the store"), sole_user(url):
        pytest.fail("both hold it")
    with sole_user(url):
        pass


def test_a_killed_process_holds_nothing(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Conflict), sole_user(url):
            pytest.fail("both hold it")
        holder.kill()
    _until_free(url)


def _until_free(url: str) -> None:
    """Take the store; a database needs a moment to see that its client is gone."""
    for _ in range(500):
        try:
            with sole_user(url):
                return
        except Conflict:
            continue
    pytest.fail("a dead process holds the store")


def test_stores_do_not_exclude_each_other(tmp_path: object) -> None:
    with sole_user(f"sqlite:///{tmp_path}/one.db"), sole_user(f"sqlite:///{tmp_path}/two.db"):
        pass


def test_what_is_no_store_cannot_be_held() -> None:
    with pytest.raises(ConfigError, match="is not a URL"), sole_user("nonsense"):
        pytest.fail("held nothing")
