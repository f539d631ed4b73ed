"""Strays over the API and the SDK: seen by everybody, decided about by operators, shown where room is shown."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.api.cells import cells_of
from scheduler.api.presenting.capacity import Past, capacity_view
from scheduler.api.presenting.hosts import host_views
from scheduler.api.presenting.points import Window
from scheduler.cli.host_table import host_sums
from scheduler.client import Client
from scheduler.control.records import StrayOrder, StrayVerb
from scheduler.model.errors import Conflict, NotFound
from scheduler.model.observation import Stray, StrayKind
from scheduler.model.plan import Plan
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot

HOST = "ml-serve1013"
HELD = ((Slot(HOST, (3,)), Shape(2000, 4096, 1)),)
STRAYS = (
    Stray("headroom-bbbbbbbb-1-1", StrayKind.RUN, "b" * 36, HELD, "1", 1),
    Stray("theirs", StrayKind.GROUP, "", ((Slot(HOST), Shape(1000)),)),
)


@pytest.fixture
def crowded(world: Any) -> Any:
    """The evening's control plane with two strays on its cluster."""
    shown = world.board.report
    world.publish(replace(shown, observation=replace(shown.observation, strays=STRAYS)))
    return world


@pytest.fixture
def client(crowded: Any, serve: Callable[..., str]) -> Iterator[Client]:
    """Its SDK."""
    with Client(serve(crowded.app())) as opened:
        yield opened


def test_strays_are_listed_with_their_owner_room_and_what_can_be_done(client: Client) -> None:
    run, room = client.strays().items
    assert (run.name, run.kind, run.owner, run.hosts, run.gpus, run.cpus) == (
        "headroom-bbbbbbbb-1-1", "run", "b" * 36, (HOST,), 1.0, 2.0,
    )  # fmt: skip
    assert not run.adoptable
    assert run.why == "job 1 is not in this store"
    assert room.why == "nothing is known of what holds this room"
    assert client.status().strays == 2


def test_an_eviction_is_written_down_with_who_asked(client: Client, crowded: Any) -> None:
    (ordered,) = client.evict_strays("theirs")
    assert (ordered.name, ordered.ordered) == ("theirs", "evict")
    (order,) = crowded.store.stray_orders()
    assert (order.name, order.verb) == ("theirs", StrayVerb.EVICT)
    assert order.by
    assert [event.title for event in crowded.store.events(subject="theirs")] == [
        f"theirs is to be evicted, says {order.by}"
    ]
    assert len(client.evict_strays()) == 2, "without names all of them"


def test_what_cannot_be_adopted_is_a_conflict_and_what_is_not_there_is_not_found(client: Client) -> None:
    with pytest.raises(Conflict, match="theirs cannot be adopted: nothing is known of what holds this room"):
        client.adopt("theirs")
    with pytest.raises(NotFound, match="no stray nobody"):
        client.evict_strays("nobody")
    assert client.adopt() == ()


def test_the_last_word_about_a_stray_counts(crowded: Any) -> None:
    for verb in (StrayVerb.ADOPT, StrayVerb.EVICT):
        crowded.store.order_stray(StrayOrder("theirs", verb, "ada", 1.0))
    assert [order.verb for order in crowded.store.stray_orders()] == [StrayVerb.EVICT]
    crowded.store.drop_stray_order("theirs")
    assert crowded.store.stray_orders() == ()


def test_a_device_that_a_stray_holds_is_shown_as_somebody_elses(world: Any) -> None:
    shown = world.board.report
    snapshot = shown.cycle.snapshot
    empty = Snapshot.of(hosts=snapshot.hosts, foreign=HELD)
    host = next(h for h in host_views(replace(shown, cycle=replace(shown.cycle, snapshot=empty))) if h.name == HOST)
    assert [use.kind for use in host.devices[3].uses] == ["stray"]
    assert host.cpus_used == 2.0
    assert cells_of(host)[3].words == f"{HOST} GPU 3: stray, somebody else's"


def test_a_device_that_other_work_takes_is_shown_and_counted_as_that(world: Any) -> None:
    shown = world.board.report
    empty = Snapshot.of(hosts=shown.cycle.snapshot.hosts, occupied=HELD)
    report = replace(shown, cycle=replace(shown.cycle, snapshot=empty, plan=Plan(1)))
    host = next(h for h in host_views(report) if h.name == HOST)
    assert [(use.kind, use.name) for use in host.devices[3].uses] == [("occupied", "other work")]
    assert host.cpus_used == 2.0
    assert cells_of(host)[3].words == f"{HOST} GPU 3: other work, somebody else's"
    capacity = capacity_view(report, Past(), Window(0.0, 1.0), policy_from_names())
    assert (capacity.gpus_occupied, capacity.gpus - capacity.gpus_free - capacity.gpus_drained) == (1.0, 1.0)
    assert "7 free, 1 occupied" in host_sums([host])
