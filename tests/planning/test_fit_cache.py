"""A gang is ruled out only where it really finds no room."""

from hypothesis import given
from hypothesis import strategies as st

from policies.placement_scores import first_fit
from scheduler.model.hosts import Device, Host
from scheduler.model.ledger import Ledger
from scheduler.model.resources import Shape
from scheduler.model.work import NOTHING_SEEN
from scheduler.model.workloads import Gang
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.placing import hosts_for_gang
from scheduler.planning.reasons.fit_cache import Blocked, FitCache

SHAPES = st.one_of(
    st.builds(
        Shape,
        cpu_milli=st.sampled_from([0, 1000, 3000]),
        memory_mib=st.sampled_from([0, 1024]),
        gpu_count=st.integers(0, 3),
        gpu_models=st.sampled_from([frozenset(), frozenset({"A"})]),
        device_memory_mib=st.sampled_from([0, 100]),
    ),
    st.builds(Shape, gpu_count=st.just(1), gpu_milli=st.sampled_from([250, 600])),
)
GANGS = st.builds(
    Gang, st.integers(1, 5), SHAPES, st.sampled_from([0, 1, 2]), require_same=st.sampled_from(["", "rack"])
)
HOSTS = st.lists(
    st.builds(
        lambda cpu, devices, model, rack: (cpu, devices, model, rack),
        st.sampled_from([2000, 8000]),
        st.integers(0, 4),
        st.sampled_from("AB"),
        st.sampled_from("xy"),
    ),
    min_size=1,
    max_size=4,
).map(
    lambda listed: [
        Host(f"h{i}", cpu, 4096, tuple(Device(d, 100 * (d % 2)) for d in range(n)), model, (("rack", rack),))
        for i, (cpu, n, model, rack) in enumerate(listed)
    ]
)


@given(hosts=HOSTS, gangs=st.lists(GANGS, min_size=2, max_size=12))
def test_whoever_is_ruled_out_finds_no_room(hosts: list[Host], gangs: list[Gang]) -> None:
    room, blocked = CachedTrial(Ledger.of(hosts)), Blocked()
    scorer = first_fit(room, NOTHING_SEEN)
    for gang in gangs:
        fits = hosts_for_gang(room, gang, scorer) is not None
        assert not (fits and gang in blocked)
        if not fits:
            blocked.add(gang)
            assert gang in blocked


@given(hosts=HOSTS, gangs=st.lists(GANGS, min_size=2, max_size=12))
def test_what_is_known_of_some_gangs_is_true_of_others(hosts: list[Host], gangs: list[Gang]) -> None:
    room = CachedTrial(Ledger.of(hosts))
    scorer = first_fit(room, NOTHING_SEEN)
    tried: list[Gang] = []

    def fits(gang: Gang) -> bool:
        tried.append(gang)
        return hosts_for_gang(room, gang, scorer) is not None

    known = FitCache(fits)
    assert [known(gang) for gang in gangs] == [hosts_for_gang(room, gang, scorer) is not None for gang in gangs]
    assert len(tried) == len(set(tried))


def bigger(**more: int) -> Gang:
    asked = {"cpu_milli": 1000, "memory_mib": 10, "gpu_count": 1, "gpu_milli": 1000} | more
    workers = asked.pop("workers", 2)
    return Gang(workers, Shape(**asked))


def test_whoever_asks_for_as_much_or_more_is_ruled_out() -> None:
    blocked = Blocked()
    blocked.add(bigger())
    for gang in (bigger(), bigger(cpu_milli=2000), bigger(gpu_count=2), bigger(workers=3), bigger(memory_mib=11)):
        assert gang in blocked
    for gang in (bigger(cpu_milli=999), bigger(workers=1), bigger(gpu_milli=500), Gang(2, bigger().shape, 1)):
        assert gang not in blocked


def test_all_is_forgotten_once_room_is_gained() -> None:
    blocked, gang = Blocked(), bigger()
    blocked.as_of(3).add(gang)
    assert gang in blocked.as_of(3)
    assert gang not in blocked.as_of(4)
    assert gang not in blocked.as_of(3)
