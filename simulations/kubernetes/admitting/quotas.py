"""ResourceQuota: what a new object would use, what is used already, and the refusal with both."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from simulations.kubernetes.failures import Json, Refused, forbidden
from simulations.kubernetes.kinds import Kind
from simulations.kubernetes.quantities import BINARY, SHAPE, canonical, decimal_form, value
from simulations.kubernetes.store import Store

QUOTAS = ("", "resourcequotas")
COMPUTE = ("cpu", "memory", "ephemeral-storage")
MUST_BE_SAID = {
    f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in COMPUTE if name != "ephemeral-storage"
}
Use = dict[str, Decimal]


def quotas_of(store: Store, namespace: str) -> list[Json]:
    """Return the quotas of a namespace."""
    return [entry.object() for entry in store.entries(QUOTAS, namespace)]


def use_of(kind: Kind, body: Json) -> Use:
    """Return what one object uses of any quota."""
    used = {f"count/{kind.resource}": Decimal(1)}
    if kind.group:
        return used
    if kind.plural != "pods":
        return used | {kind.plural: Decimal(1)}
    if (body.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
        return used
    return used | {"pods": Decimal(1)} | _amounts(body["spec"], "requests") | _amounts(body["spec"], "limits")


def _amounts(spec: Json, word: str) -> Use:
    """Return a pod's requests or limits under the names that quotas know them by."""
    running = _summed(spec.get("containers") or [], word)
    for container in spec.get("initContainers") or []:
        for name, amount in _summed([container], word).items():
            running[name] = max(running.get(name, Decimal(0)), amount)
    found = {f"{word}.{name}": amount for name, amount in running.items()}
    return found | ({name: running[name] for name in COMPUTE if name in running} if word == "requests" else {})


def _summed(containers: Iterable[Json], word: str) -> Use:
    total: Use = {}
    for container in containers:
        for name, amount in ((container.get("resources") or {}).get(word) or {}).items():
            total[name] = total.get(name, Decimal(0)) + value(amount)
    return total


def used_in(store: Store, kinds: Iterable[Kind], namespace: str) -> Use:
    """Return what all objects of a namespace use together."""
    total: Use = {}
    for kind in kinds:
        for entry in store.entries(kind.table, namespace):
            for name, amount in use_of(kind, entry.object()).items():
                total[name] = total.get(name, Decimal(0)) + amount
    return total


def check_quotas(store: Store, kind: Kind, body: Json) -> None:
    """Refuse an object that says too little or asks for too much."""
    namespace, name = body["metadata"].get("namespace", ""), body["metadata"].get("name", "")
    quotas = quotas_of(store, namespace)
    if not quotas:
        return
    wanted = use_of(kind, body)
    used = used_in(store, [kind], namespace)
    for quota in quotas:
        if why := _refusal(kind, body, quota, wanted, used):
            raise forbidden(kind, name, why)


def _refusal(kind: Kind, body: Json, quota: Json, wanted: Use, used: Use) -> str:
    name, hard = quota["metadata"]["name"], (quota.get("spec") or {}).get("hard") or {}
    if quota["spec"].get("scopes") or quota["spec"].get("scopeSelector"):
        raise Refused(501, "NotImplemented", "the double of the Kubernetes API does not know scopes of quotas")
    if kind.plural == "pods" and not kind.group and (unsaid := list(_unsaid(body["spec"], hard))):
        return f"failed quota: {name}: must specify {'; '.join(unsaid)}"
    over = sorted(
        word for word in hard if word in wanted and wanted[word] + used.get(word, Decimal(0)) > value(hard[word])
    )
    if not over:
        return ""
    asked = ",".join(f"{word}={shown(wanted[word], hard[word])}" for word in over)
    have = ",".join(f"{word}={shown(used.get(word, Decimal(0)), hard[word])}" for word in over)
    most = ",".join(f"{word}={canonical(hard[word])}" for word in over)
    return f"exceeded quota: {name}, requested: {asked}, used: {have}, limited: {most}"


def _unsaid(spec: Json, hard: Json) -> Iterator[str]:
    for word in sorted(hard):
        if word not in MUST_BE_SAID:
            continue
        part, _, name = word.rpartition(".")
        missing = [
            container.get("name", "")
            for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
            if name not in ((container.get("resources") or {}).get(part or "requests") or {})
        ]
        if missing:
            yield f"{word} for: {','.join(sorted(missing))}"


def shown(amount: Decimal, like: Any) -> str:
    """Return an amount in the notation of the quota's own."""
    matched = SHAPE.match(str(like))
    binary = matched is not None and matched[2] in BINARY
    suffix = "Ki" if binary and amount % 1024 == 0 and amount else ""
    return canonical(f"{int(amount) // 1024}{suffix}") if suffix else decimal_form(amount)


def status_of(quota: Json, used: Use) -> Json:
    """Return what a quota's status says."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    return {"hard": hard, "used": {word: shown(used.get(word, Decimal(0)), hard[word]) for word in hard}}
