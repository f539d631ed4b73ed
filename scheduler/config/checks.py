"""What must hold between the values of a configuration: names that point somewhere, limits that agree."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address
from typing import Final

from scheduler.config.faults import did_you_mean, fault_at
from scheduler.config.queues import queue_faults
from scheduler.config.schema import Config, ErlangA, ErlangC, Kubernetes, LocalRay, Model, PrometheusTraffic, RemoteRay
from scheduler.config.texts import dotted
from scheduler.config.traffic_checks import TRAFFIC_CHECKS
from scheduler.config.units import format_duration
from scheduler.config.wiring import OF_JOBS, policy_of
from scheduler.config.yaml_file import Document, Where
from scheduler.model.errors import ConfigError, Fault

Check = Callable[[Config], Iterator[tuple[Where, str, str]]]
"""Yields (where, message, help) for everything that is wrong."""


def cross_faults(config: Config, document: Document, checks: Iterable[Check] = ()) -> Iterator[Fault]:
    """Yield a fault, with its line in `document`, for all that does not fit together by `checks` (`CHECKS`)."""
    for check in checks or CHECKS:
        for where, message, help_ in check(config):
            yield fault_at(document, where, "BadValue", message, help_)


def is_loopback(host: str) -> bool:
    """Whether only programs on the same machine reach a name or address; IPv6 with or without brackets."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _unique_names(config: Config) -> Iterator[tuple[Where, str, str]]:
    yield from _twice(("models",), (model.name for model in config.models))
    yield from _twice(("queues",), (queue.name for queue in config.queues))
    yield from _twice(("api", "tokens"), (token.name for token in config.api.tokens))
    if isinstance(config.backend, LocalRay):
        yield from _twice(("backend", "hosts"), (host.name for host in config.backend.hosts))


def _twice(where: Where, names: Iterable[str]) -> Iterator[tuple[Where, str, str]]:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            what = f"{dotted(where)}.{index}.name"
            yield (*where, index, "name"), f'{what}: "{name}" is taken by entry {first[name]}', "give each its own name"
        first.setdefault(name, index)


def _traffic_known(config: Config) -> Iterator[tuple[Where, str, str]]:
    known = f"sources: {', '.join(config.traffic) or 'none yet, see traffic'}"
    for index, model in enumerate(config.models):
        for key, name in (("traffic", model.traffic), ("requests", model.requests or model.traffic)):
            if name not in config.traffic and (key == "traffic" or model.requests):
                help_ = did_you_mean(name, config.traffic) or known
                yield ("models", index, key), f'unknown traffic source "{name}" of {model.name}', help_


def model_faults(model: Model) -> Iterator[tuple[Where, str, str]]:
    """Yield what of a model that is deployed does not fit together."""
    yield from _limits_of(model)
    yield from _server_of(model)


def _limits_agree(config: Config) -> Iterator[tuple[Where, str, str]]:
    for index, model in enumerate(config.models):
        for where, message, help_ in _limits_of(model):
            yield ("models", index, *where), message, help_


def _limits_of(model: Model) -> Iterator[tuple[Where, str, str]]:
    if model.min_replicas > model.max_replicas:
        message = f"{model.name}: min_replicas {model.min_replicas} is above max_replicas {model.max_replicas}"
        yield ("min_replicas",), message, "raise max_replicas, or lower min_replicas"
    rule, rollout = model.capacity, model.rollout
    if isinstance(rule, ErlangC | ErlangA) and rule.latency_objective < rule.service_time:
        message = f"{model.name}: no number of replicas answers within less than the service time"
        yield ("capacity", "latency_objective"), message, "raise latency_objective"
    if list(rollout.steps) != sorted(set(rollout.steps)):
        yield ("rollout", "steps"), f"{model.name}: the steps of a rollout do not grow", "for instance [0.1, 0.5]"
    if rollout.patience < rollout.step_time:
        message = f"{model.name}: the patience of a rollout is shorter than one of its steps"
        yield ("rollout", "patience"), message, f"{format_duration(rollout.step_time)} or more"


def _devices_exist(config: Config) -> Iterator[tuple[Where, str, str]]:
    if not isinstance(config.backend, LocalRay):
        return
    known = {host.gpu_model for host in config.backend.hosts if host.gpus}
    for index, model in enumerate(config.models):
        for gpu_model in set(model.resources.gpu_model) - known:
            help_ = did_you_mean(gpu_model, known) or f"hosts have: {', '.join(sorted(known)) or 'no GPUs'}"
            message = f'{model.name}: no host has GPUs of model "{gpu_model}"'
            yield ("models", index, "resources", "gpu_model"), message, help_


def _secrets_are_there(config: Config) -> Iterator[tuple[Where, str, str]]:
    for name, source in config.secrets.items():
        where = ("secrets", name)
        if (source.file is None) == (not source.env):
            yield (
                where,
                f"secrets.{name}: needs a file or a variable, and not both",
                "file: token, or env: HF_TOKEN",
            )
        elif source.file is not None and not source.file.is_file():
            yield (*where, "file"), f"there is no file {source.file}", "paths are relative to this YAML file"


def _urls_whole(config: Config) -> Iterator[tuple[Where, str, str]]:
    for where, url in _urls(config):
        if not url.startswith(("http://", "https://")):
            yield where, f'{dotted(where)}: "{url}" is not a URL', "begin it with http:// or https://"


def _urls(config: Config) -> Iterator[tuple[Where, str]]:
    if isinstance(config.backend, RemoteRay):
        yield ("backend", "dashboard"), config.backend.dashboard
    for name, source in config.traffic.items():
        if isinstance(source, PrometheusTraffic):
            yield ("traffic", name, "url"), source.url


