"""Scores that peers keep against scores made from nothing, through seats taken and given back."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.packing import peers
from benchmarks.packing.packers import ScoredPacker, SharingPacker
from benchmarks.packing.room import Room, Seat, ShapeTable
from benchmarks.packing.workload import NO_DEVICE, Fleet, Pods
from policies.packing.workload_mix import SizeMix
from scheduler.model.resources import Shape

SHAPES = (
    Shape(cpu_milli=4000, memory_mib=100),
    Shape(cpu_milli=1000, memory_mib=100, gpu_count=1, gpu_milli=300),
    Shape(cpu_milli=2000, memory_mib=100, gpu_count=1, gpu_milli=450, gpu_models=frozenset({"T4"})),
    Shape(cpu_milli=2000, memory_mib=100, gpu_count=1, gpu_milli=700),
    Shape(cpu_milli=6000, memory_mib=300, gpu_count=1),
    Shape(cpu_milli=8000, memory_mib=100, gpu_count=2),
    Shape(cpu_milli=8000, memory_mib=100, gpu_count=4, gpu_models=frozenset({"G2"})),
)
MIX = SizeMix.of({shape: 1 + k for k, shape in enumerate(SHAPES)})
courses = st.lists(st.tuples(st.integers(0, len(SHAPES) - 1), st.booleans()), min_size=1, max_size=60)


def small_fleet() -> Fleet:
    gpus = np.array([1, 2, 4, 4, 2, 1])
    gpu = np.where(np.arange(4) < gpus[:, None], 1000, NO_DEVICE)
    cpu = np.array([8, 16, 24, 48, 64, 8]) * 1000
    return Fleet(cpu, np.full(6, 1000), gpu, ("G2", "T4"), np.array([1, 1, 0, 0, 1, 0]))


def table_of(fleet: Fleet) -> ShapeTable:
    return ShapeTable.of(Pods.of(list(SHAPES)).shapes, fleet.models)


@settings(deadline=None, max_examples=25)
@given(courses)
def test_peers_keep_scores_as_if_they_scored_every_host_anew(course: list[tuple[int, bool]]) -> None:
    for scoring in (peers.best_fit, peers.dot_product, peers.gpu_packing, peers.fgd(MIX, ("G2", "T4"))):
        room = Room(small_fleet())
        table = table_of(room.fleet)
        kept, anew = (SharingPacker(room, table, scoring, keep=keep) for keep in (True, False))
        seats: list[tuple[Seat, int]] = []
        for shape, leaves in course:
            if leaves and seats:
                seat, old = seats.pop(0)
                sign = 1
            else:
                assert kept.scores(shape).tolist() == anew.scores(shape).tolist()
                found = ScoredPacker(room, table, scoring).choose(shape)
                if found is None:
                    continue
                seat, old, sign = found, shape, -1
                seats.append((seat, old))
            room.add(seat, table.shapes[old], sign)
            kept.changed(seat, old, sign)
            anew.changed(seat, old, sign)
