"""KServe as far as it decides how many pods there are: InferenceServices in Knative and in Standard mode."""

from dataclasses import dataclass
from datetime import datetime

from simulations.kubernetes.actors.acting import Json, attempt, condition, has_condition, with_condition
from simulations.kubernetes.actors.mirror import DEPLOYMENTS, INFERENCE_SERVICES, SERVICES, Sight, owner_reference
from simulations.kubernetes.rest import path_of

MODE = "serving.kserve.io/deploymentMode"
STANDARD = {"Standard", "RawDeployment"}
NAME = "serving.kserve.io/inferenceservice"
CLASS, EXTERNAL = "serving.kserve.io/autoscalerClass", "external"
SCALING = "autoscaling.knative.dev/"


@dataclass
class InferenceServiceController:
    """Makes a Knative Service or a Deployment of every InferenceService, and carries its state back."""

    def act(self, sight: Sight, now: datetime) -> None:
        """Bring every InferenceService one step further."""
        services = {_owner(each): each for each in sight.all(SERVICES)}
        deployments = {_owner(each): each for each in sight.all(DEPLOYMENTS)}
        for each in sight.all(INFERENCE_SERVICES):
            if "deletionTimestamp" in each["metadata"]:
                continue
            uid, standard = each["metadata"]["uid"], _annotations(each).get(MODE) in STANDARD
            if standard:
                self._standard(sight, each, deployments.get(uid), now)
            else:
                self._knative(sight, each, services.get(uid), now)

    def _standard(self, sight: Sight, each: Json, deployment: Json | None, now: datetime) -> None:
        wanted = deployment_of(each)
        if deployment is None:
            attempt(sight.rest.create, wanted)
            return
        template = wanted["spec"]["template"]
        if not _says(deployment["spec"]["template"], template):
            attempt(sight.rest.patch, path_of(deployment), {"spec": {"template": template}}, "strategic")
        ready = has_condition(deployment, "Available") and bool((deployment.get("status") or {}).get("readyReplicas"))
        _tell(sight, each, {}, now, ready=ready)

    def _knative(self, sight: Sight, each: Json, service: Json | None, now: datetime) -> None:
        wanted = service_of(each)
        if service is None:
            attempt(sight.rest.create, wanted)
            return
        if not _says(service["spec"], wanted["spec"]):
            attempt(sight.rest.patch, path_of(service), {"spec": wanted["spec"]})
        status = service.get("status") or {}
        names = {
            "latestCreatedRevision": status.get("latestCreatedRevisionName"),
            "latestReadyRevision": status.get("latestReadyRevisionName"),
            "latestRolledoutRevision": status.get("latestReadyRevisionName"),
        }
        _tell(
            sight,
            each,
            {word: name for word, name in names.items() if name},
            now,
            ready=has_condition(service, "Ready"),
        )


def _owner(body: Json) -> str:
    return next((str(each["uid"]) for each in body["metadata"].get("ownerReferences") or []), "")


def _annotations(body: Json) -> Json:
    found: Json = body["metadata"].get("annotations") or {}
    return found


def _says(have: object, wanted: object) -> bool:
    """Say whether all that is wanted is there already; what is there beside it does not matter."""
    if isinstance(wanted, dict) and isinstance(have, dict):
        return all(_says(have.get(word), value) for word, value in wanted.items())
    if isinstance(wanted, list) and isinstance(have, list):
        return len(wanted) == len(have) and all(_says(*pair) for pair in zip(have, wanted, strict=True))
    return have == wanted or not (have or wanted)


def _tell(sight: Sight, each: Json, names: Json, now: datetime, *, ready: bool) -> None:
    status = each.get("status") or {}
    conditions = list(status.get("conditions") or [])
    for kind in ("PredictorReady", "Ready"):
        conditions = with_condition(conditions, condition(kind, true=ready, now=now))
    predictor = (status.get("components") or {}).get("predictor") or {}
    told = {"conditions": conditions, "components": {"predictor": predictor | names}}
    if {word: status.get(word) for word in told} != told:
        attempt(sight.rest.patch, path_of(each, "status"), {"status": told})


def pod_spec_of(each: Json) -> Json:
    """Return the pod that serves an InferenceService's predictor."""
    predictor = each["spec"]["predictor"]
    kept = {
        word: value
        for word, value in predictor.items()
        if word
        not in {
            "model",
            "containers",
            "minReplicas",
            "maxReplicas",
            "scaleTarget",
            "scaleMetric",
            "canaryTrafficPercent",
        }
    }
    if "containers" in predictor:
        return kept | {"containers": predictor["containers"]}
    model = predictor.get("model") or {}
    container: Json = {"name": "kserve-container", "image": model.get("image", "example.org/kserve:0.17")}
    container |= {word: model[word] for word in ("resources", "env", "args", "command") if word in model}
    container |= {"args": [model["storageUri"]]} if "storageUri" in model and "args" not in container else {}
    return kept | {"containers": [container]}


def _labels(each: Json) -> Json:
    name = each["metadata"]["name"]
    return {NAME: name, "component": "predictor", **(each["metadata"].get("labels") or {})}


def _owned(each: Json, name: str, labels: Json) -> Json:
    namespace = each["metadata"]["namespace"]
    return {"name": name, "namespace": namespace, "labels": labels, "ownerReferences": [owner_reference(each)]}


def deployment_of(each: Json) -> Json:
    """Return the Deployment of Standard mode; who scales it from outside is not overruled later."""
    name = f"{each['metadata']['name']}-predictor"
    labels = {**_labels(each), "app": f"isvc.{name}"}
    replicas = each["spec"]["predictor"].get("minReplicas", 1)
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": labels["app"]}}, "strategy": rolling}
    template = {"metadata": {"labels": labels}, "spec": pod_spec_of(each)}
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _owned(each, name, labels)}
    return made | {"spec": spec | {"template": template}}


def service_of(each: Json) -> Json:
    """Return the Knative Service; the scaling bounds stand in its template, so that changing them rolls out anew."""
    predictor, name = each["spec"]["predictor"], f"{each['metadata']['name']}-predictor"
    annotations = {word: value for word, value in _annotations(each).items() if word.startswith(SCALING)}
    annotations |= {
        f"{SCALING}class": "kpa.autoscaling.knative.dev",
        f"{SCALING}min-scale": str(predictor.get("minReplicas", 1)),
    }
    if predictor.get("maxReplicas"):
        annotations[f"{SCALING}max-scale"] = str(predictor["maxReplicas"])
    template = {"metadata": {"labels": _labels(each), "annotations": annotations}, "spec": pod_spec_of(each)}
    made = {"apiVersion": "serving.knative.dev/v1", "kind": "Service"}
    return made | {"metadata": _owned(each, name, _labels(each)), "spec": {"template": template}}
