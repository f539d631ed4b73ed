"""Gangs in one rack: when that is a wish, when it is a must, and what is said when no rack has the room."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.host_table import HostTable
from scheduler.model.hosts import Host
from scheduler.model.plan import PreemptJob, Reason, StartJob
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.placement.topology import most_together, near
from scheduler.planning.reasons.feasibility import never_fits

RACKS = "aabbbcc"


def racked(say: Any, gpus: int = 4) -> list[Host]:
    return [say.host(f"h{n}", gpus, labels=(("rack", rack),)) for n, rack in enumerate(RACKS)]


def gang_of(say: Any, workers: int, **wish: str) -> Any:
    job = say.waiting("9", say.gpus(4), workers=workers)
    return replace(job, gang=replace(job.gang, **wish))


def hosts_of(say: Any, made: Any) -> list[str]:
    (start,) = say.of(made, StartJob)
    return sorted(slot.host for slot in start.slots)


def test_a_gang_that_would_like_one_rack_gets_the_smallest_that_has_room(say: Any) -> None:
    made = say.plan(hosts=racked(say), jobs=[gang_of(say, 2, prefer_same="rack")])
    assert hosts_of(say, made) == ["h0", "h1"]
    made = say.plan(hosts=racked(say), jobs=[gang_of(say, 3, prefer_same="rack")])
    assert hosts_of(say, made) == ["h2", "h3", "h4"]


def test_a_wish_is_a_wish_and_then_as_few_racks_as_possible(say: Any) -> None:
    made = say.plan(hosts=racked(say), jobs=[gang_of(say, 5, prefer_same="rack")])
    assert {RACKS[int(host[1])] for host in hosts_of(say, made)} == {"a", "b"}


def test_a_gang_that_must_have_one_rack_waits_for_it(say: Any) -> None:
    busy = [say.running("1", "h2:0,1,2,3", max_runtime_s=11_000.0)]
    made = say.plan(hosts=racked(say), jobs=[*busy, gang_of(say, 3, require_same="rack")])
    assert not made.actions
    why = made.reason_for("9")
    assert (why.reason, why.until_s, why.blocked_by) == (Reason.INSUFFICIENT_DEVICES, 11_000.0, ("1",))
    assert why.message.startswith("needs 3 workers × 4 GPUs, all in one rack; there is room for 2 in any one rack now")


def elastic_in_one_rack(say: Any, workers: int, most: int, **busy: str) -> tuple[int, set[str]]:
    """Return with how many workers, and in which racks, an elastic gang starts that must have one rack."""
    gang = replace(gang_of(say, workers, require_same="rack"), priority=75)
    job = replace(gang, gang=replace(gang.gang, max_workers=most))
    taken = [say.running(number, at) for number, at in zip("12345", busy.values(), strict=False)]
    (start,) = say.of(say.plan(hosts=racked(say), jobs=[*taken, job]), StartJob)
    return len(start.slots), {RACKS[int(slot.host[1])] for slot in start.slots}


def test_an_elastic_gang_starts_in_the_tightest_rack_that_holds_its_most(say: Any) -> None:
    assert elastic_in_one_rack(say, 1, 2) == (2, {"a"})
    assert elastic_in_one_rack(say, 1, 3) == (3, {"b"})
    assert elastic_in_one_rack(say, 2, 3) == (3, {"b"})


def test_where_no_rack_holds_its_most_it_takes_the_one_that_holds_most_of_it(say: Any) -> None:
    assert elastic_in_one_rack(say, 1, 5) == (3, {"b"})
    assert elastic_in_one_rack(say, 1, 5, one="h3:0,1,2,3", two="h4:0,1,2,3") == (2, {"a"})


def test_a_gang_that_would_like_one_rack_is_given_the_one_in_which_all_its_workers_find_room(say: Any) -> None:
    gang = gang_of(say, 1, prefer_same="rack")
    job = replace(gang, gang=replace(gang.gang, max_workers=3))
    assert hosts_of(say, say.plan(hosts=racked(say), jobs=[job])) == ["h2", "h3", "h4"]


def test_a_gang_larger_than_any_rack_is_refused_and_told_what_fits(say: Any) -> None:
    gang = gang_of(say, 4, require_same="rack").gang
    why = never_fits(racked(say), gang)
    assert (why.reason, why.asked, why.free) == (Reason.IMPOSSIBLE_GANG, 4, 3)
    assert why.message.endswith("no one rack takes more than 3 of the workers; fits: --workers 3")
    assert never_fits(racked(say), replace(gang, prefer_same="rack", require_same="")) is None
    unlabelled = never_fits([say.host("x"), say.host("y")], replace(gang, workers=2))
    assert "no host has the label rack" in unlabelled.message


def test_others_are_stopped_in_one_rack_only(say: Any) -> None:
    busy = [say.running(str(n), f"h{n}:0,1,2,3", priority=25) for n in range(len(RACKS))]
    made = say.plan(hosts=racked(say), jobs=[*busy, gang_of(say, 2, require_same="rack")])
    stopped = {RACKS[int(stop.job_id)] for stop in say.of(made, PreemptJob)}
    assert len(say.of(made, PreemptJob)) == 2
    assert len(stopped) == 1
    (promise,) = made.reservations
    assert {RACKS[int(slot.host[1])] for slot in promise.slots} == stopped


@given(
    racks=st.lists(st.sampled_from(["a", "b", "c", "d", ""]), min_size=1, max_size=8),
    data=st.data(),
    workers=st.integers(1, 8),
)
def test_the_fewest_racks_are_used_and_a_must_is_kept(racks: list[str], data: st.DataObject, workers: int) -> None:
    table = HostTable([Host(f"h{n}", 0, 0, labels=(("rack", r),) if r else ()) for n, r in enumerate(racks)])
    units = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(racks), max_size=len(racks))))
    named = [rack or f"alone {n}" for n, rack in enumerate(racks)]
    room = {rack: sum(u for u, r in zip(units.tolist(), named, strict=True) if r == rack) for rack in named}
    must, wish = Gang(workers, Shape(), require_same="rack"), Gang(workers, Shape(), prefer_same="rack")
    assert most_together(must, units, table) == max(room.values())
    used = {named[row] for row in np.flatnonzero(near(must, units, table))}
    assert len(used) == (1 if max(room.values()) >= workers else 0)
    used = {named[row] for row in np.flatnonzero(near(wish, units, table))}
    sizes = (n for n in range(1, len(room) + 1) if any(sum(c) >= workers for c in combinations(room.values(), n)))
    assert len(used) == next(sizes, 0)
    assert not used or sum(room[rack] for rack in used) >= workers
