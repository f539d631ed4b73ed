"""What an object asks for: a gang of equal workers, and what comes beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from scheduler.backends.kubernetes.amounts import NOTHING, Amounts, pod_amounts
from scheduler.backends.kubernetes.devices import PARTS, is_part_name
from scheduler.backends.kubernetes.kinds import Kind
from scheduler.backends.kubernetes.marks import GATE, MIN_WORKERS, OBJECT, WORKERS
from scheduler.backends.kubernetes.parts import Part, submitter_of
from scheduler.backends.kubernetes.rules import Rule, rules_of, unplanned
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang

DEVICE: Final = "device"
"""Label of hosts: the resource as which their devices are asked for."""
GRACE_S: Final = 30.0
"""What a pod has to end when it does not say so."""


@dataclass(frozen=True, slots=True)
class Template:
    """One pod template, as far as it must be known to patch it.

    Attributes:
        path: JSON pointer; "" for one that is patched by other means.
        role: of its pods.
        count: how many pods are made from it.
        has_metadata: whether it has any.
        has_labels: whether it has labels.
        is_labelled: whether it carries our label.
        has_gates: whether it has scheduling gates.
        is_gated: whether ours is among them.
    """

    path: str
    role: str
    count: int
    has_metadata: bool
    has_labels: bool
    is_labelled: bool
    has_gates: bool
    is_gated: bool


@dataclass(frozen=True, slots=True)
class Aside:
    """A pod that comes with the gang and may go to other hosts than the workers.

    Attributes:
        role: for people, for instance "head".
        amounts: what it takes.
        rules: where it may go.
    """

    role: str
    amounts: Amounts
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """What an object asks for.

    Attributes:
        worker: what each of the workers takes.
        beside: what comes beside them on the host of the first: a head or driver that may go where they may.
        asides: what comes with them and goes to some host by rules of its own.
        workers: how many are asked for.
        standing: how many there are as it stands; fewer after it was started with fewer.
        fewest: with how many it runs.
        role: of the pods that are workers.
        device: the resource as which its devices are asked for; "" for none.
        rules: where the workers may go.
        templates: to be gated before it starts.
        size_paths: JSON pointers of the numbers of workers, where they may be changed.
        grace_s: the longest that one of its pods may take to end.
        total: pods that must succeed before it is done, where that is said; as many as run at once otherwise.
        is_part: whether it asks for parts of accelerators.
    """

    worker: Amounts
    beside: Amounts
    asides: tuple[Aside, ...]
    workers: int
    standing: int
    fewest: int
    role: str
    device: str
    rules: tuple[Rule, ...]
    templates: tuple[Template, ...]
    size_paths: tuple[str, ...]
    grace_s: float
    total: int
    is_part: bool = False

    @property
    def gang(self) -> Gang:
        """What the planner sees: the workers, each with room for what comes beside one of them."""
        labels = [rule.label for rule in self.rules] + ([(DEVICE, self.device)] if self.device else [])
        shape = Shape(
            cpu_milli=self.worker.cpu_milli + self.beside.cpu_milli,
            memory_mib=self.worker.memory_mib + self.beside.memory_mib,
            gpu_count=self.worker.device_count([self.device]),
            device_memory_mib=1 if self.is_part else 0,
            host_labels=tuple(sorted(set(labels))),
        )
        return Gang(self.fewest, shape, max_workers=self.workers if self.fewest < self.workers else 0)

    @property
    def pods_beside(self) -> int:
        """How many pods come before the gang is whole, besides its workers."""
        return sum(template.count for template in self.templates if template.role != self.role)

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """All rules that it asks about."""
        return (*self.rules, *(rule for aside in self.asides for rule in aside.rules))


def asking_of(kind: Kind, content: Mapping[str, Any], devices: Sequence[str]) -> Asking:
    """Read what an object asks for.

    Args:
        kind: of the object.
        content: the object.
        devices: names of the resources that are devices.

    Raises:
        ValueError: it cannot be planned; a sentence says why.
        KeyError: it lacks what its kind must have.
    """
    spec = content["spec"]
    faults = [*kind.faults(spec)]
    parts = [] if faults else list(kind.parts(spec))
    faults += _faults(parts) if parts else [] if faults else ["it asks for no pods"]
    if faults:
        raise ValueError("; ".join(faults))
    amounts = {part.role: pod_amounts(part.template["spec"]) for part in parts}
    worker = _worker(parts, amounts, devices)
    rules = rules_of(worker.template["spec"])
    others = [Aside(p.role, amounts[p.role], rules_of(p.template["spec"])) for p in parts if p is not worker]
    submitter = _submitter(spec) if kind.name == "RayJob" else None
    beside = NOTHING
    for other in others:
        beside = beside.plus(other.amounts) if other.rules == rules else beside
    annotations = content["metadata"].get("annotations") or {}
    workers = _asked_for(annotations, worker.count)
    device = _device(amounts[worker.role], devices)
    return Asking(
        worker=amounts[worker.role],
        beside=beside,
        asides=(*(other for other in others if other.rules != rules), *([submitter] if submitter else [])),
        workers=workers,
        standing=worker.count,
        fewest=_fewest(annotations, worker, workers),
        role=worker.role,
        device=device,
        rules=rules,
        templates=tuple(_template(part, content["metadata"]["uid"]) for part in parts),
        size_paths=worker.size_paths,
        grace_s=max(float(part.template["spec"].get("terminationGracePeriodSeconds", GRACE_S)) for part in parts),
        total=int(spec.get("completions") or sum(part.count for part in parts)),
        is_part=is_part_name(device) or any(rule.key.endswith(PARTS) for rule in rules),
    )


def _submitter(spec: Mapping[str, Any]) -> Aside | None:
    """Return what submits a RayJob once its cluster is ready: no part of the gang, but without room it never begins."""
    template = submitter_of(spec)
    return Aside("submitter", pod_amounts(template["spec"]), rules_of(template["spec"])) if template else None


def _faults(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        bound = unplanned(part.template["spec"])
        if bound:
            yield f"{part.role} has {bound}, which Headroom does not plan"
        if part.template["spec"].get("nodeName"):
            yield f"{part.role} names its host (nodeName) past every scheduler"


def _worker(parts: Sequence[Part], amounts: Mapping[str, Amounts], devices: Sequence[str]) -> Part:
    """Return the part whose pods are the gang: the only one with devices, or where none has any, the largest.

    Raises:
        ValueError: several have devices, or what comes beside the gang is more than single pods.
    """
    with_devices = [part for part in parts if amounts[part.role].device_count(devices)]
    if len(with_devices) > 1:
        roles = " and ".join(part.role for part in with_devices)
        msg = f"{roles} both ask for devices, and Headroom plans gangs of equal workers: put them into one group"
        raise ValueError(msg)
    worker = with_devices[0] if with_devices else max(parts, key=lambda part: part.count)
    for part in parts:
        if part is not worker and part.count > 1:
            msg = (
                f"{part.role} has {part.count} pods beside the {worker.count} of {worker.role}; one may be beside them"
            )
            raise ValueError(msg)
    return worker


def _device(worker: Amounts, devices: Sequence[str]) -> str:
    names = [name for name, _ in worker.devices if name in devices]
    if len(names) > 1:
        msg = f"a worker asks for {' and '.join(names)}; devices of one kind can be planned"
        raise ValueError(msg)
    return names[0] if names else ""


def _asked_for(annotations: Mapping[str, str], standing: int) -> int:
    """Return how many workers are asked for: what was written down when they were made fewer, unless edited since."""
    asked, _, given = annotations.get(WORKERS, "").partition(" ")
    return int(asked) if asked.isdigit() and given == str(standing) else standing


def _fewest(annotations: Mapping[str, str], worker: Part, workers: int) -> int:
    said = annotations.get(MIN_WORKERS)
    if said is None:
        return workers
    if not said.isdigit() or not 1 <= int(said) <= workers:
        msg = f'{MIN_WORKERS} is "{said}", not between 1 and its {workers} workers'
        raise ValueError(msg)
    if int(said) < workers and not worker.size_paths:
        msg = f"the number of its workers cannot be changed, so {MIN_WORKERS} cannot be less than {workers}"
        raise ValueError(msg)
    return int(said)


def _template(part: Part, uid: str) -> Template:
    metadata, gates = part.template.get("metadata"), part.template["spec"].get("schedulingGates")
    labels = (metadata or {}).get("labels")
    return Template(
        path=part.path,
        role=part.role,
        count=part.count,
        has_metadata=metadata is not None,
        has_labels=labels is not None,
        is_labelled=(labels or {}).get(OBJECT) == uid,
        has_gates=bool(gates),
        is_gated=any(gate["name"] == GATE for gate in gates or ()),
    )
