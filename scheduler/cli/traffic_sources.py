"""From the section `traffic:` of a configuration to the sources that the loop listens to."""

from collections.abc import Mapping

from records.fault import Say, nobody
from scheduler.config import schema
from scheduler.config.schema import Config
from scheduler.control.ports import TrafficSource
from scheduler.telemetry.calendars import holidays_in
from scheduler.telemetry.presets import query_of
from scheduler.telemetry.prometheus import PrometheusTraffic, at
from scheduler.telemetry.replay import ReplayTraffic


def sources_of(config: Config, say: Say = nobody) -> dict[str, TrafficSource]:
    """Return the traffic sources by name.

    Raises:
        ConfigError: a recorded file is missing or corrupt.
    """
    return {name: _source(section, say) for name, section in config.traffic.items()}


def sources_again(
    config: Config, before: Config, had: Mapping[str, TrafficSource], say: Say
) -> dict[str, TrafficSource]:
    """Return the traffic sources by name: of sections that are as before the same objects as were had.

    Raises:
        ConfigError: as `sources_of`.
    """
    return {
        name: had[name] if before.traffic.get(name) == section else _source(section, say)
        for name, section in config.traffic.items()
    }


def servers_of(config: Config) -> dict[str, str]:
    """Return the server of each traffic source that is read from one, for people."""
    return {name: at(each.url) for name, each in config.traffic.items() if isinstance(each, schema.PrometheusTraffic)}


def _source(section: schema.ReplayTraffic | schema.PrometheusTraffic, say: Say) -> TrafficSource:
    match section:
        case schema.ReplayTraffic():
            return ReplayTraffic.described(section, say)
        case schema.PrometheusTraffic():
            return PrometheusTraffic(
                section.url,
                section.query or query_of(section.preset, section.namespace, section.service),
                step_s=round(section.step),
                history_s=section.history,
                zone=section.zone,
                holidays=holidays_in(section.holidays),
            )
