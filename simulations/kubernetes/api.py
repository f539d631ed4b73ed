"""The API without a server around it: one request in, one answer out; a watch answers with what it is about."""

from dataclasses import dataclass, field
from typing import Any

from simulations.kubernetes import failures
from simulations.kubernetes.access import Access
from simulations.kubernetes.admitting.plugins import Admissions
from simulations.kubernetes.applying import applied, check_apply
from simulations.kubernetes.decoding import check_kind, decode, parse, read_body
from simulations.kubernetes.definitions import Definitions
from simulations.kubernetes.deleting import Deleter, check_options
from simulations.kubernetes.discovery import discovery
from simulations.kubernetes.failures import Json, PlainRefusal, Refused, bad_request
from simulations.kubernetes.faults import Faults
from simulations.kubernetes.items import Items, in_version
from simulations.kubernetes.kinds import Kind, Kinds
from simulations.kubernetes.listing import page, selection_of, too_large
from simulations.kubernetes.objects import Surroundings
from simulations.kubernetes.ownership import leaves_of
from simulations.kubernetes.patching import APPLY, check_form, check_name, patched, reread
from simulations.kubernetes.protobuf import MEDIA_TYPE, review_in
from simulations.kubernetes.pruning import shape_of
from simulations.kubernetes.representations import represent, represent_list, view_of
from simulations.kubernetes.requests import Answer, Request, Target, Write, target_of, verb_of
from simulations.kubernetes.reviews import review
from simulations.kubernetes.store import Entry, Store
from simulations.kubernetes.subresources import Subresources, rescale, scale_of
from simulations.kubernetes.watching import Watch, watch_of
from simulations.kubernetes.writing import Writer

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
NOT_ALLOWED = "the server does not allow this method on the requested resource"
NEGOTIABLE = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)


