"""What must hold of traffic sources: files that are there, one query each, zones that are known."""

from collections.abc import Callable, Iterator
from typing import Final
from zoneinfo import ZoneInfo

from scheduler.config.files import files_of
from scheduler.config.schema import Config, PrometheusTraffic
from scheduler.config.yaml_file import Where


def _files_exist(config: Config) -> Iterator[tuple[Where, str, str]]:
    for name, source in config.traffic.items():
        for key, path in files_of(source).items():
            if not path.is_file():
                yield ("traffic", name, key), f"there is no file {path}", "paths are relative to this YAML file"


def _queries_given(config: Config) -> Iterator[tuple[Where, str, str]]:
    for name, source in config.traffic.items():
        if isinstance(source, PrometheusTraffic):
            for message, help_ in _query_of(source):
                yield ("traffic", name), f"traffic.{name}: {message}", help_


def _query_of(source: PrometheusTraffic) -> Iterator[tuple[str, str]]:
    named = [key for key in ("namespace", "service") if getattr(source, key)]
    if bool(source.query) == bool(source.preset):
        message = "has a query and a preset" if source.query else "has no query"
        yield message, 'query: "sum(rate(…[5m]))", or preset: istio with namespace: and service:'
    elif source.preset and len(named) < 2:  # noqa: PLR2004  # both
        yield f"the preset {source.preset} wants a namespace and a service", "namespace: …, service: …"
    elif source.query and named:
        yield f"{named[0]} goes with a preset, not with a query", f"leave {named[0]} out, or write it into the query"


def _zones_known(config: Config) -> Iterator[tuple[Where, str, str]]:
    for name, source in config.traffic.items():
        try:
            ZoneInfo(source.zone)
        except (ValueError, OSError, KeyError):  # a bad form, a directory, and a name that is not there
            yield ("traffic", name, "zone"), f'unknown time zone "{source.zone}"', "for instance Europe/Berlin or UTC"


TRAFFIC_CHECKS: Final[tuple[Callable[[Config], Iterator[tuple[Where, str, str]]], ...]] = (
    _files_exist,
    _zones_known,
    _queries_given,
)
