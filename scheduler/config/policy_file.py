"""The section `policy:` of any file that has one, for commands that try another policy."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from scheduler.config.faults import fault_at, read_section
from scheduler.config.queues import AUTO
from scheduler.config.scenario_loading import read_extended
from scheduler.config.schema import PolicyNames, QueueSection, Section, queue_from_name
from scheduler.config.wiring import policy_of
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.policy import Policy


class _PolicyFile(Section):
    """What is read of such a file."""

    policy: PolicyNames
    queues: tuple[Annotated[QueueSection, BeforeValidator(queue_from_name)], ...] = ()


def load_policy(path: Path, usual_order: str = "priority") -> Policy:
    """Return the policy that a file declares: a cluster.yaml, a scenario, or one with nothing but `policy:`.

    Args:
        path: of the file.
        usual_order: the order of the queue that `auto` stands for where the file declares no queues.

    Raises:
        ConfigError: with every fault of that section, each with its line.
    """
    document = read_extended(path)
    if not isinstance(document.data, Mapping) or "policy" not in document.data:
        help_ = "policy: {victim_cost: lost-work}; all keys: headroom explain cluster policy"
        raise ConfigError(Fault("MissingField", "has no section policy", str(path), help=help_))
    own = {key: document.data[key] for key in ("policy", "queues") if key in document.data}
    read = read_section(replace(document, data=own), _PolicyFile, "cluster")
    names = read.policy
    if names.queue_order == AUTO and not read.queues:
        names = names.model_copy(update={"queue_order": usual_order})
    try:
        return policy_of(names, read.queues)
    except ConfigError as error:
        faults = [
            fault_at(document, tuple(one.field.split(".")), one.code, one.message, one.help) for one in error.faults
        ]
        raise ConfigError(*faults) from error
