"""Warm-ups as replicas really take them: recorded once each, planned by with the declared one as a prior."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.demand.start_times import PRIOR, StartTimes, planned_by
from scheduler.control.records import STARTS_KEPT, StartRecord
from scheduler.control.reports.board import MeasuredWarmUp
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.observation import Observation
from scheduler.model.plan import StartReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Replica, ReplicaId, ReplicaState, ServingModel

HOSTS = (
    Host("new", 8000, 8192, devices_offered(4, 1024), "MI300X"),
    Host("old", 8000, 8192, devices_offered(4, 1024), "MI100"),
)
MODEL = ServingModel("m", Shape(gpu_count=1), 0, 8, warm_up_s=60.0)
STARTING, READY = ReplicaState.STARTING, ReplicaState.READY


@dataclass
class Site:
    """Replicas that somebody starts, and who watches them."""

    times: StartTimes = field(default_factory=StartTimes)
    there: dict[str, Replica] = field(default_factory=dict)

    def set(self, name: str, state: ReplicaState, since_s: float, host: str = "new") -> None:
        """Let a replica be so."""
        self.there[name] = Replica(ReplicaId(name), "m", Slot(host, (len(self.there) % 4,)), state, since_s)

    def look(self, at_s: float) -> tuple[StartRecord, ...]:
        """Take a look."""
        return self.times.see(self.seen(at_s))

    def seen(self, at_s: float) -> Observation:
        """What there is."""
        return Observation(at_s, HOSTS, (), tuple(self.there.values()))

    def planned_s(self, at_s: float) -> float | None:
        """By which warm-up the model is planned."""
        found = self.times.measured([MODEL], self.seen(at_s))
        return found[0].planned_s if found else None


@pytest.fixture
def site() -> Site:
    made = Site()
    made.look(0.0)
    return made


def test_a_start_is_recorded_once_from_its_decision_until_it_answers(site: Site) -> None:
    site.times.decided([StartReplica("m", Slot("new", (0,)))], 100.0)
    site.set("r1", STARTING, 103.0)
    assert site.look(130.0) == ()
    site.set("r1", READY, 172.5)
    assert site.look(180.0) == (StartRecord("m", "MI300X", 100.0, 72.5),)
    assert site.look(210.0) == ()


def test_one_that_is_ready_at_the_first_look_is_known_by_its_decision(site: Site) -> None:
    site.times.decided([StartReplica("m", Slot("new", (0,))), StartReplica("m", Slot("old", (1,)))], 100.0)
    site.set("r1", READY, 104.0)
    site.set("r2", READY, 109.0, "old")
    assert {one.kind: one.took_s for one in site.look(130.0)} == {"MI300X": 4.0, "MI100": 9.0}


def test_where_the_cluster_chose_another_slot_it_is_the_oldest_decision(site: Site) -> None:
    site.times.decided([StartReplica("m", Slot("new", (3,)))], 100.0)
    site.set("r1", READY, 104.0, "old")
    assert site.look(130.0) == (StartRecord("m", "MI100", 100.0, 4.0),)


def test_what_nobody_saw_begin_is_not_measured(site: Site) -> None:
    site.set("r1", READY, 50.0)
    assert site.look(130.0) == ()
    later = StartTimes()
    assert later.see(site.seen(140.0)) == ()
    assert later.measured([MODEL], site.seen(140.0)) == ()


def test_one_that_is_starting_when_a_process_begins_is_measured_from_what_the_cluster_says(site: Site) -> None:
    site.set("r1", STARTING, 50.0)
    again = StartTimes()
    again.see(site.seen(70.0))
    site.set("r1", READY, 110.0)
    assert again.see(site.seen(120.0)) == (StartRecord("m", "MI300X", 50.0, 60.0),)


def test_a_replica_that_is_gone_before_it_answers_is_no_start(site: Site) -> None:
    site.set("r1", STARTING, 50.0)
    site.look(60.0)
    site.there.clear()
    assert site.look(70.0) == ()
    assert site.planned_s(500.0) is None


def test_a_start_that_takes_longer_widens_it_while_it_lasts_until_it_is_late(site: Site) -> None:
    site.set("r1", STARTING, 0.0)
    site.look(30.0)
    assert site.planned_s(60.0) is None, "not longer than declared yet"
    assert site.planned_s(90.0) == 90.0
    assert site.planned_s(180.0) == 180.0
    (measured,) = site.times.measured([MODEL], site.seen(180.0))
    assert measured.usual_s == 60.0, "what is late is not told from replicas that are starting still"
    assert site.planned_s(181.0) is None, "it is late: broken rather than slow"


def test_the_slowest_kind_of_host_counts(site: Site) -> None:
    for number, (host, took_s) in enumerate((("new", 60.0), ("old", 150.0))):
        site.set(f"r{number}", STARTING, 0.0, host)
        site.look(1.0)
        site.set(f"r{number}", READY, took_s, host)
        site.look(took_s)
    assert site.times.measured([MODEL], site.seen(200.0)) == (MeasuredWarmUp("m", 150.0, 2, 150.0),)


@pytest.mark.parametrize(
    ("took_s", "expected_s"),
    [
        ([], 60.0),
        ([200.0], 200.0),  # seen at once
        ([200.0] + [50.0] * 3, 200.0),
        ([200.0] + [50.0] * 4, 60.0),  # one in ten is
        ([20.0] * 44, 60.0),
        ([20.0] * 45, 20.0),  # the prior is one in ten
        ([95.0] * 20, 95.0),
    ],
)
def test_the_declared_one_counts_like_five_starts(took_s: list[float], expected_s: float) -> None:
    assert planned_by(60.0, took_s) == expected_s


@given(st.floats(1, 1000), st.lists(st.floats(1, 1000), max_size=60))
def test_nine_in_ten_of_what_was_seen_and_declared_are_no_longer(declared_s: float, took_s: list[float]) -> None:
    planned_s = planned_by(declared_s, took_s)
    everything = [*took_s, *[declared_s] * PRIOR]
    assert sum(one <= planned_s for one in everything) >= 0.9 * len(everything) - 1e-9
    assert planned_s in everything
    assert planned_by(declared_s, [*took_s, *[2000.0] * 10]) == 2000.0


def test_a_new_process_goes_on_with_what_the_store_remembers_and_old_starts_are_forgotten(site: Site) -> None:
    past = [StartRecord("m", "MI300X", float(number), 500.0) for number in range(STARTS_KEPT)]
    site.times = StartTimes([*past, *(StartRecord("m", "MI300X", 100.0, 40.0) for _ in range(STARTS_KEPT))])
    assert site.planned_s(0.0) == 40.0


def serve_slowly(lab: Any, took_s: Iterable[float]) -> list[float]:
    """Let one more replica of a model be wanted again and again, each with a time of its own to start.

    Returns:
        The lead time after each.
    """
    load, leads_s = [5.0], list[float]()
    lab.serve("edit-check", lambda _: load[0])
    for one_s in took_s:
        lab.cluster.warm_up_s = one_s
        lab.turns(30)
        leads_s.append(lab.board.report.outlooks[0].lead_time_s)
        load[0] += 10.0
    return leads_s


def test_the_lead_time_follows_the_starts_of_the_loop_and_survives_its_process(lab: Any) -> None:
    declared_s = 20.0 + lab.settings.preemption_grace_s + lab.settings.period_s
    first, second = serve_slowly(lab, [20.0, 55.0])[:2]
    assert declared_s <= first <= declared_s + lab.settings.period_s
    assert second == pytest.approx(declared_s + 35.0, abs=lab.settings.period_s)
    starts = lab.store.starts()
    assert [(one.model, one.kind) for one in starts] == [("edit-check", "MI210")] * len(starts)
    lab.restart()
    lab.turns(1)
    assert lab.board.report.outlooks[0].lead_time_s == second
    assert lab.board.report.warm_ups[0].starts == len(starts)
