"""What can never run is refused with numbers and with what would fit."""

from dataclasses import replace
from typing import Any

import pytest

from scheduler.model.hosts import HostState
from scheduler.model.plan import Reason
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang
from scheduler.planning.reasons.feasibility import never_fits


@pytest.mark.parametrize(("workers", "count", "limit"), [(3, 4, 0), (12, 1, 0), (3, 1, 1), (6, 2, 2)])
def test_what_fits_an_empty_cluster_is_accepted(say: Any, hosts: Any, workers: int, count: int, limit: int) -> None:
    assert never_fits(hosts, Gang(workers, say.gpus(count), limit)) is None


def test_a_gang_larger_than_the_cluster_is_told_what_would_fit(say: Any, hosts: Any) -> None:
    why = never_fits(hosts, Gang(4, say.gpus(4)), "7")
    assert (why.subject, why.reason, why.asked, why.free) == ("7", Reason.IMPOSSIBLE_GANG, 4, 3)
    assert why.message == (
        "this gang can never run: 4 workers × 4 GPUs; the cluster has 3 matching hosts with 12 GPUs, "
        "at most 4 on one; fits: --workers 3"
    )


def test_an_elastic_gang_is_judged_by_its_fewest_workers(say: Any, hosts: Any) -> None:
    assert never_fits(hosts, Gang(3, say.gpus(4), max_workers=9)) is None
    why = never_fits(hosts, Gang(4, say.gpus(4), max_workers=9))
    assert why.message.startswith("this gang can never run: 4–9 workers × 4 GPUs; ")
    assert why.message.endswith("fits: --workers 3")


def test_a_worker_larger_than_any_host_is_told_to_split(say: Any, hosts: Any) -> None:
    why = never_fits(hosts, Gang(1, say.gpus(8)))
    assert why.message.endswith("at most 4 on one; fits: --workers 2 --gpus 4")
    whole_cluster = never_fits(hosts, Gang(1, say.gpus(12)))
    assert whole_cluster.message.endswith("at most 4 on one; fits: --workers 3 --gpus 4")


def test_a_limit_per_host_can_make_a_gang_impossible(say: Any, hosts: Any) -> None:
    why = never_fits(hosts, Gang(4, say.gpus(), 1))
    assert (why.reason, why.free) == (Reason.IMPOSSIBLE_GANG, 3)


def test_work_without_gpus_is_told_the_size_of_hosts(hosts: Any) -> None:
    why = never_fits(hosts, Gang(1, Shape(cpu_milli=65_000)))
    assert "at most 64 CPU and 262144 MiB" in why.message


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Shape(gpu_count=1, gpu_models=frozenset({"H100"})), "GPU model H100"),
        (Shape(gpu_count=1, device_memory_mib=300_000), "300000 MiB of device memory"),
        (Shape(cpu_milli=1, host_labels=(("zone", "x"),)), "zone=x"),
    ],
)
def test_constraints_that_no_host_meets_are_named(hosts: Any, shape: Shape, words: str) -> None:
    why = never_fits(hosts, Gang(1, shape))
    assert why.reason is Reason.NO_HOST_MATCHES
    assert words in why.message
    assert "GPU models here: MI300X" in why.message


@pytest.mark.parametrize("state", list(HostState))
def test_hosts_that_may_come_back_count(say: Any, hosts: Any, state: HostState) -> None:
    assert never_fits([replace(host, state=state) for host in hosts], Gang(3, say.gpus(4))) is None


def test_an_empty_cluster_fits_nothing(say: Any) -> None:
    assert never_fits([], Gang(1, say.gpus())).reason is Reason.NO_HOST_MATCHES
