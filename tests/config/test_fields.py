"""What `headroom explain` knows of the files' keys."""

import pytest

from scheduler.config.fields import Key, keys, known_keys
from scheduler.config.scenario import Scenario
from scheduler.config.schema import Config, JobFile


def _by_path(section: type) -> dict[str, Key]:
    return {key.path: key for key in keys(section)}


@pytest.mark.parametrize("section", [JobFile, Config], ids=lambda section: section.__name__)
def test_every_key_has_a_meaning(section: type) -> None:
    assert [key.path for key in keys(section) if not key.meaning] == []


def test_keys_say_how_they_are_written_and_what_holds_without_them() -> None:
    job = _by_path(JobFile)
    assert job["entrypoint"] == Key("entrypoint", "text", "(needed)", "Shell command that runs the driver.")
    assert (job["resources.memory"].values, job["resources.memory"].default) == ("size", "1Gi")
    assert (job["grace"].values, job["grace"].default) == ("duration", "30s")
    assert (job["max_runtime"].values, job["max_runtime"].default) == ("duration", "-")
    assert (job["preemptible"].values, job["preemptible"].default) == ("true | false", "true")
    assert job["resources.gpu_model"].values == "text | list of text"
    assert job["env"].values == "mapping of names to text | section"


def test_lists_mappings_and_forms_stand_in_the_path() -> None:
    cluster = _by_path(Config)
    assert cluster["backend(local).hosts[].gpus"].values == "whole number"
    assert cluster["traffic.*(replay).file"].values == "path"
    assert cluster["models[].capacity(erlang-c).service_time"].values == "duration"
    assert cluster["control.period"].default == "30s"
    assert cluster["api.tokens[].role"].values == "viewer | submitter | operator"
    assert cluster["priorities"].default == "urgent 100, high 75, normal 50, low 25"


def test_scenarios_are_explained_too() -> None:
    assert {"scenario", "jobs.streams[].per_day"} <= set(_by_path(Scenario))


def test_known_keys_follow_the_path_through_lists_mappings_and_forms() -> None:
    assert {"name", "capacity", "traffic"} <= set(known_keys(Config, ("models", 3)))
    assert {"file", "url", "query"} <= set(known_keys(Config, ("traffic", "wiki")))
    assert set(known_keys(Config, ("api", "tokens", 0))) == {"name", "role", "sha256"}
