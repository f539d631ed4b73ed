"""Imported models as the sections of `cluster.yaml` (what was assumed stands beside them), as rows, and as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.importing import Imported, LeftOut
from scheduler.backends.kubernetes.importing_services import Found
from scheduler.cli.table import Column, Table, cell
from scheduler.config.model import read_model
from scheduler.model.errors import ConfigError

HEAD: Final = "# Made by headroom models import; what is said in comments was assumed, or not taken over.\n"


@dataclass(frozen=True, slots=True)
class Measuring:
    """Where the requests of the models are counted: the address of a Prometheus, and a preset."""

    url: str
    preset: str

    def source(self, model: Found) -> dict[str, str]:
        """Return the traffic source of a model, as `cluster.yaml` writes it."""
        service = model.service.removesuffix("-predictor") if self.preset == "kserve" else model.service
        named = {"preset": self.preset, "namespace": model.namespace, "service": service}
        return {"kind": "prometheus", "url": self.url, **named}


def only_those_that_load(found: Imported) -> Imported:
    """Return the models that `cluster.yaml` takes; an annotation may say what it does not, for instance no duration."""
    models: list[Found] = []
    left = list(found.left_out)
    for model in found.models:
        try:
            read_model(_section(model))
            models.append(model)
        except ConfigError as error:
            left.append(LeftOut(model.what, "; ".join(fault.message for fault in error.faults)))
    return Imported(tuple(models), tuple(left))


def as_yaml(found: Imported, measuring: Measuring) -> str:
    """Return the sections `traffic:` and `models:`."""
    if not found.models:
        return f"{HEAD}traffic: {{}}\nmodels: []"
    sources = "\n".join(f"  {model.name}: {_flow(measuring.source(model))}" for model in found.models)
    return f"{HEAD}traffic:\n{sources}\nmodels:\n" + "\n".join(_model(model) for model in found.models)


def as_document(found: Imported, measuring: Measuring) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "apiVersion": "headroom/v1",
        "kind": "ModelImport",
        "traffic": {model.name: measuring.source(model) for model in found.models},
        "models": [_section(model) for model in found.models],
        "remarks": {model.name: list(model.remarks) for model in found.models if model.remarks},
        "leftOut": [{"what": left.what, "why": left.why} for left in found.left_out],
    }


def as_table(found: Imported) -> Table:
    """Return one row a model."""
    columns = (
        Column("MODEL"),
        Column("FROM", drop=2),
        Column("REPLICAS", right=True),
        Column("GPUS", right=True),
        Column("CPUS", right=True, drop=1),
        Column("MEMORY", right=True, drop=1),
        Column("CAPACITY", drop=3),
        Column("REMARKS"),
    )
    rows = tuple(_row(model) for model in found.models)
    return Table(columns, rows, tuple(model.name for model in found.models))


def _row(model: Found) -> tuple[Any, ...]:
    section, resources = model.section, model.section["resources"]
    replicas = f"{section['min_replicas']} – {section['max_replicas']}"
    amounts = (str(resources.get(key, "-")) for key in ("gpus", "cpus", "memory"))
    return (
        cell(model.name, "bold"),
        model.what,
        replicas,
        *amounts,
        _capacity(section["capacity"]),
        "; ".join(model.remarks) or "-",
    )


def _capacity(rule: Mapping[str, Any]) -> str:
    if rule["kind"] == "rate":
        return f"{rule['rps_per_replica']} requests/s"
    return f"{rule['concurrency']} at once of {rule['service_time']}"


def _section(model: Found) -> dict[str, Any]:
    return {"name": model.name, **model.section, "traffic": model.name}


def _model(model: Found) -> str:
    lines = [f"  # {model.what}", *(f"  # {remark}" for remark in model.remarks)]
    keys = [f"{key}: {_flow(value)}" for key, value in _section(model).items()]
    return "\n".join([*lines, f"  - {keys[0]}", *(f"    {line}" for line in keys[1:])])


def _flow(value: object) -> str:
    """Return a value on one line of YAML."""
    import yaml  # noqa: PLC0415  # only this output pays for it

    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**6)
    return text.removesuffix("\n").removesuffix("\n...")
