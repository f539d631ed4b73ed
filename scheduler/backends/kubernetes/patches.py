"""Every patch that is written to the cluster: each tests what it goes by, and none is a wish.

A failing test is a 422 without causes, which cannot be told from a missing path: so all paths are known to be there.
"""

from collections.abc import Mapping
from typing import Any, Final

from scheduler.backends.kubernetes.asking import Template
from scheduler.backends.kubernetes.marks import GATE, GAVE_UP, SLOTS, STORE, WORKERS, Marks
from scheduler.backends.kubernetes.nodes import HOSTNAME
from scheduler.backends.kubernetes.objects import TrainingObject, asked_of, uid_label
from scheduler.backends.kubernetes.parts import train_patch
from scheduler.backends.kubernetes.pods import Pod

Patch = list[dict[str, Any]]
MOST_SAID: Final = 1000
"""Characters of a reason that is written down."""


def start(seen: TrainingObject, marks: Marks) -> Patch:
    """Return the patch that starts an attempt, if the object is still as it was seen."""
    patch = [
        _test("/metadata/uid", seen.uid),
        _test("/metadata/generation", seen.generation),
        _test("/spec/suspend", value=True),
        *_annotate(seen, {**marks.as_annotations(), **_size_note(seen, len(marks.slots))}),
        *_without(seen, GAVE_UP),
    ]
    for template in asked_of(seen).templates:
        patch += _gate(template, uid_label(seen))
    if seen.kind.name == "TrainJob":
        patch.append(_add("/spec/runtimePatches", [train_patch(uid_label(seen), GATE)]))
    patch += _sizes(seen, len(marks.slots))
    if seen.replaces_early:
        patch.append(_add("/spec/podReplacementPolicy", "Failed"))
    return [*patch, _replace("/spec/suspend", value=False)]


def suspend(seen: TrainingObject, gave_up: str = "") -> Patch:
    """Return the patch that tells an attempt to stop; with the reason when it is given up."""
    said = _annotate(seen, {GAVE_UP: gave_up[:MOST_SAID]}) if gave_up else []
    return [_test("/metadata/uid", seen.uid), _test("/spec/suspend", value=False), *said, _suspended()]


def forget(seen: TrainingObject) -> Patch:
    """Return the patch that takes an ended attempt off its object."""
    return [_test("/metadata/uid", seen.uid), *_without(seen, SLOTS), *_without(seen, GAVE_UP)]


def adopt(seen: TrainingObject, store: str) -> Patch:
    """Return the patch that makes an attempt ours."""
    return [_test("/metadata/uid", seen.uid), *_annotate(seen, {STORE: store})]


def annotate(seen: TrainingObject, said: Mapping[str, str]) -> Patch:
    """Return the patch that writes annotations."""
    return [_test("/metadata/uid", seen.uid), *_annotate(seen, said)]


def pin(pod: Pod, hostname: str, said: Mapping[str, str]) -> Patch:
    """Return the patch that pins a pod to a host, tells it of its attempt and opens our gate.

    What is added to a selector is always allowed.
    """
    at = pod.gates.index(GATE)
    selector: Any = {HOSTNAME: hostname}
    where = _add(f"/spec/nodeSelector/{_escaped(HOSTNAME)}", hostname) if pod.node_selector else None
    return [
        _test("/metadata/uid", pod.uid),
        _test(f"/spec/schedulingGates/{at}/name", GATE),
        where or _add("/spec/nodeSelector", selector),
        *_annotate(pod, said),
        {"op": "remove", "path": f"/spec/schedulingGates/{at}"},
    ]


def _gate(template: Template, label: Mapping[str, str]) -> Patch:
    if not template.path:
        return []
    return [*_label(template, label), *_gates(template)]


def _label(template: Template, label: Mapping[str, str]) -> Patch:
    if template.is_labelled:
        return []
    if not template.has_metadata:
        return [_add(f"{template.path}/metadata", {"labels": dict(label)})]
    if not template.has_labels:
        return [_add(f"{template.path}/metadata/labels", dict(label))]
    return [_add(f"{template.path}/metadata/labels/{_escaped(key)}", value) for key, value in label.items()]


def _gates(template: Template) -> Patch:
    if template.is_gated:
        return []
    gate = {"name": GATE}
    if template.has_gates:
        return [_add(f"{template.path}/spec/schedulingGates/-", gate)]
    return [_add(f"{template.path}/spec/schedulingGates", [gate])]


def _sizes(seen: TrainingObject, workers: int) -> Patch:
    asking = asked_of(seen)
    return [_add(path, workers) for path in asking.size_paths] if asking.standing != workers else []


def _size_note(seen: TrainingObject, workers: int) -> dict[str, str]:
    """Return what tells later how many workers were asked for, where it is started with fewer."""
    asking = asked_of(seen)
    is_noted = WORKERS in seen.annotations or workers != asking.workers
    return {WORKERS: f"{asking.workers} {workers}"} if is_noted else {}


def _annotate(seen: TrainingObject | Pod, said: Mapping[str, str]) -> Patch:
    if not seen.has_annotations:
        return [_add("/metadata/annotations", dict(said))]
    return [_add(f"/metadata/annotations/{_escaped(key)}", text) for key, text in sorted(said.items())]


def _without(seen: TrainingObject, key: str) -> Patch:
    there = key in seen.annotations
    return [{"op": "remove", "path": f"/metadata/annotations/{_escaped(key)}"}] if there else []


def _suspended() -> dict[str, Any]:
    return _replace("/spec/suspend", value=True)


def _test(path: str, value: Any) -> dict[str, Any]:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": path, "value": value}


def _replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


def _escaped(key: str) -> str:
    """Return a key as part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
