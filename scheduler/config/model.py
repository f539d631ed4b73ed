"""A model's file, or the same mapping from a request, to what may be deployed; one parser for client and server."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.config.checks import model_faults
from scheduler.config.faults import did_you_mean, fault_at, read_section
from scheduler.config.schema import Config, Model
from scheduler.config.wiring import served_of
from scheduler.config.yaml_file import Document, Where
from scheduler.control.models.draft import ModelDraft
from scheduler.model.errors import ConfigError, Fault

TOPIC: Final = "model"
"""What `headroom explain` calls such a file."""


def read_model(mapping: object, *, file: str = "", lines: Mapping[Where, int] | None = None) -> Model:
    """Return the section of a model.

    Raises:
        ConfigError: with all faults of single values, and of those that do not agree.
    """
    document = Document(file, mapping, lines or {})
    model = read_section(document, Model, TOPIC)
    if faults := [fault_at(document, where, "BadValue", said, help_) for where, said, help_ in model_faults(model)]:
        raise ConfigError(*faults)
    return model


def draft_of(model: Model, source: str) -> ModelDraft:
    """Return a section as it is kept."""
    return ModelDraft(model.name, model.model_dump_json(), served_of([model])[0], source)


@dataclass(frozen=True, slots=True)
class ModelForms:
    """What a site takes as a model.

    Attributes:
        traffic: names of its traffic sources.
    """

    traffic: Collection[str] = ()

    @classmethod
    def of(cls, config: Config) -> "ModelForms":
        """Return those of a configuration."""
        return cls(tuple(config.traffic))

    def draft(self, mapping: object, source: str = "") -> ModelDraft:
        """Return a model that may be deployed here; faults bear the fields of the mapping.

        Raises:
            ConfigError: with all faults.
        """
        model, document = read_model(mapping), Document("", mapping, {})
        if faults := [*self._unknown(model, document), *_of_the_file(model, document)]:
            raise ConfigError(*faults)
        return draft_of(model, source)

    def draft_again(self, body: str, source: str) -> ModelDraft:
        """Return a model that was kept, checked by what the site is now.

        Raises:
            ConfigError: it does not fit any more.
        """
        model = Model.model_validate_json(body, strict=False)
        if faults := list(self._unknown(model, Document("", model.model_dump(), {}))):
            raise ConfigError(*faults)
        return draft_of(model, source)

    def _unknown(self, model: Model, document: Document) -> Iterator[Fault]:
        known = f"sources: {', '.join(self.traffic) or 'none, see traffic: of cluster.yaml'}"
        for key, name in (("traffic", model.traffic), ("requests", model.requests)):
            if name and name not in self.traffic:
                help_ = f"{did_you_mean(name, self.traffic)} {known}".strip()
                yield fault_at(document, (key,), "BadValue", f'unknown traffic source "{name}"', help_)


def _of_the_file(model: Model, document: Document) -> Iterator[Fault]:
    """Yield a fault for a model that can only stand in cluster.yaml."""
    if model.workload is not None:
        message = f"{model.name} has a workload: its revisions are rolled out on the cluster itself"
        yield fault_at(document, ("workload",), "BadValue", message, "declare it in cluster.yaml, and headroom reload")
