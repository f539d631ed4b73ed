"""What is served, for clients that ask first: versions, groups, resources, health."""

from itertools import groupby

from simulations.kubernetes.failures import Json, PlainRefusal
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.openapi import openapi
from simulations.kubernetes.requests import Answer, Request

VERSION = {
    "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35", "gitVersion": "v1.36.2+double", "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "2026-06-01T00:00:00Z", "goVersion": "go1.25", "compiler": "gc", "platform": "linux/amd64",
}  # fmt: skip
AGGREGATED = "as=APIGroupDiscoveryList"
AGGREGATED_TYPE = f"application/json;g=apidiscovery.k8s.io;v=v2;{AGGREGATED}"
HEALTH = {"/healthz", "/readyz", "/livez"}
VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]


def discovery(kinds: Kinds, request: Request) -> Answer:
    """Answer what names no resource."""
    path = request.path.rstrip("/")
    if path.startswith("/openapi/v3"):
        return Answer(200, openapi(kinds, path))
    if AGGREGATED in request.headers.get("accept", "") and path in {"/api", "/apis"}:
        return Answer(200, aggregated(kinds, core=path == "/api"), {"Content-Type": AGGREGATED_TYPE})
    if path in HEALTH:
        return Answer(200, b"ok", {"Content-Type": "text/plain; charset=utf-8"})
    if path == "/version":
        return Answer(200, VERSION)
    return Answer(200, _legacy(kinds, path))


def _legacy(kinds: Kinds, path: str) -> Json:
    """Return what older clients ask for, one document a group and version."""
    match path.split("/")[1:]:
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"]}
        case ["apis"]:
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups(kinds)}
        case ["api", version] if kinds.has_group("", version):
            return resource_list(kinds, "", version)
        case ["apis", group, version] if kinds.has_group(group, version):
            return resource_list(kinds, group, version)
    raise PlainRefusal(404, "404 page not found\n")


def _groups(kinds: Kinds) -> list[Json]:
    named = sorted({(kind.group, kind.version) for kind in kinds.all() if kind.group})
    groups = []
    for group, pairs in groupby(named, key=lambda pair: pair[0]):
        versions = [{"groupVersion": f"{group}/{version}", "version": version} for _, version in pairs]
        groups.append({"name": group, "versions": versions, "preferredVersion": versions[0]})
    return groups


def aggregated(kinds: Kinds, *, core: bool) -> Json:
    """Return all resources in one document, as newer clients ask for them."""
    groups: dict[str, dict[str, list[Kind]]] = {}
    for kind in sorted(kinds.all(), key=lambda each: (each.group, each.version, each.plural)):
        if (kind.group == "") == core:
            groups.setdefault(kind.group, {}).setdefault(kind.version, []).append(kind)
    items = [
        {"metadata": {"name": group} if group else {}, "versions": [_version(*each) for each in versions.items()]}
        for group, versions in groups.items()
    ]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _version(version: str, served: list[Kind]) -> Json:
    return {"version": version, "resources": [_resource(kind) for kind in served], "freshness": "Current"}


def _resource(kind: Kind) -> Json:
    shown: Json = {"resource": kind.plural, "responseKind": _response_kind(kind.kind)}
    shown |= {"scope": "Namespaced" if kind.namespaced else "Cluster", "singularResource": kind.single}
    shown["verbs"] = ["create"] if kind.virtual else VERBS
    if kind.short_names:
        shown["shortNames"] = list(kind.short_names)
    if kind.categories:
        shown["categories"] = list(kind.categories)
    if kind.subresources:
        shown["subresources"] = [_subresource(kind, sub) for sub in kind.subresources]
    return shown


def _response_kind(kind: str, group: str = "", version: str = "") -> Json:
    return {"group": group, "version": version, "kind": kind}


def _subresource(kind: Kind, sub: str) -> Json:
    entry = _below(kind, sub)
    named = _response_kind(entry["kind"], entry.get("group", ""), entry.get("version", ""))
    return {"subresource": sub, "responseKind": named, "verbs": entry["verbs"]}


def resource_list(kinds: Kinds, group: str, version: str) -> Json:
    """Return the resources of one group and version."""
    served = [kind for kind in kinds.all() if (kind.group, kind.version) == (group, version)]
    resources = [entry for kind in sorted(served, key=lambda kind: kind.plural) for entry in _entries(kind)]
    name = f"{group}/{version}" if group else version
    head = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    return head | {"groupVersion": name, "resources": resources}


def _entries(kind: Kind) -> list[Json]:
    entry: Json = {"name": kind.plural, "singularName": kind.single, "namespaced": kind.namespaced, "kind": kind.kind}
    entry["verbs"] = ["create"] if kind.virtual else VERBS
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return [entry, *(_below(kind, sub) for sub in kind.subresources)]


def _below(kind: Kind, sub: str) -> Json:
    entry: Json = {"name": f"{kind.plural}/{sub}", "singularName": "", "namespaced": kind.namespaced}
    if sub == "scale":
        entry |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    elif sub == "eviction":
        entry |= {"group": "policy", "version": "v1", "kind": "Eviction"}
    else:
        entry["kind"] = "Binding" if sub == "binding" else kind.kind
    entry["verbs"] = ["create"] if sub in {"binding", "eviction"} else ["get", "patch", "update"]
    return entry
