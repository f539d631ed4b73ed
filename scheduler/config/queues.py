"""Queues of a configuration: from sections to the model's nouns, and what must hold between them and the hosts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from scheduler.config.faults import did_you_mean
from scheduler.config.schema import Config, LocalRay, QueueSection, Quota
from scheduler.config.units import format_size
from scheduler.config.yaml_file import Where
from scheduler.model.queues import DEFAULT_QUEUE, Amounts, Queue
from scheduler.model.resources import WHOLE_DEVICE_MILLI

AUTO: Final = "auto"
"""The order of the queue that follows from whether queues have terms."""


def queues_of(sections: Iterable[QueueSection]) -> tuple[Queue, ...]:
    """Return the queues in the order in which they are declared; the default queue is always among them."""
    declared = tuple(_queue(section) for section in sections)
    there = any(queue.name == DEFAULT_QUEUE for queue in declared)
    return declared if there else (Queue(DEFAULT_QUEUE), *declared)


def queue_names(sections: Iterable[QueueSection]) -> tuple[str, ...]:
    """Return the names of `queues_of`."""
    return tuple(queue.name for queue in queues_of(sections))


def submitters_of(sections: Iterable[QueueSection]) -> dict[str, tuple[str, ...]]:
    """Return who may submit, for queues that are not open to everybody."""
    return {section.name: section.submitters for section in sections if section.submitters}


def order_name(chosen: str, sections: Iterable[QueueSection]) -> str:
    """Return the name of the order of the queue: fair share where queues have terms, unless the site chose another."""
    if chosen != AUTO:
        return chosen
    return "priority" if all(queue.is_plain for queue in queues_of(sections)) else "fair-share"


def queue_faults(config: Config) -> Iterator[tuple[Where, str, str]]:
    """Yield (where, message, help) for everything that does not fit together."""
    for index, section in enumerate(config.queues):
        yield from _beyond_guarantee(index, section)
    if isinstance(config.backend, LocalRay):
        yield from _too_much_guaranteed(config, config.backend)
        yield from _unknown_models(config, config.backend)


def _beyond_guarantee(index: int, section: QueueSection) -> Iterator[tuple[Where, str, str]]:
    guaranteed, lent = _named(section.guarantee), _named(section.lend_limit)
    for what, amount in lent.items():
        if amount > guaranteed.get(what, 0.0):
            have = _shown(what, guaranteed.get(what, 0.0))
            message = f"{section.name}: lend_limit of {_shown(what, amount)} is above its guarantee of {have}"
            yield (
                ("queues", index, "lend_limit"),
                message,
                "a queue lends what it is guaranteed; leave it out to lend all",
            )


def _too_much_guaranteed(config: Config, local: LocalRay) -> Iterator[tuple[Where, str, str]]:
    guaranteed: dict[str, float] = defaultdict(float)
    for section in config.queues:
        for what, amount in _named(section.guarantee).items():
            guaranteed[what] += amount
    have = _capacity(local)
    for what, amount in guaranteed.items():
        if amount > have.get(what, 0.0) and not (what.startswith("gpus of ") and what not in have):
            there = _shown(what, have.get(what, 0.0))
            message = f"queues are guaranteed {_shown(what, amount)} together, and the hosts have {there}"
            yield ("queues",), message, "lower a guarantee, or add hosts: what is guaranteed must be there"


def _unknown_models(config: Config, local: LocalRay) -> Iterator[tuple[Where, str, str]]:
    known = {host.gpu_model for host in local.hosts if host.gpus}
    for index, section in enumerate(config.queues):
        for field in ("guarantee", "borrow_limit", "lend_limit"):
            for model in set(getattr(section, field).gpu_models) - known:
                help_ = did_you_mean(model, known) or f"hosts have: {', '.join(sorted(known)) or 'no GPUs'}"
                message = f'{section.name}: no host has GPUs of model "{model}"'
                yield ("queues", index, field, "gpu_models"), message, help_


def _capacity(local: LocalRay) -> dict[str, float]:
    have: dict[str, float] = defaultdict(float)
    for host in local.hosts:
        have["cpus"] += host.cpus
        have["memory"] += host.memory
        have["gpus"] += host.gpus
        have[f"gpus of {host.gpu_model}"] += host.gpus
    return have


def _named(quota: Quota) -> dict[str, float]:
    plain = {"cpus": quota.cpus, "memory": quota.memory, "gpus": quota.gpus}
    by_model = {f"gpus of {model}": amount for model, amount in quota.gpu_models.items()}
    return {what: float(amount) for what, amount in {**plain, **by_model}.items() if amount is not None}


def _shown(what: str, amount: float) -> str:
    return f"{format_size(amount)} of memory" if what == "memory" else f"{amount:g} {what}"


def _queue(section: QueueSection) -> Queue:
    return Queue(
        name=section.name,
        guarantee=_amounts(section.guarantee),
        borrow_limit=_amounts(section.borrow_limit),
        lend_limit=_amounts(section.lend_limit),
        weight=section.weight,
        submitters=section.submitters,
    )


def _amounts(quota: Quota) -> Amounts:
    return Amounts(
        cpu_milli=_milli(quota.cpus),
        memory_mib=quota.memory,
        gpu_milli=_milli(quota.gpus),
        gpu_models=tuple(sorted((model, round(n * WHOLE_DEVICE_MILLI)) for model, n in quota.gpu_models.items())),
    )


def _milli(amount: float | None) -> int | None:
    return None if amount is None else round(amount * 1000)
