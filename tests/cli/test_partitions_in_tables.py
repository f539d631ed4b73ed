"""Partitioned accelerators in the table of hosts: which part each is, and one number a sign instead of 64 signs."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler.cli.host_table import host_detail, host_table
from scheduler.cli.screen import Screen
from scheduler.wire.base import Listing
from scheduler.wire.hosts import Device, DeviceUse, Host

GIB = 2**30
TRAINS = (DeviceUse(holder="401", name="lm", kind="training", gpu_milli=1000),)


NOW = datetime(2026, 11, 23, 17, 24, tzinfo=UTC)


@pytest.fixture
def screen() -> Screen:
    out = io.StringIO()
    return Screen(out, out, is_terminal=False, width=80, colored=False, header=True, zone=None)


def eighths(accelerators: int, training: int = 0) -> Host:
    devices = tuple(
        Device(index=n, memory_bytes=24 * GIB, partitions=8, uses=TRAINS if n < training else ())
        for n in range(8 * accelerators)
    )
    plain: dict[str, Any] = {"cpus": 128.0, "cpus_used": 0.0, "memory_bytes": GIB, "memory_bytes_used": 0}
    return Host(name="parts", state="ready", gpu_model="MI300X", devices=devices, **plain)


@pytest.mark.parametrize(
    ("accelerators", "kind", "use"), [(2, "16×MI300X/8", "▓▓▓" + 13 * "∙"), (8, "64×MI300X/8", "▓3 ∙61")]
)
def test_a_partitioned_host_in_a_row(accelerators: int, kind: str, use: str, screen: Screen) -> None:
    listing = Listing[Host](kind="HostList", observed_at=NOW, cycle=1, items=(eighths(accelerators, training=3),))

    row = [getattr(cell, "text", cell) for cell in host_table(listing, screen).rows[0]]

    assert row[2:4] == [kind, use]


def test_a_part_says_which_part_it_is_and_its_memory(screen: Screen) -> None:
    assert "GPU 0    MI300X/8 24GiB  lm (training)" in host_detail(eighths(1, training=1), NOW, screen)
