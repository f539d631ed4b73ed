"""Promises of the way from configuration to the loop: every number arrives where it is used."""

import pytest

from scheduler.config.loop_parts import policy_of, rule_of, served_of, settings_of
from scheduler.config.schema import Config, ErlangC, Model, TargetRate
from scheduler.model.errors import ConfigError


def config(**sections: object) -> Config:
    return Config.model_validate({"cluster": "c", "backend": {"kind": "local", "hosts": [{"name": "h"}]}, **sections})


def test_the_numbers_of_the_loop_arrive() -> None:
    control = {"period": "1m", "quantile": 0.95, "reactive": True, "margin": 0.2, "scale_down_after": "5m"}
    settings = settings_of(config(control={**control, "preemption_grace": "2m"}, policy={"min_runtime": "15m"}))
    assert (settings.period_s, settings.quantile, settings.reactive, settings.margin) == (60.0, 0.95, True, 0.2)
    assert (settings.scale_down_after_s, settings.preemption_grace_s, settings.min_runtime_s) == (300.0, 120.0, 900.0)


def test_silence_is_told_by_the_period_when_that_is_long() -> None:
    assert settings_of(config()).silent_after_s == 300.0
    assert settings_of(config(control={"period": "20m"})).silent_after_s == 3600.0


def test_policies_are_found_by_name_and_an_unknown_one_is_an_error() -> None:
    policy = policy_of(config(policy={"queue_order": "fifo", "min_runtime": "7m", "reservation": "8m"}))
    assert (policy.min_runtime_s, policy.reservation_s) == (420.0, 480.0)
    assert policy.queue_order is not policy_of(config()).queue_order
    with pytest.raises(ConfigError, match="nobody"):
        policy_of(config(policy={"victim_cost": "nobody"}))


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
    served = served_of(model)
    assert (served.model.name, served.model.warm_up_s, served.owner) == ("m", 180.0, "us")
    assert (served.source, served.share, served.latency_objective_s) == ("t", 0.5, 2.0)
    assert served.rule.replicas(9.0) == 3


def test_both_kinds_of_capacity_become_their_rule() -> None:
    assert rule_of(TargetRate(kind="rate", rps_per_replica=3.0)).rps_per_replica == 3.0
    queue = ErlangC(kind="erlang-c", service_time="1s", concurrency=2, latency_objective="3s", within=0.9)
    strict = queue.model_copy(update={"within": 0.999})
    assert 0.0 < rule_of(strict).rps_per_replica < rule_of(queue).rps_per_replica < 2.0
