"""Reads a scenario file: each value on its own first, then what must hold between them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from scheduler.config.checks import cross_faults
from scheduler.config.faults import did_you_mean, fault_at, read_section
from scheduler.config.files import beside
from scheduler.config.scenario import JobStream, JobTrace, Scenario, ScenarioHost
from scheduler.config.schema import Config, LocalHost, LocalRay, QueueSection, Replay
from scheduler.config.yaml_file import Document, Where, read_yaml
from scheduler.model.errors import ConfigError

Check = Callable[[Scenario], Iterator[tuple[Where, str, str]]]
"""Yields (where, message, help) for everything that is wrong."""


def load_scenario(path: Path) -> Scenario:
    """Return the validated scenario; files in it are relative to its own directory.

    With `extends: other.yaml` it has everything of that file (of the same directory) that it does not say itself;
    mappings are joined key by key, lists are replaced.

    Raises:
        ConfigError: with every fault found, each with its line.
    """
    document = read_extended(path)
    scenario = _with_files_found(read_section(document, Scenario, "scenario"), path.parent)
    _raise_faults(scenario, document)
    return scenario


def read_extended(path: Path, extending: tuple[Path, ...] = ()) -> Document:
    """Return a file joined with what it extends.

    Raises:
        ConfigError: one of them cannot be read, or they extend each other.
    """
    document = read_yaml(path)
    if not isinstance(document.data, Mapping) or "extends" not in document.data:
        return document
    base = path.parent / str(document.data["extends"])
    if base in (*extending, path) or base.parent != path.parent:
        help_ = "name another file of the same directory that does not extend this one"
        raise ConfigError(fault_at(document, ("extends",), "BadValue", f"cannot extend {base.name}", help_))
    own = {key: value for key, value in document.data.items() if key != "extends"}
    return Document(document.file, _joined(read_extended(base, (*extending, path)).data, own), document.lines)


def _joined(base: object, own: object) -> object:
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return own
    return {**base, **{key: _joined(base.get(key), value) for key, value in own.items()}}


def cluster_config(scenario: Scenario, used: Iterable[str] = ()) -> Config:
    """Return the `cluster.yaml` that the scenario amounts to, so that a simulation is wired like the real thing.

    Args:
        scenario: see `Scenario`.
        used: queues that its job traces name.
    """
    return Config(
        cluster=scenario.scenario,
        backend=LocalRay(kind="local", hosts=tuple(hosts_of(scenario))),
        control=scenario.control,
        policy=scenario.policy,
        priorities=scenario.priorities,
        queues=(*scenario.queues, *(QueueSection(name=name) for name in _other_queues(scenario, used))),
        replay=Replay(start=scenario.start),
        traffic=dict(scenario.traffic),
        models=scenario.models,
    )


def _other_queues(scenario: Scenario, used: Iterable[str]) -> Iterator[str]:
    """Yield the default queue and those that jobs name, as far as they are not declared."""
    declared = {queue.name for queue in scenario.queues}
    named = dict.fromkeys(["default", *(origin.queue for _, origin in _origins(scenario)), *sorted(used)])
    yield from (name for name in named if name not in declared)


def hosts_of(scenario: Scenario) -> Iterator[LocalHost]:
    """Yield every host by its own name: `count: 3` of "ml1012" are ml1012 to ml1014, of "gpu" gpu1 to gpu3."""
    for group in scenario.hosts:
        for name in _names(group):
            yield LocalHost(**{**group.model_dump(exclude={"count"}), "name": name})


def start_s(scenario: Scenario) -> float:
    """Return the scenario's start, epoch seconds."""
    return datetime.fromisoformat(scenario.start).timestamp()


def _names(group: ScenarioHost) -> list[str]:
    if group.count == 1:
        return [group.name]
    stem, digits = re.fullmatch(r"(.*?)(\d*)", group.name, re.DOTALL).groups()  # type: ignore[union-attr]  # always matches
    return [f"{stem}{int(digits or 1) + number:0{len(digits)}d}" for number in range(group.count)]


def _with_files_found(scenario: Scenario, directory: Path) -> Scenario:
    traffic = {name: beside(source, directory) for name, source in scenario.traffic.items()}
    traces = tuple(trace.model_copy(update={"file": directory / trace.file}) for trace in scenario.jobs.traces)
    jobs = scenario.jobs.model_copy(update={"traces": traces})
    return scenario.model_copy(update={"traffic": traffic, "jobs": jobs})


def _raise_faults(scenario: Scenario, document: Document) -> None:
    own = [
        fault_at(document, where, "BadValue", message, help_)
        for check in CHECKS
        for where, message, help_ in check(scenario)
    ]
    faults = own or list(cross_faults(cluster_config(scenario), document))
    if faults:
        raise ConfigError(*faults)


def _origins(scenario: Scenario) -> Iterator[tuple[Where, JobStream | JobTrace]]:
    for index, stream in enumerate(scenario.jobs.streams):
        yield ("jobs", "streams", index), stream
    for index, trace in enumerate(scenario.jobs.traces):
        yield ("jobs", "traces", index), trace


def _times_known(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    times: list[tuple[Where, str]] = [(("start",), scenario.start)]
    times += [(("jobs", "traces", i, "first"), t.first) for i, t in enumerate(scenario.jobs.traces) if t.first]
    for where, text in times:
        try:
            has_zone = datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            has_zone = False
        if not has_zone:
            message = f'{".".join(map(str, where))}: "{text}" is not an RFC 3339 time with a zone'
            yield where, message, "for instance 2012-02-04T18:40:00Z"


def _priorities_known(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    for where, origin in _origins(scenario):
        if origin.priority not in scenario.priorities:
            help_ = did_you_mean(origin.priority, scenario.priorities)
            yield (*where, "priority"), f'unknown priority "{origin.priority}"', help_


def _outages_known(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    hosts = {host.name for host in hosts_of(scenario)}
    for index, outage in enumerate(scenario.faults.outages):
        if outage.host not in hosts:
            where = ("faults", "outages", index, "host")
            yield where, f'there is no host "{outage.host}"', did_you_mean(outage.host, hosts)


def _traces_exist(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    for index, trace in enumerate(scenario.jobs.traces):
        if not trace.file.is_file():
            where = ("jobs", "traces", index, "file")
            yield where, f"there is no file {trace.file}", "paths are relative to this YAML file"


def _grace_allowed(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    longest = scenario.control.preemption_grace
    for where, origin in _origins(scenario):
        if origin.grace > longest:
            message = f"grace: {origin.grace:g} s is longer than control.preemption_grace"
            yield (*where, "grace"), message, f"at most {longest:g} s, or raise control.preemption_grace"


CHECKS: Final[tuple[Check, ...]] = (_times_known, _priorities_known, _outages_known, _traces_exist, _grace_allowed)
