"""Reads `cluster.yaml` again while a control plane runs: all of it counts from the next turn on, or nothing does."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Final

from records.fault import Say
from scheduler.cli.composition.people import DECLARED_IN, drafts_of, site_limits_of
from scheduler.cli.traffic_sources import servers_of, sources_again
from scheduler.config.differing import Difference, differences
from scheduler.config.fixed import fixed_faults
from scheduler.config.ownership import ownership_faults
from scheduler.config.schema import Config
from scheduler.config.wiring import policy_of, retention_of, served_from, served_of, settings_of
from scheduler.config.yaml_file import Document
from scheduler.control.cycle import Cycle
from scheduler.control.models.roster import numbers_of
from scheduler.control.ports import TrafficSource
from scheduler.control.records import EventKind, EventRecord
from scheduler.control.service.configured import Configured, NextConfiguration
from scheduler.control.service.people import Person
from scheduler.control.service.service import ControlService
from scheduler.control.upkeep.pruning import Pruner
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, HeadroomError

SUBJECT: Final = "configuration"
"""Whom its events are about."""
Read = Callable[[], tuple[Config, Document]]
"""Reads the file, with all checks of a start and with the flags of the command line."""
Prepare = Callable[[Config], Callable[[], None]]
"""Makes ready for another configuration, and returns what has it count; that must not fail."""


@dataclass(slots=True)
class Reloader:
    """Has the file count again. Thread-safe.

    Attributes:
        read: see `Read`.
        config: what counts, or will from the next turn on.
        sources: of its traffic.
        cycle: the loop, which takes up what `following` holds.
        following: what is to count from the next turn on.
        service: what people may ask.
        pruner: drops what is over and old.
        poke: ends a pause of the loop.
        say: is told what was assumed of recorded files.
        prepare: others that go by the configuration.
    """

    read: Read
    config: Config
    sources: Mapping[str, TrafficSource]
    cycle: Cycle
    following: NextConfiguration
    service: ControlService
    pruner: Pruner
    poke: Event
    say: Say
    prepare: list[Prepare] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def reload(self, by: Person, *, dry_run: bool = False) -> tuple[Difference, ...]:
        """Read the file again; return what is otherwise in it, which counts from the next turn on.

        Args:
            by: who asks.
            dry_run: change nothing.

        Raises:
            ConfigError: with all that is wrong, or cannot change now, each with its line; nothing was changed.
            Unreachable: the store does not answer; nothing was changed.
        """
        with self._lock:
            config, document = self.read()
            self._refuse(config, document)
            ready = self._made_ready(config)
            with self.cycle.gate:
                self._refuse(config, document)  # a model may have been deployed meanwhile
                found = self._differences(config)
                if found and not dry_run:
                    self._go_over(config, ready, found, by)
        return found

    def reload_on_signal(self) -> str:
        """Read the file again because a signal came; return what is to be said of it. What is wrong is an event."""
        try:
            found = self.reload(Person("SIGHUP"))
        except HeadroomError as error:
            self._tell(EventKind.FAILURE, "the file of the control plane is refused; all stays as it is", str(error))
            return f"cluster.yaml is refused, all stays as it is: {error}"
        return "; ".join(map(str, found)) or "cluster.yaml is as it was"

    def _refuse(self, config: Config, document: Document) -> None:
        store, read = self.service.store, served_from
        owned, planned_by, stored = set[str](), dict[str, set[str]](), store.models()
        for record in stored:
            if store.revision(record.name, 1).source != DECLARED_IN:
                owned.add(record.name)
            if record.is_there:
                revisions = [read(store.revision(record.name, number).body) for number in numbers_of(record)]
                planned_by[record.name] = {name for one in revisions for name in (one.source, one.own_source) if name}
        ours = ownership_faults(self.config, config, document, owned, planned_by)
        fixed = fixed_faults(self.config, config, document, [record.name for record in stored])
        if faults := (*fixed, *ours):
            raise ConfigError(*faults)

    def _differences(self, config: Config) -> tuple[Difference, ...]:
        queued = Counter(job.spec.queue for job in self.service.jobs())
        stored = frozenset(record.name for record in self.service.models.all())
        return differences(self.config, config, queued=queued, stored=stored)

    def _made_ready(self, config: Config) -> tuple[Configured, Callable[[], None]]:
        """Return what the loop is told, and what has all others go by it: all that may fail is done here."""
        configured = configured_by(config, sources_again(config, self.config, self.sources, self.say))
        others, rules = [prepare(config) for prepare in self.prepare], retention_of(config.retention)

        def count() -> None:
            self.service.go_by(configured.limits, configured.policy)
            self.pruner.rules = rules
            for renew in others:
                renew()

        return configured, count

    def _go_over(
        self, config: Config, ready: tuple[Configured, Callable[[], None]], found: tuple[Difference, ...], by: Person
    ) -> None:
        """Have it count from the next turn on; once it is told, nothing can fail."""
        title = f"cluster.yaml was read again: {plural(len(found), 'change')}"
        self._tell(EventKind.CONTROL, title, "; ".join(map(str, found)), by.name)
        self.service.own(drafts_of(config))
        self.following.offer(*ready)
        self.config, self.sources = config, ready[0].sources
        self.poke.set()

    def _tell(self, kind: EventKind, title: str, detail: str, actor: str = "") -> None:
        report = self.service.board.report
        number = report.cycle.number if report else 0
        event = EventRecord(self.cycle.clock.now_s(), number, kind, SUBJECT, title, detail, actor=actor)
        self.service.store.record(event)


def configured_by(config: Config, sources: Mapping[str, TrafficSource]) -> Configured:
    """Return what the loop is told by a configuration."""
    return Configured(
        served_of(config.models),
        sources,
        servers_of(config),
        policy_of(config.policy, config.queues),
        settings_of(config.control, config.policy, config.queues),
        site_limits_of(config),
    )
