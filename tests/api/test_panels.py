"""A browser is sent what has changed since the cycle it shows, and nothing else."""

import json
from dataclasses import replace
from typing import Any

from scheduler.api.access import Guard
from scheduler.api.coming_starts import ComingStarts
from scheduler.api.panels import KEPT, PANELS, PanelDesk
from scheduler.api.recent import Recent
from scheduler.api.site import Parts
from scheduler.control.records import EventKind, EventRecord
from scheduler.control.reports.board import Report


def panel_desk(world: Any) -> PanelDesk:
    return PanelDesk(
        Parts(
            world.service,
            world.board,
            world.site,
            Guard("127.0.0.1"),
            None,
            None,
            Recent(world.service),
            ComingStarts(world.site.policy),
        )
    )


def later(report: Report, **cycle: Any) -> Report:
    return replace(report, cycle=replace(report.cycle, number=report.cycle.number + 1, **cycle))


def test_who_is_unknown_is_sent_every_panel(world: Any) -> None:
    update = panel_desk(world).update(after="3")
    assert set(update["panels"]) == {*PANELS, "fresh"}
    assert update["cycle"] == 18422
    assert update["title"].startswith("1.28 · Headroom")


def test_a_cycle_that_changed_nothing_sends_only_that_it_was(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    world.publish(later(world.board.report))
    update = service.update(after="18422")
    assert (update["cycle"], set(update["panels"])) == (18423, {"fresh"})
    assert len(json.dumps(update)) < 1000


def test_an_event_sends_the_events_alone(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    world.store.record(EventRecord(world.clock.at_s, 18423, EventKind.CONTROL, "", "something new"))
    world.publish(later(world.board.report))
    update = service.update(after="18422")
    assert set(update["panels"]) == {"events", "fresh"}
    assert "something new" in update["panels"]["events"]


def test_a_host_that_changed_is_sent_alone(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    snapshot = world.board.report.cycle.snapshot
    hosts = tuple(
        replace(host, cpu_milli=host.cpu_milli * 2) if host.name == "ml-serve1012" else host for host in snapshot.hosts
    )
    world.publish(later(world.board.report, snapshot=replace(snapshot, hosts=hosts)))
    update = service.update(after="18422")
    assert set(update["panels"]) == {"host-ml-serve1012", "fresh"}
    assert len(json.dumps(update)) < 10_000


def test_a_host_that_went_away_sends_all_hosts_anew(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    snapshot = world.board.report.cycle.snapshot
    world.publish(later(world.board.report, snapshot=replace(snapshot, hosts=snapshot.hosts[:-1])))
    changed = service.update(after="18422")["panels"]
    assert "host-rows" in changed
    assert not any(name.startswith("host-ml") for name in changed)


def test_what_was_long_ago_is_forgotten(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    for _ in range(KEPT):
        service._stamped(service.latest()[1])
    assert len(service._digests) == KEPT
    world.publish(later(world.board.report))
    assert set(service.update(after="18422")["panels"]) == {*PANELS, "fresh"}


def test_a_loop_that_is_held_up_is_told_although_no_cycle_passed(world: Any) -> None:
    service = panel_desk(world)
    service.latest()
    world.board.degrade("Ray does not answer, try 3")
    update = service.update(after="18422")
    assert update["stamp"] == "18422.1"
    assert "Ray does not answer" in update["panels"]["verdict"]
    assert service.update(after="18422.1") is None
    world.publish(later(world.board.report))
    assert "Ray does not answer" not in service.update(after="18422.1")["panels"]["verdict"]
