"""What a policy was made of can be told by the policy, and makes an equal one."""

from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.chosen import choices_of
from policies.registry import (
    DISPLACEMENT_RULES,
    PLACEMENT_SCORES,
    PREEMPTION_RULES,
    QUEUE_ORDERS,
    VICTIM_COSTS,
    policy_from_names,
)
from scheduler.model.plan import Consolidation

some_choices = st.fixed_dictionaries(
    {
        "queue_order": st.sampled_from(sorted(QUEUE_ORDERS)),
        "placement_score": st.sampled_from(sorted(PLACEMENT_SCORES)),
        "victim_cost": st.sampled_from(sorted(VICTIM_COSTS)),
        "may_preempt": st.sampled_from(sorted(PREEMPTION_RULES)),
        "may_displace": st.sampled_from(sorted(DISPLACEMENT_RULES)),
        "consolidation": st.sampled_from(Consolidation),
        "ageing_per_hour": st.sampled_from([0.0, 1.0, 2.5]),
        "ageing_most": st.sampled_from([0.0, 30.0]),
        "min_runtime_s": st.sampled_from([0.0, 300.0]),
        "bookings": st.integers(0, 5),
    }
)


@given(some_choices)
def test_the_choices_of_a_policy_make_it_again(asked: dict[str, object]) -> None:
    policy = policy_from_names(**asked)  # type: ignore[arg-type]  # drawn by name
    found = choices_of(policy)
    assert found is not None
    assert policy_from_names(**asdict(found)) == policy
    assert choices_of(policy_from_names(**asdict(found))) == found


@pytest.mark.parametrize("part", ["queue_order", "placement_score", "victim_cost", "may_preempt", "may_displace"])
def test_a_function_without_a_name_is_said_to_have_none(part: str) -> None:
    assert choices_of(replace(policy_from_names(), **{part: lambda *_: None})) is None
