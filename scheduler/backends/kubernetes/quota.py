"""ResourceQuotas: how many more pods of a kind a namespace lets in, and what is in the way of one more."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, NamedTuple

from scheduler.backends.kubernetes.amounts import Amounts
from scheduler.backends.kubernetes.connection import Object
from scheduler.backends.kubernetes.quantities import MIB, MILLI, exactly
from scheduler.backends.kubernetes.reflector import Resource, key_of, version_of

QUOTAS: Final = "resourcequotas"
"""Name of the cache."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a namespace may have, and has.

    Attributes:
        key: namespace and name.
        version: its resourceVersion.
        hard: by what it is counted by, for instance "requests.cpu": what there may be, as it is written.
        used: likewise, what there is.
    """

    key: str
    version: int
    hard: Mapping[str, str] = field(default_factory=dict)
    used: Mapping[str, str] = field(default_factory=dict)


class Limit(NamedTuple):
    """What a quota lets in.

    Attributes:
        pods: how many more; below zero where there are too many already.
        why: what is in the way of one more than that, with the numbers.
    """

    pods: int
    why: str


def cut_quota(content: Object) -> Quota | None:
    """Keep a quota that counts all pods alike; one for some of them only says nothing of the others."""
    spec, status = content.get("spec") or {}, content.get("status") or {}
    if spec.get("scopes") or spec.get("scopeSelector"):
        return None
    return Quota(key_of(content), version_of(content), status.get("hard") or {}, status.get("used") or {})


RESOURCE: Final = Resource(QUOTAS, "/api/v1/resourcequotas", cut_quota)
"""What is watched."""


def room_left(quotas: Iterable[Quota], namespace: str, requests: Amounts, limits: Amounts) -> Limit | None:
    """Return how many more pods of a kind fit into a namespace by its tightest quota; None where no quota counts them.

    Args:
        quotas: of all namespaces.
        namespace: where the pods are to be.
        requests: what each of them asks for.
        limits: what each of them may take.
    """
    takes = dict(_takes(requests, limits))
    found = (
        _limit(quota, name, takes[name])
        for quota in quotas
        if quota.key.startswith(f"{namespace}/")
        for name in quota.hard
        if takes.get(name)
    )
    return min(found, default=None)


def _limit(quota: Quota, name: str, each: Fraction) -> Limit:
    hard, used = quota.hard[name], quota.used.get(name, "0")
    left = (exactly(hard) - exactly(used)) // each
    quota_name = quota.key.partition("/")[2]
    return Limit(int(left), f"quota {quota_name} has {used} of {hard} {name} in use, and a pod takes {_number(each)}")


def _takes(requests: Amounts, limits: Amounts) -> Iterator[tuple[str, Fraction]]:
    """Yield what one pod counts in each way in which a quota may count."""
    yield from ((name, Fraction(1)) for name in ("pods", "count/pods"))
    for name, asked, most, unit in (
        ("cpu", requests.cpu_milli, limits.cpu_milli, MILLI),
        ("memory", requests.memory_mib, limits.memory_mib, MIB),
        ("ephemeral-storage", requests.ephemeral_mib, limits.ephemeral_mib, MIB),
    ):
        yield from ((way, Fraction(asked) * unit) for way in (name, f"requests.{name}"))
        yield f"limits.{name}", Fraction(most) * unit
    yield from ((f"requests.{name}", Fraction(count)) for name, count in requests.devices)


def _number(quantity: Fraction) -> str:
    """Return a quantity as people write it."""
    for unit, size in (("Gi", 2**30), ("Mi", 2**20)):
        if quantity >= size and quantity % size == 0:
            return f"{quantity // size}{unit}"
    return f"{float(quantity):g}"
