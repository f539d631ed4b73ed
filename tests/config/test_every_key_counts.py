"""A key that people may write changes what the control plane does: none is read and then forgotten."""

from typing import Any

import pytest
from pydantic import BaseModel

from scheduler.config.job import parse_job
from scheduler.config.queues import queues_of, submitters_of
from scheduler.config.schema import (
    Config,
    Control,
    JobFile,
    Limits,
    Model,
    PolicyNames,
    PublishesSection,
    QueueSection,
    Quota,
    Reserve,
    Resources,
    Retention,
)
from scheduler.config.wiring import limits_of, policy_of, retention_of, served_of, settings_of

GPUS: dict[str, Any] = {"gpus": 1, "gpu_model": "MI210"}
MODEL = {"name": "m", "capacity": {"kind": "rate", "rps_per_replica": 4}, "traffic": "t", "resources": GPUS}
QUEUE = {"name": "q", "weight": 2}
JOB: dict[str, Any] = {"entrypoint": "python train.py", "resources": GPUS, "priority": "normal"}

OTHERWISE: dict[type[BaseModel], dict[str, Any]] = {
    Control: {
        "period": "1m",
        "quantile": 0.95,
        "reactive": True,
        "margin": 0.5,
        "fleet_step": 0.5,
        "community_gpus": 4,
        "scale_down_after": "1m",
        "lost_after": "1m",
        "preemption_grace": "5m",
        "joint_peak": False,
        "reserve": {"flash_crowd": 0.5},
    },
    Limits: {"pending_jobs_per_owner": 3, "highest_priority": {"submitter": "high"}},
    Retention: {"jobs": "100d", "events": "7d", "logs": "7d", "checkpoints": "7d", "packages": "7d", "artifacts": "7d"},
    Reserve: {"flash_crowd": 0.5},
    PolicyNames: {
        "queue_order": "fifo",
        "placement_score": "best-fit",
        "victim_cost": "newest-first",
        "may_preempt": "never",
        "may_displace": "shorter-first",
        "min_runtime": "1m",
        "reservation": "1m",
        "bookings": 1,
        "ageing_per_hour": 2,
        "ageing_most": 10,
        "consolidation": "do",
        "moves_per_hour": 1,
        "usage_half_life": "1d",
        "move_again_after": "1h",
        "grow_after": "1h",
    },
    Model: {
        "name": "n",
        "owner": "us",
        "community": True,
        "served_elsewhere": True,
        "workload": {"kind": "Deployment", "namespace": "a", "name": "b"},
        "resources": {"gpus": 2},
        "capacity": {"kind": "rate", "rps_per_replica": 5},
        "min_replicas": 0,
        "max_replicas": 7,
        "warm_up": "10m",
        "max_per_host": 1,
        "survive_host_losses": 1,
        "rollout_surge": 1,
        "rollout": {"steps": [0.2]},
        "card": {"licence": "Apache-2.0"},
        "traffic": "u",
        "share": 0.5,
        "requests": "v",
        "latency_objective": "3s",
    },
    QueueSection: {
        "name": "r",
        "guarantee": {"gpus": 1},
        "borrow_limit": {"gpus": 1},
        "lend_limit": {"gpus": 1},
        "highest_priority": "low",
        "weight": 3,
        "submitters": ["ada"],
    },
    Quota: {"cpus": 1, "memory": "1Gi", "gpus": 1, "gpu_models": {"MI210": 1}},
    Resources: {
        "cpus": 3,
        "memory": "3Gi",
        "gpus": 2,
        "gpu_model": "MI300X",
        "gpu_memory": "80Gi",
        "host_labels": {"rack": "7"},
    },
    JobFile: {
        "name": "lm",
        "entrypoint": "python other.py",
        "resources": {"gpus": 2},
        "workers": 3,
        "max_workers_per_host": 1,
        "prefer_same": "rack",
        "require_same": "switch",
        "priority": "high",
        "queue": "research",
        "preemptible": False,
        "max_runtime": "1h",
        "checkpoint_interval": "5m",
        "grace": "10s",
        "working_dir": "src",
        "env": {"A": "1"},
        "publishes": {"model": "tone"},
    },
    PublishesSection: {"model": "other", "path": "out/model/", "deploy": "automatically", "data_version": "2026-11"},
}
ELSEWHERE = {Model: {"application"}}
"""Keys that the backend is handed as they are, not by way of the loop."""


