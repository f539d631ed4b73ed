"""Custom resource definitions: kinds that come and go, and the ones that the double ships with."""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from simulations.kubernetes.failures import Json
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.store import Store

SHIPPED = "data/crds"
READY = ".status.conditions[?(@.type=='Ready')].status"
# What `kubectl get` shows of the kinds whose definitions are kept without it: name, type, JSONPath.
COLUMNS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "rayjobs": (
        ("job status", "string", ".status.jobStatus"),
        ("deployment status", "string", ".status.jobDeploymentStatus"),
        ("ray cluster name", "string", ".status.rayClusterName"),
        ("start time", "string", ".status.startTime"),
        ("end time", "string", ".status.endTime"),
    ),
    "rayclusters": (
        ("desired workers", "integer", ".status.desiredWorkerReplicas"),
        ("available workers", "integer", ".status.availableWorkerReplicas"),
        ("status", "string", ".status.state"),
    ),
    "inferenceservices": (("URL", "string", ".status.url"), ("Ready", "string", READY)),
    "trainjobs": (("State", "string", ".status.conditions[-1:].type"),),
    "jobsets": (("TerminalState", "string", ".status.terminalState"), ("Suspended", "string", ".spec.suspend")),
}
AGE = {"name": "age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


@dataclass
class Definitions:
    """Serves what definitions define."""

    store: Store
    kinds: Kinds
    around: Surroundings

    def define(self, definition: Json) -> None:
        """Serve the kinds of a definition, one a served version."""
        for kind in kinds_of(definition):
            self.kinds.add(kind)

    def remove(self, definition: Json) -> None:
        """Delete all objects of a definition and stop serving it."""
        spec = definition["spec"]
        table = (spec["group"], spec["names"]["plural"])
        for entry in list(self.store.entries(table)):
            self.store.delete(table, entry.key, entry.object())
        self.kinds.remove(*table)

    def ship(self) -> None:
        """Serve the kinds that come with the double, as if their definitions had been created."""
        for name, (body, kinds) in shipped().items():
            fields = {"metadata.name": name, "metadata.namespace": ""}
            self.store.write(DEFINITIONS, ("", name), json.loads(body), fields)
            for kind in kinds:
                self.kinds.add(kind)


def kinds_of(definition: Json) -> list[Kind]:
    """Return the kinds that a definition defines."""
    spec = definition["spec"]
    names = spec["names"]
    return [
        Kind(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            namespaced=spec.get("scope", "Namespaced") == "Namespaced",
            subresources=tuple(version.get("subresources") or ()),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            singular=names.get("singular", ""),
            schema=(version.get("schema") or {}).get("openAPIV3Schema") or {},
            columns=tuple(version.get("additionalPrinterColumns") or ()),
        )
        for version in spec["versions"]
        if version.get("served", True)
    ]


@cache
def shipped() -> dict[str, tuple[str, tuple[Kind, ...]]]:
    """Return definitions, as JSON, and kinds that come with the double: KubeRay, KServe, Trainer, JobSet, Knative."""
    found = {}
    for path in sorted(files("simulations.kubernetes").joinpath(SHIPPED).iterdir(), key=lambda each: each.name):
        definition = _definition(json.loads(gzip.decompress(path.read_bytes())))
        kinds = tuple(kinds_of(definition))
        for version in definition["spec"]["versions"]:
            del version["schema"]
        found[definition["metadata"]["name"]] = json.dumps(definition), kinds
    return found


def _definition(packed: Json) -> Json:
    """Return a definition out of the shorter form in which it is kept."""
    group, plural = packed["group"], packed["plural"]
    names = {
        "plural": plural,
        "singular": packed["kind"].lower(),
        "kind": packed["kind"],
        "listKind": f"{packed['kind']}List",
    }
    names |= {word: packed[word] for word in ("shortNames", "categories") if word in packed}
    given = COLUMNS.get(plural, ())
    columns = [{"name": name, "type": kind, "jsonPath": where} for name, kind, where in given]
    shown = {"additionalPrinterColumns": [*columns, AGE]} if columns else {}
    versions = [
        {**version, **shown, "schema": {"openAPIV3Schema": {"type": "object", **version["schema"]}}}
        for version in packed["versions"]
    ]
    spec = {"group": group, "names": names, "scope": packed["scope"], "versions": versions}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "uid": f"{plural}.{group}",
            "creationTimestamp": "2026-08-01T00:00:00Z",
        },
        "spec": spec,
    }
