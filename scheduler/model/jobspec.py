"""A training job as its owner submitted it, with all that is needed to run it."""

from dataclasses import dataclass

from scheduler.model.workloads import Gang


@dataclass(frozen=True, slots=True)
class Publishes:
    """What a job publishes when it succeeds.

    Attributes:
        model: name of the model that the artifact is for.
        path: folder of the artifact, below the job's folder of checkpoints.
        is_deployed: whether it becomes the next revision of that model by itself, as far as its owner may deploy.
        data_version: which data it was trained on, for people; "" where the job does not say.
    """

    model: str
    path: str = "model"
    is_deployed: bool = False
    data_version: str = ""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What was asked for; never changes, but for the priority, and where the cluster keeps it (see `origin`).

    Attributes:
        name: for people; need not be unique.
        entrypoint: shell command that runs the driver, for instance "python train.py".
        gang: workers and what each needs.
        owner: who submitted it.
        queue: for fair share and limits.
        priority_class: name of the class.
        priority: the class's integer; higher goes first.
        preemptible: whether it may be stopped for others.
        grace_period_s: time to save a checkpoint when stopped.
        checkpoint_interval_s: how often it saves; None when never.
        max_runtime_s: longest an attempt takes; None when unknown.
        env: (name, value) pairs for the driver and its workers, sorted.
        secrets: (variable, name of a secret) pairs, likewise, sorted; their values are never part of a job.
        working_dir: digest of the uploaded package ("sha256:…"), or "" for none.
        origin: what the cluster calls it where it was given to the cluster itself, never used twice; "" for one that
            was submitted to Headroom.
        publishes: what it publishes when it succeeds; None for nothing.
    """

    name: str
    entrypoint: str
    gang: Gang
    owner: str = ""
    queue: str = "default"
    priority_class: str = "normal"
    priority: int = 50
    preemptible: bool = True
    grace_period_s: float = 30.0
    checkpoint_interval_s: float | None = None
    max_runtime_s: float | None = None
    env: tuple[tuple[str, str], ...] = ()
    working_dir: str = ""
    secrets: tuple[tuple[str, str], ...] = ()
    origin: str = ""
    publishes: Publishes | None = None
