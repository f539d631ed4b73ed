"""Queues in cluster.yaml: names alone or with terms, the default always there, and faults that name what is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.loading import load_config
from scheduler.config.queues import order_name, queue_names, queues_of
from scheduler.control.service.admission import SiteLimits, faults_of
from scheduler.model.errors import Fault
from scheduler.model.jobspec import JobSpec
from scheduler.model.queues import Amounts
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang

FaultsOf = Callable[..., tuple[Fault, ...]]
FILE = """\
cluster: small
backend:
  kind: local
  hosts:
    - {name: h, cpus: 16, memory: 64Gi, gpus: 4, gpu_model: MI210}
queues:
"""


def written(tmp_path: Path, queues: str) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(FILE + queues)
    return path


def test_terms_are_read_in_whole_units_and_the_default_queue_is_always_there(tmp_path: Path) -> None:
    text = "  - {name: research, weight: 2, guarantee: {gpus: 2, cpus: 8, memory: 16Gi, gpu_models: {MI210: 1}}, "
    config = load_config(written(tmp_path, text + "borrow_limit: {gpus: 1}, lend_limit: {gpus: 1}}\n  - other\n"))
    default, research, other = queues_of(config.queues)
    assert (default.name, other.name, default.is_plain) == ("default", "other", True)
    assert research.guarantee == Amounts(8000, 16384, 2000, (("MI210", 1000),))
    assert (research.borrow_limit, research.lend_limit) == (Amounts(gpu_milli=1000), Amounts(gpu_milli=1000))
    assert queue_names(config.queues) == ("default", "research", "other")


@pytest.mark.parametrize(
    ("queues", "order"), [("  [default, other]\n", "priority"), ("  - {name: a, weight: 2}\n", "fair-share")]
)
def test_fair_share_is_the_order_as_soon_as_a_queue_has_terms(tmp_path: Path, queues: str, order: str) -> None:
    config = load_config(written(tmp_path, queues))
    assert order_name(config.policy.queue_order, config.queues) == order
    assert order_name("fifo", config.queues) == "fifo"


@pytest.mark.parametrize(
    ("queues", "said"),
    [
        (
            "  - {name: a, guarantee: {gpus: 3}}\n  - {name: b, guarantee: {gpus: 2}}\n",
            "queues are guaranteed 5 gpus together, and the hosts have 4 gpus",
        ),
        ("  - {name: a, guarantee: {memory: 128Gi}}\n", "queues are guaranteed 128Gi of memory together"),
        ("  - {name: a, guarantee: {gpu_models: {MI201: 1}}}\n", 'a: no host has GPUs of model "MI201"'),
        ("  - {name: a, guarantee: {gpus: 1}, lend_limit: {gpus: 2}}\n", "lend_limit of 2 gpus is above its guarantee"),
        ("  - a\n  - {name: a, weight: 2}\n", 'queues.1.name: "a" is taken by entry 0'),
        ("  - {name: a, weight: 0}\n", "queues.0.weight: 0 is too small"),
        ("  - {name: a, guarantee: {gpus: -1}}\n", "queues.0.guarantee.gpus: -1 is too small"),
        ("  - {name: a, garantee: {gpus: 1}}\n", 'unknown key "garantee"'),
    ],
)
def test_each_fault_says_what_is_wrong(tmp_path: Path, faults_of: FaultsOf, queues: str, said: str) -> None:
    faults = faults_of(load_config, written(tmp_path, queues))
    assert any(said in fault.message for fault in faults), faults


def test_only_those_named_may_submit_to_a_closed_queue() -> None:
    class Nothing:
        def has(self, _: str) -> bool:
            return False

    site_limits = SiteLimits({"normal": 50}, ("default", "closed"), 60.0, {"closed": ("ana",)})
    spec = JobSpec(name="j", entrypoint="x", gang=Gang(1, Shape()), owner="bo", queue="closed")
    (fault,) = faults_of(spec, site_limits, Nothing(), None)  # type: ignore[arg-type]  # a shelf of which only this is asked
    assert (fault.code, fault.field) == ("NotPermitted", "queue")
    assert fault.message == "bo may not submit to queue closed"
    assert fault.help == "it is open to: ana"
