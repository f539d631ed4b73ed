"""Promises of the way from configuration to the loop: every number arrives where it is used."""

from typing import Any

import pytest

from scheduler.config.schema import Config, Control, Model, PolicyNames
from scheduler.config.schema import Retention as RetentionSection
from scheduler.config.wiring import policy_of, retention_of, served_of, settings_of
from scheduler.control.upkeep.retention import Retention
from scheduler.model.errors import ConfigError
from scheduler.model.plan import Consolidation


def config(**sections: object) -> Config:
    return Config.model_validate({"cluster": "c", "backend": {"kind": "local", "hosts": [{"name": "h"}]}, **sections})


def test_the_numbers_of_the_loop_arrive() -> None:
    control = {"period": "1m", "quantile": 0.95, "reactive": True, "margin": 0.2, "scale_down_after": "5m"}
    whole = config(control={**control, "preemption_grace": "2m", "lost_after": "20m"}, policy={"min_runtime": "15m"})
    settings = settings_of(whole.control, whole.policy)
    assert (settings.period_s, settings.quantile, settings.reactive, settings.margin) == (60.0, 0.95, True, 0.2)
    assert (settings.scale_down_after_s, settings.preemption_grace_s, settings.min_runtime_s) == (300.0, 120.0, 900.0)
    assert (settings.patience.lost_s, settings_of(Control(), whole.policy).patience.lost_s) == (1200.0, 300.0)


@pytest.mark.parametrize(("period", "after_s"), [("5s", 300.0), ("30s", 300.0), ("18m", 3 * 18 * 60.0)])
def test_no_source_is_silent_before_the_loop_has_asked_it_a_few_times(period: str, after_s: float) -> None:
    assert settings_of(Control(period=period), PolicyNames()).silent_after_s == after_s


def test_policies_are_found_by_name_and_an_unknown_one_is_an_error() -> None:
    policy = policy_of(PolicyNames(queue_order="fifo", min_runtime="7m", reservation="8m"))
    assert (policy.min_runtime_s, policy.reservation_s) == (420.0, 480.0)
    moving = policy_of(PolicyNames(consolidation="do", moves_per_hour=2, move_again_after="2h"))
    assert (moving.consolidation, moving.moves_per_hour, moving.move_again_after_s) == (Consolidation.DO, 2, 7200.0)
    assert policy.queue_order is not policy_of(PolicyNames()).queue_order
    with pytest.raises(ConfigError, match="nobody"):
        policy_of(PolicyNames(victim_cost="nobody"))


def test_a_served_model_keeps_its_source_share_and_objective() -> None:
    model = Model.model_validate(
        {
            "name": "m",
            "owner": "us",
            "capacity": {"kind": "rate", "rps_per_replica": 4},
            "traffic": "t",
            "share": 0.5,
            "latency_objective": "2s",
            "warm_up": "3m",
        }
    )
    (served,) = served_of([model])
    assert (served.model.name, served.model.warm_up_s, served.owner) == ("m", 180.0, "us")
    assert (served.source, served.share, served.latency_objective_s) == ("t", 0.5, 2.0)
    assert served.rule.replicas(9.0) == 3


def test_all_kinds_of_capacity_become_their_rule() -> None:
    queue = {"kind": "erlang-c", "service_time": "1s", "concurrency": 2, "latency_objective": "3s", "within": 0.9}
    gone = {**queue, "kind": "erlang-a", "patience": "1s"}
    kinds = [queue, {**queue, "within": 0.999}, {"kind": "rate", "rps_per_replica": 3.0}, gone]
    models = [
        Model.model_validate({"name": f"m{index}", "capacity": kind, "traffic": "t"})
        for index, kind in enumerate(kinds)
    ]
    loose, strict, rate, impatient = (served.rule.rps_per_replica for served in served_of(models))
    assert 0.0 < strict < loose < 2.0
    assert rate == 3.0
    assert impatient > strict


@pytest.mark.parametrize(
    ("written", "days"),
    [
        ({}, (90, 90, 90, 30, 30, 90)),
        ({"jobs": "7d"}, (7, 90, 7, 7, 30, 90)),
        ({"jobs": 0}, (0, 90, 90, 30, 30, 90)),
        ({"jobs": 0, "logs": 0, "checkpoints": 0}, (0, 90, 0, 0, 30, 90)),
        ({"logs": "1d", "checkpoints": "2d"}, (90, 90, 1, 2, 30, 90)),
    ],
)
def test_what_belongs_to_a_job_goes_with_it_at_the_latest(written: dict[str, Any], days: tuple[int, ...]) -> None:
    kept = retention_of(RetentionSection.model_validate(written))
    assert kept == Retention(*(each * 86_400.0 for each in days))
