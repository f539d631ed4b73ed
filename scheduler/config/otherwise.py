"""Other rules for a site: `policy` and `queues` as in cluster.yaml, all else as it is."""

from collections.abc import Mapping

from scheduler.config.faults import read_section
from scheduler.config.schema import Config, PolicyNames, QueueSection, Section
from scheduler.config.wiring import policy_of, settings_of
from scheduler.config.yaml_file import Document
from scheduler.control.whatif.question import Rules


class OtherRules(Section):
    """What a site may decide by otherwise; what is left out stays as it is."""

    policy: PolicyNames | None = None
    queues: tuple[QueueSection, ...] | None = None


def rules_of(config: Config, mapping: Mapping[str, object]) -> Rules:
    """Return the rules of a site where these sections stood in its file.

    Raises:
        ConfigError: with all faults.
    """
    other = read_section(Document("", dict(mapping), {}), OtherRules, "cluster")
    policy = config.policy if other.policy is None else other.policy
    queues = config.queues if other.queues is None else other.queues
    return Rules(policy_of(policy, queues), settings_of(config.control, policy, queues))
