"""When a gang fits for the first time, however many ends are put in order at once; and who could be won at all."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policies.registry import policy_from_names
from scheduler.model.hosts import Device, Host
from scheduler.model.resources import Shape, Slot
from scheduler.model.snapshot import Snapshot
from scheduler.model.workloads import Gang, JobId, JobState, TrainingJob
from scheduler.planning.placement import expected_releases as ends
from scheduler.planning.placement.availability import Release
from scheduler.planning.placement.cached_trial import CachedTrial
from scheduler.planning.placement.need import GangNeed
from scheduler.planning.placement.placing import takes
from scheduler.planning.preemption.bound import PreemptionBound
from scheduler.planning.preemption.domain_needs import needs_of
from scheduler.planning.preemption.eligibility import Eligibility
from scheduler.planning.preemption.stoppable import Stoppable
from scheduler.planning.preemption.victims import victims_for

NOW_S = 10_000.0
HOSTS = [
    Host(f"h{n}", 8000, 8192, tuple(Device(d, 100) for d in range(2)), "A", (("rack", str(n // 2)),)) for n in range(4)
]
GANGS = st.builds(
    Gang,
    st.integers(1, 4),
    st.builds(Shape, cpu_milli=st.sampled_from([0, 4000]), gpu_count=st.integers(1, 2)),
    require_same=st.sampled_from(["", "rack"]),
)
LEFT = st.floats(1.0, 500.0)


def running(at: int, runs_on_s: float | None, priority: int, age_s: float) -> TrainingJob:
    """A job that has one device of the site, the first devices of all hosts before the second ones."""
    slot = Slot(f"h{at % len(HOSTS)}", (at // len(HOSTS),))
    return TrainingJob(
        JobId(str(at)),
        "j",
        Gang(1, Shape(cpu_milli=4000, gpu_count=1)),
        priority=priority,
        state=JobState.RUNNING,
        slots=(slot,),
        started_at_s=NOW_S - age_s,
        max_runtime_s=None if runs_on_s is None else age_s + runs_on_s,
    )


JOBS = st.lists(st.tuples(st.none() | LEFT, st.sampled_from([25, 75]), LEFT), max_size=8).map(
    lambda rows: [running(at, *row) for at, row in enumerate(rows)]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    jobs=JOBS,
    gang=GANGS,
    until_s=st.sampled_from([NOW_S + 100.0, NOW_S + 400.0, np.inf]),
    more=st.lists(LEFT, max_size=2),
)
def test_the_first_fit_is_the_first_end_after_which_the_gang_fits(
    jobs: list[TrainingJob], gang: Gang, until_s: float, more: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "FIRST_LOOKED_AT", (1, 3))
    snapshot = Snapshot.of(taken_at_s=NOW_S, hosts=HOSTS, jobs=jobs)
    releases = [Release(NOW_S + left, (Slot("h3", (n,)),), jobs[0].gang.shape) for n, left in enumerate(more) if jobs]
    base, table = CachedTrial(snapshot.ledger), snapshot.ledger.table
    for release in releases:
        base.take_all(release.slots, release.shape)
    expected = ends.ExpectedReleases(snapshot.running, table, NOW_S, ()).with_also(releases)
    found = expected.first_fit_s(GangNeed.of(gang, table), base, None, until_s)
    moments = sorted(
        {
            *ends.expected_ends_s(snapshot.running.started_s, snapshot.running.ends_s, NOW_S).tolist(),
            *(release.at_s for release in releases),
        }
    )
    fits = [at_s for at_s in moments if at_s < until_s and takes(expected.room_at(at_s, base), gang)]
    assert found == (-np.inf if takes(base, gang) else min(fits, default=None))


@given(jobs=JOBS, gang=GANGS, priority=st.sampled_from([25, 50, 100]))
def test_nobody_can_be_won_for_whom_stopping_all_would_not_be_enough(
    jobs: list[TrainingJob], gang: Gang, priority: int
) -> None:
    policy, snapshot = policy_from_names(), Snapshot.of(taken_at_s=NOW_S, hosts=HOSTS, jobs=jobs)
    eligibility, coming = Eligibility(policy, NOW_S), CachedTrial(snapshot.ledger)
    waiting = TrainingJob(JobId("99"), "w", gang, priority=priority)
    candidates = eligibility.of(waiting, Stoppable(snapshot, policy).candidates)
    could = PreemptionBound(snapshot, eligibility).is_enough(waiting, gang, coming)
    needs = needs_of(gang, coming, candidates)
    assert could == any(victims_for(need, coming, candidates) is not None for need in needs)
