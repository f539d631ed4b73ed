"""The shape of `cluster.yaml`, validated by pydantic; every field says what it means and in what unit.

Durations ("30s", "10m", "6h", "1d12h") and sizes ("8Gi", "16G") are read into numbers by the annotated types of
`scheduler.config.units`. `headroom explain` prints the texts under the fields.
"""

from scheduler.config.schema.backends import Kubernetes, LocalHost, LocalRay, RemoteRay
from scheduler.config.schema.base import ONE_WORKER, Resources, Section, WorkerRange, Workers
from scheduler.config.schema.deciding import LOOP, Control, PolicyNames, Reserve
from scheduler.config.schema.job import JOB_NAME, EnvValue, JobFile, PublishesSection, SecretName, text_or_secret
from scheduler.config.schema.people import Api, Limits, Retention, Router, SecretSource, Token
from scheduler.config.schema.queues import QueueSection, Quota, queue_from_name
from scheduler.config.schema.serving import Application, ErlangA, ErlangC, Model, TargetRate
from scheduler.config.schema.site import Config, Replay
from scheduler.config.schema.traffic import PrometheusTraffic, ReplayTraffic, Written

__all__ = [
    "JOB_NAME",
    "LOOP",
    "ONE_WORKER",
    "Api",
    "Application",
    "Config",
    "Control",
    "EnvValue",
    "ErlangA",
    "ErlangC",
    "JobFile",
    "Kubernetes",
    "Limits",
    "LocalHost",
    "LocalRay",
    "Model",
    "PolicyNames",
    "PrometheusTraffic",
    "PublishesSection",
    "QueueSection",
    "Quota",
    "RemoteRay",
    "Replay",
    "ReplayTraffic",
    "Reserve",
    "Resources",
    "Retention",
    "Router",
    "SecretName",
    "SecretSource",
    "Section",
    "TargetRate",
    "Token",
    "WorkerRange",
    "Workers",
    "Written",
    "queue_from_name",
    "text_or_secret",
]
