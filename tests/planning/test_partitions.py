"""Accelerators cut into parts: nothing lands on a part that is too small for it, or that it did not ask for."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.registry import PLACEMENT_SCORES, policy_from_names
from scheduler.model.demand import Demand, ModelDemand
from scheduler.model.hosts import Host, devices_offered
from scheduler.model.plan import Reason, StartJob, StartReplica
from scheduler.model.resources import Shape, Slot
from scheduler.model.workloads import Gang, JobId, ServingModel, TrainingJob
from scheduler.planning.reasons.feasibility import never_fits

Offers = list[tuple[int, int]]
Asked = list[tuple[int, int, int]]
GIB = 1024
WHOLE_GIB = 192


def mi300x(name: str, partitions: int = 1, accelerators: int = 8) -> Host:
    devices = devices_offered(accelerators, WHOLE_GIB * GIB, partitions)
    return Host(name, 256_000, 1536 * GIB, devices, "MI300X")


def asking(gib: int = 0, gpus: int = 1, **parts: object) -> Shape:
    return Shape(cpu_milli=1000, memory_mib=GIB, gpu_count=gpus, device_memory_mib=gib * GIB, **parts)


def test_eight_accelerators_in_eighths_are_sixty_four_devices_of_24_gib() -> None:
    devices = devices_offered(8, WHOLE_GIB * GIB, 8)

    assert [device.index for device in devices] == list(range(64))
    assert {(device.memory_mib, device.partitions) for device in devices} == {(24 * GIB, 8)}


def test_a_100_gib_model_never_lands_on_a_24_gib_part(say: Any) -> None:
    hosts = (mi300x("parts", 8), mi300x("whole", 1, accelerators=1))
    model = say.model("large", asking(100), most=4)

    made = say.plan(say.demand(large=3), hosts=hosts, models=(model,))

    assert [start.slot.host for start in say.of(made, StartReplica)] == ["whole"]
    assert made.reason_for("large") is not None


def test_who_does_not_say_how_much_memory_is_needed_gets_no_part(say: Any) -> None:
    made = say.plan(hosts=(mi300x("parts", 8),), jobs=(say.waiting("1", asking()),))

    assert not say.of(made, StartJob)


def test_work_without_devices_runs_beside_parts(say: Any) -> None:
    made = say.plan(hosts=(mi300x("parts", 8),), jobs=(say.waiting("1", Shape(cpu_milli=1000)),))

    assert [start.slots for start in say.of(made, StartJob)] == [(Slot("parts"),)]


@pytest.mark.parametrize("score", sorted(PLACEMENT_SCORES))
@pytest.mark.parametrize(("gib", "gpus"), [(24, 1), (20, 4)])
def test_parts_are_spent_before_whole_devices(say: Any, gib: int, gpus: int, score: str) -> None:
    """A small model on a whole accelerator would keep a large one from it."""
    hosts = (mi300x("a-whole"), mi300x("b-parts", 8), mi300x("c-halves", 2))

    made = say.plan(
        hosts=hosts, jobs=(say.waiting("1", asking(gib, gpus)),), policy=policy_from_names(placement_score=score)
    )

    assert [slot.host for start in say.of(made, StartJob) for slot in start.slots] == ["b-parts"]


def test_a_refusal_says_what_the_parts_are_and_how_to_get_one() -> None:
    refusal = never_fits([mi300x("parts", 8)], Gang(1, asking()))

    assert refusal is not None
    assert refusal.reason is Reason.NO_HOST_MATCHES
    assert refusal.message == (
        "no host has a whole GPU; GPU models here: MI300X/8 (24576 MiB each); partitions are for who states gpu_memory"
    )


def test_a_refusal_for_memory_gives_no_useless_hint() -> None:
    refusal = never_fits([mi300x("parts", 8)], Gang(1, asking(100)))

    assert refusal is not None
    assert refusal.message == ("no host has 102400 MiB of device memory; GPU models here: MI300X/8 (24576 MiB each)")


SIZES = st.sampled_from([0, 10, 24, 30, 48, 96, 100, 192])
HOSTS = st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.integers(1, 3)), min_size=1, max_size=4)


@given(
    offers=HOSTS,
    jobs=st.lists(st.tuples(SIZES, st.integers(1, 2), st.integers(1, 3)), max_size=6),
    models=st.lists(st.tuples(SIZES, st.sampled_from([250, 500, 1000]), st.integers(0, 4)), max_size=4),
)
def test_every_device_given_suits_whoever_gets_it(say: Any, offers: Offers, jobs: Asked, models: Asked) -> None:
    hosts = tuple(mi300x(f"h{n}", parts, accelerators) for n, (parts, accelerators) in enumerate(offers))
    waiting = tuple(
        TrainingJob(JobId(str(n)), f"job-{n}", Gang(workers, asking(gib, gpus)))
        for n, (gib, gpus, workers) in enumerate(jobs, 1)
    )
    served = tuple(
        ServingModel(f"m{n}", replace(asking(gib), gpu_milli=milli), min_replicas=0, max_replicas=wanted)
        for n, (gib, milli, wanted) in enumerate(models)
    )
    demand = Demand(tuple(ModelDemand(model.name, *[model.max_replicas] * 3) for model in served))
    devices = {(host.name, device.index): device for host in hosts for device in host.devices}
    shapes = {model.name: model.shape for model in served} | {job.job_id: job.gang.shape for job in waiting}

    made = say.plan(demand, hosts=hosts, jobs=waiting, models=served)

    given_out = [(shapes[s.model], s.slot) for s in say.of(made, StartReplica)]
    given_out += [(shapes[s.job_id], slot) for s in say.of(made, StartJob) for slot in s.slots]
    for shape, slot in given_out:
        for index in slot.devices:
            device = devices[slot.host, index]
            assert device.memory_mib >= shape.device_memory_mib
            assert device.partitions == 1 or shape.device_memory_mib
