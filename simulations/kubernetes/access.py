"""Who may do what: users by bearer token, Roles and ClusterRoles; 403 before 404, 401 for a token nobody knows."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from simulations.kubernetes.failures import Json, Refused
from simulations.kubernetes.requests import Request, Target
from simulations.kubernetes.store import Store

ADMIN = "system:admin"
ANONYMOUS = "system:anonymous"
GROUP = "rbac.authorization.k8s.io"
OPEN_PATHS = ("/version", "/healthz", "/readyz", "/livez", "/api", "/apis", "/openapi")


@dataclass
class Access:
    """Users and their rights. Without tokens everybody is an administrator."""

    tokens: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    store: Store = field(default_factory=Store)

    def user_of(self, request: Request) -> str:
        """Return who asks."""
        if not self.tokens:
            return ADMIN
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer":
            return ANONYMOUS
        if token not in self.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")
        return self.tokens[token]

    def groups_of(self, user: str) -> tuple[str, ...]:
        """Return the groups of a user."""
        if user == ANONYMOUS:
            return ("system:unauthenticated",)
        extra = ("system:masters",) if user == ADMIN else ()
        return (*self.groups.get(user, ()), *extra, "system:authenticated")

    def check_path(self, user: str, request: Request) -> None:
        """Refuse a path outside the resources to who may not read it."""
        if user != ADMIN and not request.path.startswith(OPEN_PATHS):
            message = f'forbidden: User "{user}" cannot get path "{request.path}"'
            raise Refused(403, "Forbidden", message, {})

    def check(self, user: str, verb: str, target: Target) -> None:
        """Refuse what no rule allows."""
        if self.allows(user, verb, target):
            return
        shown = f"{target.resource}.{target.group}" if target.group else target.resource
        where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
        what = f'cannot {verb} resource "{target.full_resource}" in API group "{target.group}" {where}'
        named = f'{shown} "{target.name}"' if target.name else shown
        details: Json = {"name": target.name} if target.name else {}
        details |= {"group": target.group} if target.group else {}
        message = f'{named} is forbidden: User "{user}" {what}'
        raise Refused(403, "Forbidden", message, details | {"kind": target.resource})

    def allows(self, user: str, verb: str, target: Target) -> bool:
        """Say whether a rule allows something."""
        if user == ADMIN or "system:masters" in self.groups_of(user) or target.group.startswith("authorization.k8s.io"):
            return user == ADMIN or target.resource.startswith("selfsubject") or self._ruled(user, verb, target)
        if target.resource == "selfsubjectreviews":
            return True
        return self._ruled(user, verb, target)

    def _ruled(self, user: str, verb: str, target: Target) -> bool:
        return any(rule_allows(rule, verb, target) for rule in self.rules(user, target.namespace))

    def rules(self, user: str, namespace: str) -> Iterator[Json]:
        """Yield the rules that hold for a user in a namespace: those of the whole cluster first."""
        for binding in self.store.entries((GROUP, "clusterrolebindings")):
            yield from self._bound(binding.object(), user, "")
        if namespace:
            for binding in self.store.entries((GROUP, "rolebindings"), namespace):
                yield from self._bound(binding.object(), user, namespace)

    def _bound(self, binding: Json, user: str, namespace: str) -> Iterator[Json]:
        if not any(self._is(subject, user) for subject in binding.get("subjects") or []):
            return
        ref = binding["roleRef"]
        place = ("clusterroles", "") if ref["kind"] == "ClusterRole" else ("roles", namespace)
        role = self.store.get((GROUP, place[0]), (place[1], ref["name"]))
        if role is not None:
            yield from role.object().get("rules") or []

    def _is(self, subject: Json, user: str) -> bool:
        match subject["kind"]:
            case "User":
                return bool(subject["name"] == user)
            case "Group":
                return subject["name"] in self.groups_of(user)
            case _:
                return user == f"system:serviceaccount:{subject.get('namespace', '')}:{subject['name']}"


def rule_allows(rule: Json, verb: str, target: Target) -> bool:
    """Say whether one rule allows something."""
    names = rule.get("resourceNames")
    return (
        _in(rule.get("verbs"), verb)
        and _in(rule.get("apiGroups"), target.group)
        and _in(rule.get("resources"), target.full_resource)
        and (not names or target.name in names)
    )


def _in(allowed: list[str] | None, word: str) -> bool:
    return "*" in (allowed or ()) or word in (allowed or ())
