"""What a `cluster.yaml` that is read again must leave to the models that the store owns: their names, their traffic."""

from collections.abc import Collection, Iterator, Mapping

from scheduler.config.faults import fault_at
from scheduler.config.schema import Config
from scheduler.config.yaml_file import Document
from scheduler.model.errors import Fault

CODE = "OwnedByStore"


def ownership_faults(
    before: Config, after: Config, document: Document, owned: Collection[str], planned_by: Mapping[str, Collection[str]]
) -> Iterator[Fault]:
    """Yield a fault, with its line in `document`, for all that belongs to the store, or that it needs.

    Args:
        before: what counts now; a model that it names already was taken over by the store.
        after: what is to count.
        document: that `after` was read from.
        owned: models that were deployed while the control plane ran, removed ones too, but for those taken over.
        planned_by: traffic sources of the models that the store serves, by model.
    """
    known = {model.name for model in before.models}
    for index, model in enumerate(after.models):
        if model.name in owned and model.name not in known:
            message = f"{model.name} belongs to the store: it was deployed while the control plane ran"
            help_ = "leave it out of the file, and change it by headroom models deploy"
            yield fault_at(document, ("models", index, "name"), CODE, message, help_)
    for name, sources in planned_by.items():
        for source in sorted(set(sources) & before.traffic.keys() - after.traffic.keys()):
            message = f'{name}, which belongs to the store, is planned by the traffic source "{source}"'
            yield fault_at(document, ("traffic",), CODE, message, f"keep it, or headroom models remove {name} first")
