"""What the plan keeps is said once: plan, reasons, history, API, command line and page give one answer."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policies.registry import policy_from_names
from scheduler.cli.main import run
from scheduler.client import Client
from scheduler.control.records import CycleRecord
from scheduler.control.reports.board import Report
from scheduler.control.reports.gpu_history import PastForecasts, gpu_shares
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Device, Host
from scheduler.model.observation import Observation
from scheduler.model.occupancy import HELD, RESERVED, kept
from scheduler.model.plan import Reason, Reservation
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, Replica, ReplicaId, ReplicaState, ServingModel, TrainingJob
from scheduler.planning.planner import plan

NOW_S = 1_350_259_200.0
GPU = Shape(1000, 1024, 1)
HOST = Host("ml-serve1013", 64_000, 65_536, tuple(Device(index, 65_536) for index in range(8)), "MI300X")
MODEL = ServingModel("edit-check", GPU, max_replicas=8)
READY = Replica(ReplicaId("edit-check-1"), "edit-check", Slot(HOST.name, (0,)), ReplicaState.READY, NOW_S - 600.0, GPU)
PEAK = Demand((ModelDemand("edit-check", 1, 1, 4, 5.0, 6.0, 6.0, NOW_S + 7200.0),))


def job(job_id: str, workers: int, **more: Any) -> TrainingJob:
    return TrainingJob(JobId(job_id), f"job-{job_id}", Gang(workers, GPU), submitted_at_s=NOW_S - 60.0, **more)


def report(*jobs: TrainingJob, reservations: tuple[Reservation, ...] = ()) -> Report:
    """One host of eight devices with one replica, a peak that takes three more, and jobs; planned."""
    snapshot = Snapshot.of(
        version=1, taken_at_s=NOW_S, hosts=(HOST,), jobs=jobs, models=(MODEL,), replicas=(READY,),
        reservations=reservations,
    )  # fmt: skip
    made = plan(snapshot, PEAK, policy_from_names(bookings=4))
    return Report(CycleRecord(1, NOW_S, snapshot, PEAK, made, 0.01), Observation(NOW_S, (HOST,), (), (READY,)))


def published(world: Any, shown: Report) -> Any:
    world.clock.at_s = NOW_S + 1.0
    world.board.history.clear()
    world.board.publish(shown, gpu_shares(shown, PastForecasts())[0])
    world.board._planned_at_s = NOW_S
    return world


SIX = job("6", 6)


def test_the_plan_says_what_it_holds_and_for_whom() -> None:
    made = report(SIX).cycle.plan
    (hold,) = made.holds
    assert (hold.models, len(hold.slots), hold.until_s) == (("edit-check",), 3, NOW_S + 7200.0)
    why = made.reason_for("6")
    assert why is not None
    assert (why.reason, why.blocked_by) == (Reason.HELD_FOR_SERVING, ("edit-check",))


def test_history_hosts_capacity_command_line_and_page_say_the_same(
    world: Any, serve: Callable[..., str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    shown = report(SIX)
    shares = gpu_shares(shown, PastForecasts())[0]
    assert (shares.serving, shares.held, shares.reserved, shares.training, shares.free) == (1, 3, 0, 0, 4)

    url = serve(published(world, shown).app())
    with Client(url) as client:
        (host,) = client.hosts().items
        capacity = client.capacity()
    kinds = Counter(device.uses[0].kind if device.uses else host.rest for device in host.devices)
    assert kinds == {"serving": 1, "held": 3, "free": 4}
    assert (capacity.gpus_serving, capacity.gpus_held, capacity.gpus_reserved, capacity.gpus_free) == (1, 3, 0, 4)
    last = [point for point in capacity.points if point.at <= capacity.points[0].at][-1]
    assert (last.held, last.free) == (3, 4)

    for command, said in (
        ("hosts", "1 serving, 4 free, 3 held"),
        ("capacity", "1 serving, 3 held for the peak, 4 free"),
    ):
        assert run(["--url", url, command]) == 0
        printed = capsys.readouterr()
        assert said in printed.out + printed.err

    page = world.http().get("/").text
    labels = re.findall(r'aria-label="ml-serve1013 GPU \d: ([^"]+)"', page)
    assert Counter(labels) == {"edit-check, serving": 1, "edit-check, held for the peak": 3, "free": 4}


def test_held_reserved_and_booked_are_told_apart(
    world: Any, serve: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = job("1", 3, state=JobState.RUNNING, started_at_s=NOW_S - 60.0, max_runtime_s=3600.0, attempt=1,
               slots=tuple(Slot(HOST.name, (index,)) for index in (1, 2, 3)))  # fmt: skip
    soon = replace(job("2", 1), not_before_s=NOW_S + 600.0)
    promised = Reservation("2", (Slot(HOST.name, (7,)),), NOW_S - 5.0, NOW_S + 900.0)
    shown = report(runs, soon, job("3", 3, max_runtime_s=600.0), reservations=(promised,))
    uses = Counter(use.kind for use in kept(shown.cycle.snapshot, shown.cycle.plan))
    assert uses == {HELD: 3, RESERVED: 1}
    assert [booking.job_id for booking in shown.cycle.plan.bookings] == ["3"]

    url = serve(published(world, shown).app())
    assert run(["--url", url, "hosts", HOST.name]) == 0
    said = capsys.readouterr().out
    assert said.count("edit-check (held)") == 3
    assert said.count("job-2 (reserved)") == 1
    assert re.search(r"Booked   from .* for 3 job-3", said)


def test_room_that_somebody_has_is_not_kept_as_well() -> None:
    shown = report(SIX)
    (hold,) = shown.cycle.plan.holds
    taken = replace(READY, replica_id=ReplicaId("edit-check-2"), slot=hold.slots[0])
    later = report(SIX).cycle.snapshot
    later = Snapshot.of(
        version=2, taken_at_s=NOW_S, hosts=(HOST,), jobs=(SIX,), models=(MODEL,), replicas=(READY, taken)
    )
    assert len(list(kept(later, shown.cycle.plan))) == 2
