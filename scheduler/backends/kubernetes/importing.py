"""From the services of a cluster to models that `cluster.yaml` takes: objects in, sections and sentences out."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from scheduler.backends.kubernetes.importing_capacity import Assumed
from scheduler.backends.kubernetes.importing_services import (
    MODEL_LABEL,
    Found,
    NotImported,
    deployment_found,
    service_found,
)

Object = Mapping[str, Any]

NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
UNREAD: Final = frozenset({"LLMInferenceService", "InferenceGraph", "TrainedModel"})
"""Kinds that serve, and of which no model is made."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An object of which no model was made.

    Attributes:
        what: kind, namespace and name.
        why: a sentence.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import comes to: models with their traffic in the order of their names, and what was left out."""

    models: tuple[Found, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def imported(objects: Iterable[Object], assumed: Assumed | None = None) -> Imported:
    """Return the models that InferenceServices and labelled Deployments among objects make.

    Args:
        objects: of the API, lists among them; other kinds than those that serve or scale are passed over.
        assumed: what is written where they do not say it.
    """
    every = list(_unfolded(objects))
    scaled, terms = _scaled(every), assumed or Assumed()
    found: list[Found] = []
    left: list[LeftOut] = []
    for one in every:
        try:
            found += [model for model in (_found(one, scaled, terms),) if model]
        except NotImported as reason:
            left.append(LeftOut(what(one), str(reason)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what no API server would have taken
            left.append(LeftOut(what(one), f"it is not what its kind looks like: {error}"))
    named, unnamed = _named(found)
    return Imported(tuple(sorted(named, key=lambda model: model.name)), (*left, *unnamed))


def what(found: Object) -> str:
    """Return what an object is called by people."""
    metadata: Any = found.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return f"{found.get('kind', '?')} {metadata.get('namespace', 'default')}/{metadata.get('name', '?')}"


def _found(one: Object, scaled: Mapping[tuple[str, str, str], str], assumed: Assumed) -> Found | None:
    kind, metadata = one.get("kind"), one.get("metadata") or {}
    if kind == "InferenceService":
        return service_found(one, assumed)
    if kind in UNREAD:
        raise NotImported(f"models are not made of {kind}; its pods count as other work")
    if kind == "Deployment" and MODEL_LABEL in (metadata.get("labels") or {}):
        key = (kind, metadata.get("namespace", "default"), metadata["name"])
        return deployment_found(one, scaled.get(key, ""), assumed)
    return None


def _unfolded(objects: Iterable[Object]) -> Iterable[Object]:
    for one in objects:
        if str(one.get("kind", "")).endswith("List") and isinstance(one.get("items"), list):
            kind = str(one["kind"]).removesuffix("List")
            yield from _unfolded({"kind": kind, **item} if kind else item for item in one["items"])
        else:
            yield one


def _scaled(objects: Iterable[Object]) -> dict[tuple[str, str, str], str]:
    """Return by what each workload (kind, namespace, name) is scaled, as far as that is among the objects."""
    return {
        (target.get("kind", "Deployment"), one["metadata"].get("namespace", "default"), target.get("name", "")): what(
            one
        )
        for one in objects
        if one.get("kind") in {"HorizontalPodAutoscaler", "ScaledObject"}
        for target in (one.get("spec", {}).get("scaleTargetRef") or {},)
    }


def _named(found: Iterable[Found]) -> tuple[list[Found], list[LeftOut]]:
    """Return models by names of their own: one that two have gets the namespace before it."""
    models = list(found)
    times = Counter(model.name for model in models)
    fuller = [
        replace(model, name=f"{model.namespace}-{model.name}") if times[model.name] > 1 else model for model in models
    ]
    again = Counter(model.name for model in fuller)
    good = [model for model in fuller if NAME.fullmatch(model.name) and again[model.name] == 1]
    bad = [model for model in fuller if model not in good]
    return good, [LeftOut(model.what, f'"{model.name}" is no name that only one model can have') for model in bad]
