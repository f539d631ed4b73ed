"""A secret that a job names reaches its driver, and is written nowhere that anybody else reads."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from scheduler.backends.ray.names import Names, RunLabel
from scheduler.backends.ray.training import Training
from scheduler.config.job import parse_job
from scheduler.config.loading import load_config
from scheduler.config.wiring import secrets_of
from scheduler.control.service.admission import SiteLimits, faults_of
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.secrets import HIDDEN, Secret, SecretShelf
from scheduler.model.errors import ActionFailed, ConfigError, NotFound
from scheduler.model.jobspec import JobSpec
from scheduler.model.resources import Slot
from scheduler.model.workloads import JobId

VALUE = "hf_abc$(touch /tmp/never)'\"\\ x\nsecond line"


def spec_of(env: dict[str, Any], owner: str = "ada") -> JobSpec:
    job = {"entrypoint": "python train.py", "env": env}
    return parse_job(job, priorities={"normal": 50}, queues=("default",), owner=owner)


@pytest.fixture
def shelf(tmp_path: Path) -> SecretShelf:
    """The secrets of a site: one in a file, one in a variable, one that is not there."""
    (tmp_path / "token").write_text(VALUE + "\n", encoding="utf-8")
    known = {
        "hf": Secret(tmp_path / "token"),
        "s3": Secret(variable="HEADROOM_TEST_S3"),
        "gone": Secret(tmp_path / "gone"),
    }
    return SecretShelf(known, tmp_path / "secrets")


def test_a_job_keeps_the_name_of_a_secret_and_never_its_value(shelf: SecretShelf) -> None:
    spec = spec_of({"A": "plain", "N": 7, "TOKEN": {"secret": "hf"}})
    assert (spec.env, spec.secrets) == ((("A", "plain"), ("N", "7")), (("TOKEN", "hf"),))
    assert shelf.hand_out("1-1", spec.secrets)
    assert "hf_abc" not in TypeAdapter(JobSpec).dump_json(spec).decode()


@pytest.mark.parametrize(
    "value", [{"secret": ""}, {"secret": 1}, {"secrte": "hf"}, {}, {"secret": "hf", "more": 1}, ["hf"], None, True]
)
def test_what_is_neither_text_nor_a_secret_is_refused_by_the_key(value: object) -> None:
    with pytest.raises(ConfigError, match=r"env|unknown key"):
        spec_of({"TOKEN": value})


def test_the_driver_has_the_value_and_the_command_has_not(shelf: SecretShelf, tmp_path: Path) -> None:
    training = Training(None, None, None, type("C", (), {"speed": 1.0}), tmp_path, Names())
    training.secrets = shelf
    label = RunLabel(JobId("7"), 1, (Slot("a", (0,)),))
    spec = spec_of({"A": "plain", "TOKEN": {"secret": "hf"}})
    program = "import os, json; print(json.dumps([os.environ['TOKEN'], os.environ.get('A')]))"
    sent = training._submission(
        label, JobSpec(spec.name, f'python3 -c "{program}"', spec.gang, secrets=spec.secrets), {}
    )
    assert "hf_abc" not in json.dumps(sent)
    said = subprocess.run(["/bin/sh", "-c", sent["entrypoint"]], check=True, capture_output=True, text=True)
    assert json.loads(said.stdout)[0] == VALUE
    (file,) = (tmp_path / "secrets").iterdir()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    shelf.take_back(label.name)
    assert list((tmp_path / "secrets").iterdir()) == []
    shelf.take_back(label.name)


def test_a_secret_that_is_not_there_keeps_the_job_from_starting(shelf: SecretShelf, tmp_path: Path) -> None:
    training = Training(None, None, None, type("C", (), {"speed": 1.0}), tmp_path, Names())
    training.secrets = shelf
    label = RunLabel(JobId("7"), 1, ())
    for name in ("gone", "s3", "unheard-of"):
        with pytest.raises(ActionFailed, match=f'job 7 cannot start: the secret "{name}" is not there'):
            training._submission(label, spec_of({"TOKEN": {"secret": name}}), {})
    assert not (tmp_path / "secrets").exists()


def test_a_changed_secret_counts_from_the_next_start_on(shelf: SecretShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for value in ("first-value", "second-value"):
        monkeypatch.setenv("HEADROOM_TEST_S3", value)
        contents.append(shelf.hand_out("1-1", [("KEY", "s3")]).read_text(encoding="utf-8"))
    assert contents == ["export KEY=first-value\n", "export KEY=second-value\n"]


def test_what_is_printed_is_shown_without_secrets(shelf: SecretShelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADROOM_TEST_S3", "AKIA-12345")
    said = f"token={VALUE} and AKIA-12345, AKIA-1234"
    assert shelf.hide(said) == f"token={HIDDEN} and {HIDDEN}, AKIA-1234"
    monkeypatch.setenv("HEADROOM_TEST_S3", "no")
    assert shelf.hide("nobody knows") == "nobody knows"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40))
def test_every_value_passes_a_shell_as_it_is(tmp_path: Path, value: str) -> None:
    (tmp_path / "any").write_bytes(value.encode() + b"\n")
    shelf = SecretShelf({"any": Secret(tmp_path / "any")}, tmp_path / "secrets")
    file = shelf.hand_out("1-1", [("KEY", "any")])
    said = subprocess.run(["/bin/sh", "-c", f'. {file}; printf %s "$KEY"'], check=True, capture_output=True)
    assert said.stdout.decode() == value.removesuffix("\r"), "a line break at the end is the file's"


def test_who_may_not_have_a_secret_is_told_when_submitting(tmp_path: Path) -> None:
    site_limits = SiteLimits({"normal": 50}, secrets={"hf": (), "s3": ("bob",)})
    shelf = PackageShelf(tmp_path)

    def said(env: dict[str, Any]) -> list[tuple[str, str]]:
        return [(fault.field, fault.message) for fault in faults_of(spec_of(env), site_limits, shelf, None)]

    assert said({"A": {"secret": "hf"}}) == []
    assert said({"A": {"secret": "s3"}}) == [("env.A", 'ada may not use the secret "s3"')]
    assert said({"A": {"secret": "hg"}}) == [("env.A", 'unknown secret "hg"')]


CLUSTER = """
cluster: c
backend: {kind: local, hosts: [{name: h}]}
secrets:
"""


def test_a_cluster_names_where_its_secrets_lie(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("value-of-it\n", encoding="utf-8")
    file = tmp_path / "cluster.yaml"
    file.write_text(CLUSTER + "  hf: {file: token, owners: [ada]}\n  s3: {env: S3}\n", encoding="utf-8")
    found = secrets_of(load_config(file).secrets)
    assert found["hf"].read() == "value-of-it"
    assert (found["hf"].owners, found["s3"]) == (("ada",), Secret(variable="S3"))
    for wrong in ("{}", "{file: token, env: S3}", "{file: nowhere}"):
        file.write_text(f"{CLUSTER}  hf: {wrong}\n", encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_config(file)
        assert caught.value.faults[0].line == 5


def test_a_file_that_cannot_be_read_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for secret in (Secret(tmp_path / "binary"), Secret(tmp_path), Secret(variable="NOT_SET_ANYWHERE")):
        assert secret.read() is None
    with pytest.raises(NotFound):
        SecretShelf({"x": Secret(tmp_path)}, tmp_path).hand_out("1-1", [("A", "x")])
    assert "NOT_SET_ANYWHERE" not in os.environ
