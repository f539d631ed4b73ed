"""Pod Security at the level restricted: which of its rules a pod breaks, and what the server says then."""

from collections.abc import Iterator

from simulations.kubernetes.failures import Json

LABEL = "pod-security.kubernetes.io/"
OPEN = {"", "privileged"}


def level_of(namespace: Json, mode: str) -> str:
    """Return the level that a namespace enforces or warns of; warnings follow what is enforced."""
    labels = namespace["metadata"].get("labels") or {}
    return str(labels.get(f"{LABEL}{mode}") or labels.get(f"{LABEL}enforce", ""))


def version_of(namespace: Json, mode: str) -> str:
    """Return the version of the rules that a namespace names."""
    labels = namespace["metadata"].get("labels") or {}
    return str(labels.get(f"{LABEL}{mode}-version") or labels.get(f"{LABEL}enforce-version", "latest"))


def violations(spec: Json) -> list[str]:
    """Return the broken rules of level restricted, as the server words them."""
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    pod = spec.get("securityContext") or {}
    return [said for said in _rules(containers, pod) if said]


def _rules(containers: list[Json], pod: Json) -> Iterator[str]:
    escalating = [c["name"] for c in containers if _context(c).get("allowPrivilegeEscalation") is not False]
    if escalating:
        words = f"{_named(escalating)} must set securityContext.allowPrivilegeEscalation=false"
        yield f"allowPrivilegeEscalation != false ({words})"
    capable = [
        c["name"] for c in containers if "ALL" not in ((_context(c).get("capabilities") or {}).get("drop") or [])
    ]
    if capable:
        yield f'unrestricted capabilities ({_named(capable)} must set securityContext.capabilities.drop=["ALL"])'
    root = [c["name"] for c in containers if not _context(c).get("runAsNonRoot", pod.get("runAsNonRoot"))]
    if root:
        yield f"runAsNonRoot != true (pod or {_named(root)} must set securityContext.runAsNonRoot=true)"
    profile = (pod.get("seccompProfile") or {}).get("type")
    loose = [c["name"] for c in containers if not (_context(c).get("seccompProfile") or {}).get("type", profile)]
    if loose:
        kinds = '"RuntimeDefault" or "Localhost"'
        yield f"seccompProfile (pod or {_named(loose)} must set securityContext.seccompProfile.type to {kinds})"


def _context(container: Json) -> Json:
    found: Json = container.get("securityContext") or {}
    return found


def _named(names: list[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"{'container' if len(names) == 1 else 'containers'} {listed}"
