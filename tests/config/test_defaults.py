"""What holds where a site chooses nothing is said once: file, registry and loop agree."""

from dataclasses import fields

from policies.choices import DEFAULTS, Choices
from policies.registry import policy_from_names
from scheduler.config.schema import Control, PolicyNames
from scheduler.config.wiring import policy_of, settings_of
from scheduler.control.settings import Settings
from scheduler.model.queues import DEFAULT_QUEUE, Queue


def test_a_file_that_chooses_nothing_gives_the_policy_of_no_arguments() -> None:
    assert policy_of(PolicyNames()) == policy_from_names()


def test_a_file_that_chooses_nothing_gives_the_loop_of_no_arguments() -> None:
    assert settings_of(Control(), PolicyNames()) == Settings(queues=(Queue(DEFAULT_QUEUE),))


def test_every_choice_is_an_argument_with_its_default() -> None:
    assert policy_from_names.__kwdefaults__ == {one.name: getattr(DEFAULTS, one.name) for one in fields(Choices)}
