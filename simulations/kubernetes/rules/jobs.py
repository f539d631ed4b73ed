"""Jobs: defaults, the labels and selector that the server makes, and which parts of the template may change when."""

import json
from copy import deepcopy

from simulations.kubernetes.failures import Cause, Json, invalid_value
from simulations.kubernetes.names import DNS_LABEL, label_value_faults
from simulations.kubernetes.objects import NEVER_CHANGES, Surroundings
from simulations.kubernetes.rules.base import Rules, setdefaults
from simulations.kubernetes.rules.pods import resource_causes
from simulations.kubernetes.rules.templates import fill_template

TEMPLATE_FIELDS = ("nodeSelector", "tolerations", "schedulingGates", "affinity")
LONGEST_POD_LABEL = 63


def fill(body: Json) -> None:
    """Fill in a Job's defaults."""
    spec = body.setdefault("spec", {})
    fill_template(spec.setdefault("template", {}))
    if not body["metadata"].get("labels") and (labels := spec["template"]["metadata"].get("labels")):
        body["metadata"]["labels"] = dict(labels)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    setdefaults(spec, parallelism=1, completionMode="NonIndexed", suspend=False, manualSelector=False)
    setdefaults(spec, backoffLimit=2**31 - 1 if spec.get("backoffLimitPerIndex") is not None else 6)
    if spec.get("podFailurePolicy"):
        setdefaults(spec, podReplacementPolicy="Failed")
    setdefaults(spec, podReplacementPolicy="TerminatingOrFailed")


def create(body: Json, around: Surroundings) -> None:
    """Give a new Job its selector and its template the labels that the selector asks for."""
    del around
    body["status"] = {}
    uid, name, spec = body["metadata"]["uid"], body["metadata"].get("name", ""), body["spec"]
    labels = spec["template"]["metadata"].setdefault("labels", {})
    labels |= {"batch.kubernetes.io/controller-uid": uid, "controller-uid": uid}
    labels |= {"batch.kubernetes.io/job-name": name, "job-name": name}
    body["metadata"]["labels"] = body["metadata"].get("labels") or dict(labels)
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def check(body: Json) -> list[Cause]:
    """Return what is wrong with a new Job."""
    name, spec = body["metadata"].get("name", ""), body["spec"]
    labels = spec["template"]["metadata"].get("labels") or {}
    causes = [
        invalid_value("spec.template.labels", f'"{each}"', fault)
        for each in (labels["batch.kubernetes.io/job-name"], labels["job-name"])
        for fault in label_value_faults(each)
    ]
    causes += resource_causes(spec["template"]["spec"], "spec.template.spec")
    return causes + _index_causes(name, spec)


def _index_causes(name: str, spec: Json) -> list[Cause]:
    """Return why the pods of an indexed Job could not be named."""
    if spec["completionMode"] != "Indexed" or not spec.get("completions"):
        return []
    pod = f"{name}-{spec['completions'] - 1}"
    if DNS_LABEL.match(pod) and len(pod) <= LONGEST_POD_LABEL:
        return []
    return [invalid_value("metadata.name", f'"{name}"', f"will not able to create pod with invalid DNS label: {pod}")]


def update(new: Json, old: Json) -> None:
    """Keep the status at an update of the object."""
    new["status"] = old.get("status", {})


def check_update(new: Json, old: Json) -> list[Cause]:
    """Return what a change of a Job breaks."""
    mine, theirs = new["spec"], old["spec"]
    causes: list[Cause] = []
    if mine.get("completions") != theirs.get("completions"):
        causes += _completion_causes(mine, theirs)
    causes += [
        invalid_value(f"spec.{word}", json.dumps(mine.get(word), separators=(",", ":")), NEVER_CHANGES)
        for word in ("selector", "completionMode", "managedBy", "backoffLimitPerIndex")
        if mine.get(word) != theirs.get(word)
    ]
    return causes + _template_causes(new, old)


def _completion_causes(mine: Json, theirs: Json) -> list[Cause]:
    """Completions of an indexed Job may change, in step with parallelism; those of another never."""
    shown = json.dumps(mine.get("completions"))
    if theirs["completionMode"] != "Indexed":
        return [invalid_value("spec.completions", shown, NEVER_CHANGES)]
    if mine.get("completions") != mine.get("parallelism"):
        return [invalid_value("spec.completions", shown, "can only be modified in tandem with spec.parallelism")]
    return []


def _template_causes(new: Json, old: Json) -> list[Cause]:
    """A template changes only while suspended and not started, and then only where a scheduler needs it."""
    mine, theirs = new["spec"]["template"], old["spec"]["template"]
    if mine == theirs:
        return []
    if not old["spec"]["suspend"] or (old.get("status") or {}).get("startTime"):
        return [invalid_value("spec.template", _shown(mine), NEVER_CHANGES)]
    munged = deepcopy(mine)
    munged["metadata"]["labels"] = theirs["metadata"].get("labels")
    munged["metadata"]["annotations"] = theirs["metadata"].get("annotations")
    for word in TEMPLATE_FIELDS:
        munged["spec"][word] = theirs["spec"].get(word)
    pairs = zip(munged["spec"].get("containers") or [], theirs["spec"].get("containers") or [], strict=False)
    for container, was in pairs:
        container["resources"] = was.get("resources")
    expected = deepcopy(theirs)
    expected["metadata"] |= {word: theirs["metadata"].get(word) for word in ("labels", "annotations")}
    expected["spec"] |= {word: theirs["spec"].get(word) for word in TEMPLATE_FIELDS}
    return [] if munged == expected else [invalid_value("spec.template.spec", _shown(mine["spec"]), NEVER_CHANGES)]


def _shown(template: Json) -> str:
    return json.dumps(template, separators=(",", ":"))


def check_status(new: Json, old: Json) -> list[Cause]:
    """Return what contradicts itself in a Job's status."""
    del old
    status = new.get("status") or {}
    causes = [
        invalid_value(f"status.{word}", str(status[word]), "must be greater than or equal to 0")
        for word in ("active", "succeeded", "failed", "ready", "terminating")
        if (status.get(word) or 0) < 0
    ]
    if (status.get("ready") or 0) > (status.get("active") or 0):
        why = "cannot set more ready pods than active"
        causes.append(invalid_value("status.ready", str(status["ready"]), why))
    return causes


JOBS = Rules(fill, create, update, check, check_update, check_status, metadata_checks=4)
