"""How moments and quantities are written for people."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.cli.host_table import host_sums, still_there
from scheduler.cli.listing import why_or_where
from scheduler.cli.screen import Screen
from scheduler.cli.wording import (
    asks,
    hosts_of,
    moment,
    number,
    percent,
    plain,
    seconds,
    thousands,
    workers_of,
    zone_name,
)
from scheduler.model.counting import plural
from scheduler.wire.base import Why
from scheduler.wire.hosts import Device, DeviceUse, Host
from scheduler.wire.jobs import Attempt, Job

NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)


def screen(zone: str = "UTC") -> Screen:
    out = io.StringIO()
    return Screen(out, out, is_terminal=False, width=80, colored=False, header=True, zone=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "17:24"),
        (NOW.replace(hour=0, minute=5), "00:05"),
        (NOW + timedelta(hours=7), "Tue 00:24"),
        (NOW - timedelta(days=5), "Wed 17:24"),
        (NOW - timedelta(days=7), "16 Nov 2026 17:24"),
        (NOW + timedelta(days=365), "23 Nov 2027 17:24"),
        (None, "-"),
    ],
)
def test_moments_say_as_much_of_the_date_as_is_needed(at: datetime | None, text: str) -> None:
    assert moment(at, NOW, screen()) == text


def test_today_is_today_where_it_is_shown() -> None:
    assert moment(NOW + timedelta(hours=7), NOW, screen("Asia/Tokyo")) == "09:24"
    assert moment(NOW - timedelta(hours=3), NOW, screen("Asia/Tokyo")) == "Mon 23:24"
    assert zone_name(NOW, screen("Asia/Tokyo")) == "JST"


def test_numbers_say_nothing_in_vain() -> None:
    assert [plain(4.0), plain(0.5), plain(0.333), plain(12.0)] == ["4", "0.5", "0.33", "12"]
    assert [number(35.12), number(None), number(0.0)] == ["35.1", "-", "0.0"]
    assert [thousands(48200), thousands(7), thousands(1234567)] == ["48 200", "7", "1 234 567"]
    assert [percent(1, 3), percent(0, 4), percent(1, 0)] == ["33 %", "0 %", "-"]
    assert [plural(1, "job"), plural(0, "job"), plural(5, "job")] == ["1 job", "0 jobs", "5 jobs"]
    assert [seconds(None), seconds(90.0)] == ["-", "1m30s"]


def a_job(**changes: Any) -> Job:
    plain_job = {
        "id": "1", "name": "x", "owner": "", "queue": "default", "priority_class": "normal", "priority": 50,
        "preemptible": True, "state": "Pending", "workers": 2, "gpus_per_worker": 0.0, "gpus": 0.0,
        "cpus_per_worker": 1.5, "memory_bytes_per_worker": 2**30, "submitted_at": NOW, "age_s": 0.0, "wait_s": 0.0,
        "run_s": 0.0,
    }  # fmt: skip
    return Job(**{**plain_job, **changes})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "3 CPU"),
        ({"gpus": 2.0}, "2×any"),
        ({"gpus": 0.25, "gpu_models": ("MI210",)}, "0.25×MI210"),
        ({"gpus": 8.0, "gpu_models": ("MI210", "MI300X")}, "8×MI210|MI300X"),
    ],
)
def test_what_a_job_asks_for(changes: dict[str, Any], text: str) -> None:
    assert asks(a_job(**changes)) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"workers": 4}, "4"),
        ({"workers": 4, "min_workers": 2, "max_workers": 8, "where": ("a:0",)}, "4 of 2–8"),
        ({"workers": 2, "min_workers": 2, "max_workers": 8}, "2–8"),
    ],
)
def test_with_how_many_workers_a_job_runs(changes: dict[str, Any], text: str) -> None:
    assert workers_of(a_job(**changes)) == text


def test_hosts_of_a_job_are_named_once_in_order() -> None:
    assert hosts_of(a_job(where=("b:0,1", "a:0", "b:2", "c"))) == "b, a, c"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"state": "Running", "where": ("a:0",)}, "a"),
        ({"state": "Preempting", "where": ("a:0",), "grace_period_s": 60.0}, "saving, at most 1m"),
        ({"why": Why(code="Reserved", message="next, when 412 ends")}, "next, when 412 ends"),
        ({"state": "Succeeded"}, "-"),
        ({"state": "Failed", "attempts": (Attempt(number=1, started_at=NOW, cause="exit code 3"),)}, "exit code 3"),
    ],
)
def test_where_a_job_is_or_why_it_is_nowhere(changes: dict[str, Any], text: str) -> None:
    assert why_or_where(a_job(**changes)) == text


def a_host(name: str, state: str, *devices: dict[str, int], cpus_used: float = 0.0) -> Host:
    def uses(held: dict[str, int]) -> tuple[DeviceUse, ...]:
        return tuple(DeviceUse(holder=kind, name=kind, kind=kind, gpu_milli=milli) for kind, milli in held.items())

    return Host(
        name=name, state=state, cpus=8.0, cpus_used=cpus_used, memory_bytes=0, memory_bytes_used=0,
        devices=tuple(Device(index=index, uses=uses(held)) for index, held in enumerate(devices)),
    )  # fmt: skip


def test_devices_are_counted_by_who_holds_them_in_shares() -> None:
    hosts = [
        a_host("a", "ready", {"serving": 250, "community": 500}, {}),
        a_host("b", "draining", {"training": 1000}, {"training": 400}),
        a_host("c", "lost", {}, {}),
    ]
    assert host_sums(hosts) == (
        "3 hosts: 1 ready, 1 draining, 1 lost\n6 GPUs: 0.75 serving, 1.25 free, 1.4 training, 0.6 drained, 2 lost"
    )


def test_hosts_without_devices_have_no_sum_of_them() -> None:
    assert host_sums([a_host("a", "ready")]) == "1 host: 1 ready"
    assert host_sums([]) == "0 hosts: "


def test_what_keeps_a_host_from_being_empty() -> None:
    assert still_there(a_host("a", "draining", {"b": 500, "a": 500}, {"a": 1000}, cpus_used=3.5)) == "a, b, 3.5 cores"
    assert still_there(a_host("a", "draining", {}, {})) == ""
