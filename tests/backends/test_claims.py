"""One control plane has a Ray cluster at a time, and everybody else is told who."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.backends.ray import claims
from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.claims import Claim, InTheWay, hold, in_the_way, let_go
from scheduler.control.leadership import Fence, SoleLease
from scheduler.model.errors import ClusterTaken, Superseded

ONE, TWO = "1" * 36, "2" * 36
MINE = Claim(ONE, 3, "process 7 on db1", "http://db1:8321", 0.0, 90.0)
OTHERS = Claim(TWO, 1, "process 9 on db2", "http://db2:8321", 0.0, 90.0)


class Dictionary:
    """Keys that only this test sees; `racing` comes in before the next key is written."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.racing: Claim | None = None

    def get(self, key: str) -> str | None:
        return self.found.get(key)

    def put(self, key: str, value: str, *, overwrite: bool) -> bool:
        racing, self.racing = self.racing, None
        if racing is not None:
            hold(self, racing)
        if key in self.found and not overwrite:
            return False
        self.found[key] = value
        return True

    def names(self, prefix: str) -> list[str]:
        return [key for key in self.found if key.startswith(prefix)]

    def delete(self, key: str) -> None:
        self.found.pop(key, None)


@pytest.fixture
def keys() -> Dictionary:
    """A cluster that nobody has."""
    return Dictionary()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A wall clock that is told the time."""
    at_s = [1000.0]
    monkeypatch.setattr(claims.time, "time", lambda: at_s[0])
    return at_s


def test_who_comes_first_has_it_and_keeps_it(keys: Dictionary) -> None:
    assert hold(keys, MINE) is None
    assert hold(keys, MINE) is None
    assert in_the_way(keys, MINE) is None
    found = hold(keys, OTHERS)
    assert found is not None
    assert found.claim == MINE
    other = in_the_way(keys, OTHERS)
    assert other is not None
    assert other.claim == MINE


def test_a_later_leader_of_the_same_store_follows_at_once_and_the_former_may_order_nothing(keys: Dictionary) -> None:
    hold(keys, MINE)
    assert hold(keys, replace(MINE, number=4, holder="process 8")) is None
    former = in_the_way(keys, MINE)
    assert former is not None
    assert former.claim.number == 4
    assert hold(keys, MINE, take_over=True) is not None, "a smaller number never follows a larger one"


def test_another_store_follows_one_that_ended_in_good_order(keys: Dictionary) -> None:
    hold(keys, MINE)
    let_go(keys, OTHERS)
    assert hold(keys, OTHERS) is not None, "nobody gives away what is another's"
    let_go(keys, MINE)
    assert hold(keys, OTHERS) is None


def test_only_a_silent_one_is_taken_over_and_only_when_that_was_said(keys: Dictionary, wall: list[float]) -> None:
    hold(keys, MINE)
    wall[0] += 89.0
    assert hold(keys, OTHERS, take_over=True) is not None
    wall[0] += 2.0
    silent = hold(keys, OTHERS)
    assert silent is not None
    assert silent.is_silent
    assert hold(keys, OTHERS, take_over=True) is None
    assert in_the_way(keys, MINE) is not None


def test_every_look_is_heard(keys: Dictionary, wall: list[float]) -> None:
    hold(keys, MINE)
    for _ in range(10):
        wall[0] += 60.0
        hold(keys, MINE)
    assert hold(keys, OTHERS, take_over=True) is not None


def test_of_two_that_claim_at_once_one_has_it(keys: Dictionary) -> None:
    keys.racing = OTHERS
    found = hold(keys, MINE)
    assert found is not None
    assert found.claim == OTHERS


def test_a_cluster_that_nobody_has_takes_no_orders(keys: Dictionary) -> None:
    assert in_the_way(keys, MINE) is not None


@given(st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(1, 4), st.booleans()), max_size=12))
def test_whatever_happens_the_claim_that_counts_is_the_one_that_was_let_in(steps: list[tuple[str, int, bool]]) -> None:
    keys, last, free = Dictionary(), None, True
    for owner, number, leaves in steps:
        claim = Claim(owner, number, "", "", 0.0, 90.0)
        mine = last is not None and last.owner == owner
        let_in = last is None or (number >= last.number if mine else free)
        assert (hold(keys, claim) is None) == let_in
        if let_in:
            free = free and last is not None and claim.is_by(last)
            last = claim
        assert (in_the_way(keys, claim) is None) == let_in
        assert len(keys.names(claims.CLAIM)) == 1, "nothing piles up"
        if leaves:
            let_go(keys, claim)
            free = free or let_in


def test_who_is_refused_is_told_by_whom_and_what_to_do() -> None:
    mine = Claimant(SoleLease(Fence(ONE, 3)))
    taken = mine.refused(InTheWay(OTHERS, 5.0))
    assert isinstance(taken, ClusterTaken)
    assert "claimed by process 9 on db2, at http://db2:8321, with another store, since 1970-01-01 00:00:00 UTC" in str(
        taken
    )
    assert "stop that one" in taken.faults[0].help
    silent = mine.refused(InTheWay(OTHERS, 600.0))
    assert "it has said nothing for 10m" in str(silent)
    assert "--take-over" in silent.faults[0].help
    followed = mine.refused(InTheWay(replace(MINE, number=4), 0.0))
    assert type(followed) is Superseded
    assert followed.leader == MINE.address