def made_of(**sections: Any) -> object:
    """Return all that a configuration with these sections comes to."""
    base = {
        "cluster": "c",
        "backend": {"kind": "local", "hosts": [{"name": "h"}]},
        "queues": [QUEUE],
        "models": [MODEL],
    }
    config = Config.model_validate(base | sections)
    return (
        settings_of(config.control, config.policy, config.queues),
        policy_of(config.policy, config.queues),
        served_of(config.models),
        queues_of(config.queues),
        submitters_of(config.queues),
        limits_of(config.limits, config.queues),
        retention_of(config.retention),
    )


def job_of(content: dict[str, Any]) -> object:
    priorities = {"normal": 50, "high": 75}
    return parse_job(content, priorities=priorities, queues=("default", "research"), owner="ada", working_dir="")


@pytest.mark.parametrize("section", OTHERWISE, ids=lambda section: section.__name__)
def test_every_key_is_asked_for_here(section: type[BaseModel]) -> None:
    assert set(OTHERWISE[section]) | ELSEWHERE.get(section, set()) == set(section.model_fields)


@pytest.mark.parametrize("key", OTHERWISE[Control])
def test_every_key_of_the_loop(key: str) -> None:
    assert made_of(control={key: OTHERWISE[Control][key]}) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[Limits])
def test_every_limit_of_a_person(key: str) -> None:
    assert made_of(limits={key: OTHERWISE[Limits][key]}) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[Retention])
def test_every_key_of_what_is_kept(key: str) -> None:
    assert made_of(retention={key: OTHERWISE[Retention][key]}) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[PolicyNames])
def test_every_key_of_the_policy(key: str) -> None:
    assert made_of(policy={key: OTHERWISE[PolicyNames][key]}) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[Model])
def test_every_key_of_a_model(key: str) -> None:
    assert made_of(models=[MODEL | {key: OTHERWISE[Model][key]}]) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[QueueSection])
def test_every_key_of_a_queue(key: str) -> None:
    assert made_of(queues=[QUEUE | {key: OTHERWISE[QueueSection][key]}]) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[Quota])
@pytest.mark.parametrize("amounts", ["guarantee", "borrow_limit", "lend_limit"])
def test_every_key_of_a_queues_terms(amounts: str, key: str) -> None:
    assert made_of(queues=[QUEUE | {amounts: {key: OTHERWISE[Quota][key]}}]) != made_of()


@pytest.mark.parametrize("key", OTHERWISE[Resources])
def test_every_key_of_what_a_replica_or_worker_needs(key: str) -> None:
    needs = GPUS | {key: OTHERWISE[Resources][key]}
    assert made_of(models=[MODEL | {"resources": needs}]) != made_of()
    assert job_of(JOB | {"resources": needs}) != job_of(JOB)


@pytest.mark.parametrize("key", sorted(set(OTHERWISE[JobFile]) - {"working_dir"}))
def test_every_key_of_a_job(key: str) -> None:
    assert job_of(JOB | {key: OTHERWISE[JobFile][key]}) != job_of(JOB)


@pytest.mark.parametrize("key", OTHERWISE[PublishesSection])
def test_every_key_of_what_a_job_publishes(key: str) -> None:
    plain = {"model": "tone"}
    changed = plain | {key: OTHERWISE[PublishesSection][key]}
    assert job_of(JOB | {"publishes": changed}) != job_of(JOB | {"publishes": plain})
