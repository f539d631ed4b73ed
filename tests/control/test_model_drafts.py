"""What is said of a revision: every key that is otherwise, no value of an argument, and nothing of an environment."""

import json

from scheduler.control.models.draft import changes
from tests.control.rollout_lab import draft

PLAIN = {"name": "m", "warm_up": 30.0, "application": {"args": {"weights": "v1"}, "runtime_env": {}}, "steps": [0.1]}


def changed(**more: object) -> tuple[str, ...]:
    return changes(json.dumps(PLAIN), json.dumps({**PLAIN, **more}))


def test_every_key_that_is_otherwise_is_said_as_it_stands_in_the_file() -> None:
    assert changed() == ()
    assert changed(warm_up=60.0, steps=[0.1, 0.5]) == ("warm_up: 30.0 → 60.0", "steps: [0.1] → [0.1, 0.5]")
    assert changed(owner="editing") == ("owner: editing",)
    assert changed(steps=[]) == ("steps: no longer [0.1]",)


def test_arguments_are_named_and_their_values_are_not() -> None:
    gone, other = "application.args.weights: no longer there", "application.args.weights: another one"
    for args, said in (
        ({"weights": "v2"}, (other,)),
        ({}, (gone,)),
        ({"weights": "v1", "key": "hf_123"}, ("application.args.key: another one",)),
        ({"weights": {"token": "hf_123"}}, (gone, "application.args.weights.token: another one")),
    ):
        assert changed(application={"args": args, "runtime_env": {}}) == said


def test_what_was_empty_and_is_empty_in_another_way_is_not_said() -> None:
    empty = json.dumps({**PLAIN, "application": {"args": {}}})
    assert changes(empty, json.dumps({**PLAIN, "application": {"args": None}})) == ()


def test_of_an_environment_it_is_said_that_it_is_another_one_and_nothing_of_it() -> None:
    secret = {"args": {"weights": "v1"}, "runtime_env": {"env_vars": {"HF_TOKEN": "hf_123", "OTHER": "x"}}}
    assert changed(application=secret) == ("application.runtime_env: another one",)


def test_a_draft_says_where_it_comes_from() -> None:
    assert draft(1).source == "m.yaml"
