"""One InferenceService, or one Deployment with our label, as a model: what it says, and what had to be assumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.importing_capacity import Assumed, rule_of
from scheduler.backends.kubernetes.importing_resources import asked_by
from scheduler.backends.kubernetes.serving_objects import LEAST_SCALE, MODE, SCALER, STANDARD_MODES
from scheduler.backends.kubernetes.serving_workloads import EXTERNAL

Object = Mapping[str, Any]

MODEL_LABEL: Final = "headroom/model"
"""On a Deployment: it serves a model of this name."""
WARM_UP, COMMUNITY, MOST = "headroom/warm-up", "headroom/community", "headroom/max-replicas"
STOPPED: Final = "serving.kserve.io/stop"
MOST_SCALE: Final = "autoscaling.knative.dev/max-scale"
FRAMEWORKS: Final = (
    "model", "sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm",
    "paddle",
)  # fmt: skip
"""Keys of a predictor that hold a container by its framework."""


class NotImported(Exception):
    """No model is made of an object, for this reason."""


@dataclass(frozen=True, slots=True)
class Found:
    """A model made of an object.

    Attributes:
        name: of the model.
        namespace: of the object.
        what: kind, namespace and name of the object.
        section: the model as `cluster.yaml` writes it, but for its name and traffic.
        service: what its requests are for, in the namespace.
        remarks: sentences about what was assumed or not taken over.
    """

    name: str
    namespace: str
    what: str
    section: Mapping[str, Any]
    service: str
    remarks: tuple[str, ...] = ()


def service_found(one: Object, assumed: Assumed) -> Found:
    """Return the model of an InferenceService.

    Raises:
        NotImported: it is stopped, runs several pods a replica, or does not say what a pod is.
    """
    metadata, spec = one["metadata"], one.get("spec") or {}
    predictor = spec.get("predictor") or {}
    annotations = {**(metadata.get("annotations") or {}), **(predictor.get("annotations") or {})}
    _refuse(one, predictor, annotations)
    rule = rule_of(predictor, annotations, assumed)
    bounds, unbounded = _replicas(predictor, annotations)
    asked = asked_by(predictor, _containers(predictor))
    parts = {"resources": asked.resources, "capacity": rule.section, **bounds}
    watched = _watched(one, annotations)
    beside = [part for part in ("transformer", "explainer") if spec.get(part)]
    return Found(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        what=f"InferenceService {metadata.get('namespace', 'default')}/{metadata['name']}",
        section=_section(one, annotations, parts, assumed, watched),
        service=f"{metadata['name']}-predictor",
        remarks=(
            *watched,
            *asked.remarks,
            *rule.remarks,
            *unbounded,
            *_warm_up_remarks(annotations, assumed),
            *(f"its {part} is not part of the model: its pods count as other work" for part in beside),
        ),
    )


def deployment_found(one: Object, scaler: str, assumed: Assumed) -> Found:
    """Return the model of a Deployment with our label; `scaler` is the autoscaler that scales it, if one does."""
    metadata, spec = one["metadata"], one.get("spec") or {}
    annotations, pod = metadata.get("annotations") or {}, spec.get("template", {}).get("spec") or {}
    rule, asked = rule_of({}, annotations, assumed), asked_by(pod, pod.get("containers") or ())
    count = spec.get("replicas", 1)
    most = int(annotations.get(MOST, 0)) or max(count, 1)
    parts = {"resources": asked.resources, "capacity": rule.section, **_bounds(min(count, 1), most)}
    watched = (f"{scaler} scales it: Headroom only watches",) if scaler else ()
    remarks = [] if MOST in annotations else [f"max_replicas {most} is what it has now: it has no {MOST}"]
    return Found(
        name=metadata["labels"][MODEL_LABEL],
        namespace=metadata.get("namespace", "default"),
        what=f"Deployment {metadata.get('namespace', 'default')}/{metadata['name']}",
        section=_section(one, annotations, parts, assumed, watched),
        service=metadata["name"],
        remarks=(
            *watched,
            *asked.remarks,
            *rule.remarks,
            *remarks,
            *_warm_up_remarks(annotations, assumed),
        ),
    )


def _refuse(one: Object, predictor: Object, annotations: Mapping[str, str]) -> None:
    if annotations.get(STOPPED) == "true":
        raise NotImported(f"it is stopped ({STOPPED})")
    if _mode(one, annotations) == "ModelMesh":
        raise NotImported("ModelMesh puts several models into one pod")
    if predictor.get("workerSpec"):
        raise NotImported("a replica is several pods (workerSpec); they count as other work")
    if not _containers(predictor):
        raise NotImported("its predictor has neither a model nor containers")


def _containers(predictor: Object) -> Sequence[Object]:
    """Return its containers: those of the framework first, and those written out beside it."""
    named = [predictor[key] for key in FRAMEWORKS if isinstance(predictor.get(key), Mapping)]
    return [*named, *(predictor.get("containers") or ())]


def _replicas(predictor: Object, annotations: Mapping[str, str]) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """Return the section's bounds, and what is to be said of them."""
    least = _count(predictor.get("minReplicas"), annotations.get(LEAST_SCALE), 1)
    most = _count(predictor.get("maxReplicas"), annotations.get(MOST_SCALE), 0)
    section = _bounds(least, most or max(least, 1))
    said = (f"max_replicas {section['max_replicas']} is written: it has no limit",) if not most else ()
    return section, said


def _bounds(least: int, most: int) -> Mapping[str, int]:
    return {"min_replicas": min(least, most), "max_replicas": max(most, 1)}


def _count(said: object, annotated: str | None, otherwise: int) -> int:
    text = str(said if said is not None else annotated)
    return int(text) if text.isdigit() else otherwise


def _section(
    one: Object, annotations: Mapping[str, str], parts: Object, assumed: Assumed, watched: Sequence[str]
) -> dict[str, Any]:
    metadata = one["metadata"]
    namespace = metadata.get("namespace", "default")
    return {
        "owner": namespace,
        **({"community": True} if annotations.get(COMMUNITY) == "true" else {}),
        **parts,
        "warm_up": annotations.get(WARM_UP, assumed.warm_up),
        "workload": {"kind": one["kind"], "namespace": namespace, "name": metadata["name"]},
        **({"served_elsewhere": True} if watched else {}),
    }


def _watched(one: Object, annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return why Headroom will only watch a service of KServe, if it will."""
    scaler = annotations.get(SCALER) or "hpa"
    if _mode(one, annotations) not in STANDARD_MODES or scaler == EXTERNAL:
        return ()
    return (f"its autoscalerClass is {scaler}: Headroom only watches; with {SCALER}: {EXTERNAL} it scales it",)


def _mode(one: Object, annotations: Mapping[str, str]) -> str:
    return str(annotations.get(MODE) or (one.get("status") or {}).get("deploymentMode", ""))


def _warm_up_remarks(annotations: Mapping[str, str], assumed: Assumed) -> tuple[str, ...]:
    return () if WARM_UP in annotations else (f"warm_up {assumed.warm_up} is assumed",)