@dataclass
class Api:
    """The whole API on one store."""

    store: Store = field(default_factory=Store)
    kinds: Kinds = field(default_factory=Kinds)
    around: Surroundings = field(default_factory=Surroundings)
    access: Access = field(default_factory=Access)
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        self.access.store = self.store
        admission = Admissions(self.store, self.kinds, self.around)
        self.writer = Writer(self.store, self.around, admission)
        self.deleter = Deleter(self.store, self.around, admission)
        self.parts = Subresources(self.store, self.around, self.deleter)
        self.definitions = Definitions(self.store, self.kinds, self.around)

    def handle(self, request: Request) -> Answer | Watch:
        """Answer one request; whatever it is, an answer comes out."""
        with self.store.lock:
            try:
                return self._answer(request)
            except Refused as refused:
                return Answer(refused.code, refused.body(), refused.headers)
            except PlainRefusal as refused:
                headers = {"Content-Type": "text/plain; charset=utf-8", **refused.headers}
                return Answer(refused.code, refused.text.encode(), headers)

    def _answer(self, request: Request) -> Answer | Watch:
        user = self.access.user_of(request)
        self.faults.check(request, user)
        target = target_of(request.path)
        if target is None or not target.resource:
            self.access.check_path(user, request)
            return discovery(self.kinds, request)
        self.access.check(user, verb_of(request, target), target)
        kind = self._kind(target, request)
        if kind.virtual:
            return Answer(201, review(kind, asked_in(request, kind), user, self.access))
        if request.watches and not target.name:
            watch = watch_of(self.store, kind, target.namespace, request, self.around.now())
            watch.served = lambda: self.kinds.find(kind.group, kind.version, kind.plural) is not None
            return watch
        return self._of_kind(kind, target, request)

    def _kind(self, target: Target, request: Request) -> Kind:
        kind = self.kinds.find(target.group, target.version, target.resource)
        if kind is None:
            if self.kinds.is_built_in(target.group):
                raise failures.no_resource()
            raise PlainRefusal(404, "404 page not found\n")
        _check_accept(request)
        if target.subresource and target.subresource not in kind.subresources:
            raise failures.not_found(kind, target.name) if kind.custom else failures.no_resource()
        return kind

    def _of_kind(self, kind: Kind, target: Target, request: Request) -> Answer:
        if request.method not in METHODS or (not target.name and request.method in {"PUT", "PATCH"}):
            raise Refused(405, "MethodNotAllowed", NOT_ALLOWED, {})
        if not target.name:
            return self._collection(kind, target, request)
        if request.method == "POST":
            return self._below(kind, target, request)
        if target.subresource == "log":
            raise Refused(500, None, "no preferred addresses found; known addresses: []")
        one = {"GET": self._get, "PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}
        return one[request.method](kind, target, request)

    def _collection(self, kind: Kind, target: Target, request: Request) -> Answer:
        if request.method == "GET":
            return self._list(kind, target, request)
        if request.method == "DELETE":
            return self._delete_collection(kind, target, request)
        if kind.namespaced and not target.namespace:
            raise Refused(405, "MethodNotAllowed", NOT_ALLOWED, {})
        body = read_body(request, kind)
        check_kind(kind, body)
        body, told = decode(kind, body, request.query.get("fieldValidation", ""))
        created, warned = self.writer.create(Write(kind, request), target.namespace, body)
        self._redefine(kind, created, request)
        return Answer(201, created, warnings=told + warned)

    def _redefine(self, kind: Kind, body: Json, request: Request) -> None:
        if kind.plural == "customresourcedefinitions" and not request.query.get("dryRun"):
            self.definitions.define(body)

    def _list(self, kind: Kind, target: Target, request: Request) -> Answer:
        found = page(self.store, kind, target.namespace, request)
        metadata: Json = {"resourceVersion": str(found.revision)}
        if found.token:
            metadata["continue"] = found.token
        if found.remaining is not None:
            metadata["remainingItemCount"] = found.remaining
        items = Items(kind, metadata, found.entries)
        view = view_of(kind, request, self.around.now())
        return Answer(200, represent_list(view, items.objects(), metadata) if view.form else items)

    def _delete_collection(self, kind: Kind, target: Target, request: Request) -> Answer:
        found = page(self.store, kind, target.namespace, request)
        options = parse(request) if request.body else {}
        deleted = Items(kind, {"resourceVersion": str(self.store.revision)}, found.entries)
        for entry in found.entries:
            self.deleter.delete(kind, entry, options, request)
        return Answer(200, deleted)

    def _entry(self, kind: Kind, target: Target) -> Entry:
        namespace = target.namespace if kind.namespaced else ""
        entry = self.store.get(kind.table, (namespace, target.name))
        if entry is None:
            raise failures.not_found(kind, target.name)
        return entry

    def _get(self, kind: Kind, target: Target, request: Request) -> Answer:
        selection_of(kind, request)
        version = request.query.get("resourceVersion", "")
        if version and int(version) > self.store.revision:
            raise too_large(int(version), self.store.revision)
        entry = self._entry(kind, target)
        if target.subresource == "scale":
            return Answer(200, scale_of(entry.object()))
        view = view_of(kind, request, self.around.now())
        return Answer(200, represent(view, in_version(kind, entry.object())))

    def _below(self, kind: Kind, target: Target, request: Request) -> Answer:
        """Answer a POST below an object."""
        if target.subresource not in {"binding", "eviction"}:
            raise Refused(405, "MethodNotAllowed", NOT_ALLOWED, {})
        body = parse(request)
        if target.subresource == "eviction":
            return self.parts.evict(kind, self._entry(kind, target), body, request)
        return self.parts.bind(kind, self._entry(kind, target), body)

    def _put(self, kind: Kind, target: Target, request: Request) -> Answer:
        if target.subresource == "scale":
            return self._scale(kind, target, request, lambda _: parse(request))
        body = read_body(request, kind)
        check_kind(kind, body)
        body, told = decode(kind, body, request.query.get("fieldValidation", ""))
        name = (body.get("metadata") or {}).get("name", target.name)
        if name != target.name:
            raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({target.name})")
        namespace = target.namespace if kind.namespaced else ""
        if kind.creates_on_update and self.store.get(kind.table, (namespace, target.name)) is None:
            body["metadata"].pop("uid", None)
            created, warned = self.writer.create(Write(kind, request), target.namespace, body)
            return Answer(201, created, warnings=told + warned)
        entry = self._entry(kind, target)
        return Answer(200, self.writer.update(Write(kind, request, target.subresource), entry, body), warnings=told)

    def _patch(self, kind: Kind, target: Target, request: Request) -> Answer:
        check_form(kind, request)
        if request.content_type == APPLY:
            return self._apply(kind, target, request)
        entry = self._entry(kind, target)
        if target.subresource == "scale":
            return self._scale(kind, target, request, lambda scale: patched(kind, scale, request)[0])
        new, told = patched(kind, in_version(kind, entry.object()), request)
        written = self.writer.update(Write(kind, request, target.subresource, by_patch=True), entry, new)
        self._redefine(kind, written, request)
        return Answer(200, in_version(kind, written), warnings=told)

    def _apply(self, kind: Kind, target: Target, request: Request) -> Answer:
        """Apply: create what is not there, else take what nobody else owns."""
        body = parse(request)
        check_apply(request, body)
        check_kind(kind, body)
        body.setdefault("metadata", {}).setdefault("name", target.name)
        check_name(body, target.name)
        body, told = reread(kind, body, request)
        found = self.store.get(kind.table, (target.namespace if kind.namespaced else "", target.name))
        if found is None:
            write = Write(kind, request, applied=frozenset(leaves_of(shape_of(kind), body, ("status",))))
            created, warned = self.writer.create(write, target.namespace, body)
            return Answer(201, created, warnings=told + warned)
        new, owned = applied(kind, found.object(), body, request, target.subresource)
        write = Write(kind, request, target.subresource, by_patch=True, applied=owned)
        return Answer(200, self.writer.update(write, found, new), warnings=told)

    def _scale(self, kind: Kind, target: Target, request: Request, change: Any) -> Answer:
        entry = self._entry(kind, target)
        new = rescale(entry.object(), change)
        return Answer(200, scale_of(self.writer.update(Write(kind, request, by_patch=True), entry, new)))

    def _delete(self, kind: Kind, target: Target, request: Request) -> Answer:
        options = parse(request) if request.body else {}
        for word in ("propagationPolicy", "gracePeriodSeconds"):
            if word in request.query:
                value = request.query[word]
                options[word] = int(value) if value.lstrip("-").isdigit() else value
        check_options(options)
        entry = self._entry(kind, target)
        answer = self.deleter.delete(kind, entry, options, request)
        if kind.plural == "customresourcedefinitions":
            self.definitions.remove(entry.object())
        return answer


def asked_in(request: Request, kind: Kind) -> Json:
    """Return a review as it was asked for: kubectl sends it in protobuf only."""
    return review_in(request.body) if request.content_type == MEDIA_TYPE else read_body(request, kind)


def _check_accept(request: Request) -> None:
    accept = request.headers.get("accept", "*/*") or "*/*"
    if not any(word in accept for word in ("json", "*/*", "application/*", "yaml")):
        raise Refused(406, "NotAcceptable", NEGOTIABLE, {})