def _address_has_port(config: Config) -> Iterator[tuple[Where, str, str]]:
    if isinstance(config.backend, RemoteRay) and not config.backend.address.rpartition(":")[2].isdigit():
        message = f'backend.address: "{config.backend.address}" has no port'
        yield ("backend", "address"), message, "for instance 10.0.0.5:6379"


def _replay_starts(config: Config) -> Iterator[tuple[Where, str, str]]:
    if config.replay is None:
        return
    help_ = "for instance 2012-02-04T18:40:00Z"
    try:
        start = datetime.fromisoformat(config.replay.start)
    except ValueError:
        yield ("replay", "start"), f'replay.start: "{config.replay.start}" is not an RFC 3339 time', help_
        return
    if start.tzinfo is None:
        yield ("replay", "start"), f'replay.start: "{config.replay.start}" has no zone', help_


def _policies_known(config: Config) -> Iterator[tuple[Where, str, str]]:
    try:
        policy_of(config.policy, config.queues)
    except ConfigError as error:
        for fault in error.faults:
            yield tuple(fault.field.split(".")), fault.message, fault.help


def _closed_to_strangers(config: Config) -> Iterator[tuple[Where, str, str]]:
    if not is_loopback(config.api.host) and not config.api.tokens:
        message = f"api.host: {config.api.host} is reachable from outside, and api.tokens is empty"
        yield ("api", "host"), message, "declare tokens (headroom explain cluster), or listen on 127.0.0.1"
    elif config.api.public and not config.api.tokens:
        message = "api.public: without tokens everybody on this machine is an operator, whatever is public"
        yield ("api", "public"), message, "declare tokens (headroom explain cluster), or leave it out"


def _somebody_serves(config: Config) -> Iterator[tuple[Where, str, str]]:
    for index, model in enumerate(config.models):
        for where, message, help_ in _server_of(model):
            yield ("models", index, *where), message, help_


def _served_where_it_can_be(config: Config) -> Iterator[tuple[Where, str, str]]:
    is_kubernetes = isinstance(config.backend, Kubernetes)
    for index, model in enumerate(config.models):
        if model.workload is not None and not is_kubernetes:
            message = f"{model.name} has a workload, and the backend is {config.backend.kind}"
            yield ("models", index, "workload"), message, "backend: {kind: kubernetes}, or an application instead"
        if model.application is not None and is_kubernetes:
            message = f"{model.name} has an application, and the backend is kubernetes"
            yield ("models", index, "application"), message, "workload: {kind: …, namespace: …, name: …}"


def _server_of(model: Model) -> Iterator[tuple[Where, str, str]]:
    if model.application is None and model.workload is None and not model.served_elsewhere:
        message = f"{model.name} has no application: no replica of it could start"
        help_ = 'application: {import_path: "module:build"}, on Kubernetes workload: {…}, or served_elsewhere: true'
        yield (), message, help_
    if model.application is not None and model.served_elsewhere:
        message = f"{model.name} is served elsewhere, and has an application here"
        yield ("served_elsewhere",), message, "keep one of the two"
    if model.application is not None and model.workload is not None:
        message = f"{model.name} has an application and a workload"
        yield ("workload",), message, "keep the application on Ray, the workload on Kubernetes"
    if model.workload is not None and model.max_per_host:
        message = f"{model.name} has a workload: where its replicas run is kube-scheduler's to say"
        yield ("max_per_host",), message, "leave it out, and spread them by the template's topologySpreadConstraints"


def _priorities_known(config: Config) -> Iterator[tuple[Where, str, str]]:
    named: list[tuple[Where, str]] = [
        *((("limits", "highest_priority", role), name) for role, name in config.limits.highest_priority.items()),
        *((("queues", index, "highest_priority"), q.highest_priority) for index, q in enumerate(config.queues)),
    ]
    for where, name in named:
        if name and name not in config.priorities:
            help_ = did_you_mean(name, config.priorities) or f"priorities: {', '.join(config.priorities)}"
            yield where, f'{dotted(where)}: unknown priority "{name}"', help_


def _kept_long_enough(config: Config) -> Iterator[tuple[Where, str, str]]:
    kept: dict[str, float] = dict(config.retention)
    for key, kept_s in kept.items():
        where = ("retention", key)
        longest_s = kept["jobs"] if key in OF_JOBS and key in config.retention.model_fields_set else 0.0
        if 0 < kept_s < SHORTEST_KEPT_S:
            yield where, f"{dotted(where)}: {format_duration(kept_s)} is less than a day", "1d or more, or 0 for ever"
        elif longest_s and not 0 < kept_s <= longest_s:
            message = f"{dotted(where)}: {key} are kept no longer than the jobs they are of"
            yield where, message, f"{format_duration(longest_s)} or less, or retention.jobs as long"


SHORTEST_KEPT_S: Final = 86_400.0
"""What is over is kept for a day at least: so long a submission may be sent again."""
CHECKS: Final[tuple[Check, ...]] = (
    _unique_names,
    _traffic_known,
    _limits_agree,
    _devices_exist,
    _secrets_are_there,
    *TRAFFIC_CHECKS,
    _urls_whole,
    _address_has_port,
    _replay_starts,
    _policies_known,
    queue_faults,
    _priorities_known,
    _kept_long_enough,
    _closed_to_strangers,
)
"""What holds of live and of simulated clusters."""
LIVE_CHECKS: Final[tuple[Check, ...]] = (_somebody_serves, _served_where_it_can_be)
"""What holds of live clusters beyond that: a simulated replica runs no application."""
