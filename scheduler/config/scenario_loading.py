"""Reads a scenario file: each value on its own first, then what must hold between them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from scheduler.config.checks import cross_faults
from scheduler.config.faults import did_you_mean, fault_at, read_section
from scheduler.config.files import beside
from scheduler.config.scenario import JobStream, JobTrace, Scenario, ScenarioHost
from scheduler.config.schema import Config, LocalHost, LocalRay, QueueSection, Replay
from scheduler.config.texts import dotted
from scheduler.config.variations import combinations, varied
from scheduler.config.yaml_file import Document, Where, read_yaml
from scheduler.model.errors import ConfigError

Check = Callable[[Scenario], Iterator[tuple[Where, str, str]]]
"""Yields (where, message, help) for everything that is wrong."""


def load_scenario(path: Path) -> Scenario:
    """Return the validated scenario; files in it are relative to its own directory.

    With `extends: other.yaml` it has everything of that file (of the same directory) that it does not say itself;
    mappings are joined key by key, lists are replaced. What it varies is not: it is the scenario as it stands.

    Raises:
        ConfigError: with every fault found, each with its line.
    """
    return _scenario_of(read_extended(path), path.parent)


@dataclass(frozen=True, slots=True)
class Variant:
    """One scenario of those that a file stands for.

    Attributes:
        name: of the scenario, and what of it is varied.
        values: what is varied, by its place.
        scenario: validated, with these values.
    """

    name: str
    values: Mapping[str, object]
    scenario: Scenario


def load_variants(path: Path) -> tuple[Variant, ...]:
    """Return all scenarios that a file stands for: every combination of what it varies, one where it varies nothing.

    Raises:
        ConfigError: with every fault found, each with its line; of a value that is tried, that of `vary`.
    """
    document = read_extended(path)
    asked = _scenario_of(document, path.parent).vary
    found = []
    for values in combinations(document, asked):
        scenario = _scenario_of(varied(document, values), path.parent).model_copy(update={"vary": {}})
        words = " ".join(f"{key}={value}" for key, value in values.items())
        found.append(Variant(f"{scenario.scenario} {words}".strip(), values, scenario))
    return tuple(found)


def _scenario_of(document: Document, directory: Path) -> Scenario:
    scenario = _with_files_found(read_section(document, Scenario, "scenario"), directory)
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
    return _on_top(read_extended(base, (*extending, path)), document)


def _on_top(base: Document, document: Document) -> Document:
    """Return a document with what another one has, whose lines are told with its name."""
    data = document.data if isinstance(document.data, Mapping) else {}
    own = {key: value for key, value in data.items() if key != "extends"}
    inherited = {where: line for where, line in base.lines.items() if where and not _is_replaced(where, own)}
    files = {where: base.files.get(where, base.file) for where in inherited}
    lines = {**inherited, **document.lines}
    kept = {where: file for where, file in files.items() if where not in document.lines}
    return Document(document.file, _joined(base.data, own), lines, (*base.faults, *document.faults), kept)


def _is_replaced(where: Where, own: object) -> bool:
    """Whether a place of the base is one that the file itself says all of."""
    for part in where:
        if not isinstance(own, Mapping):
            return True
        if part not in own:
            return False
        own = own[part]
    return False


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


def _traffic_known(scenario: Scenario) -> Iterator[tuple[Where, str, str]]:
    named: list[tuple[Where, str]] = [
        *((("spikes", i, "traffic"), spike.traffic) for i, spike in enumerate(scenario.spikes)),
        *((("failovers", i, "source"), one.source) for i, one in enumerate(scenario.failovers)),
        *((("failovers", i, "to"), one.to) for i, one in enumerate(scenario.failovers)),
        *((("faults", "telemetry", i, "traffic"), one.traffic) for i, one in enumerate(scenario.faults.telemetry)),
    ]
    for where, name in named:
        if name not in scenario.traffic:
            help_ = did_you_mean(name, scenario.traffic) or f"traffic: {', '.join(scenario.traffic) or 'none yet'}"
            yield where, f'{dotted(where)}: there is no traffic "{name}"', help_


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


CHECKS: Final[tuple[Check, ...]] = (
    _times_known,
    _priorities_known,
    _outages_known,
    _traffic_known,
    _traces_exist,
    _grace_allowed,
)
