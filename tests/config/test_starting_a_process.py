"""What a process can be started with: what can never work is refused, with what to do; the rest is not."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.config.environment import MOST_BYTES, OURS, RAYS, start_faults
from scheduler.config.job import parse_job, read_job
from scheduler.config.yaml_file import Document, parse_yaml
from scheduler.model.errors import ConfigError, Fault

FaultsOf = Callable[..., tuple[Fault, ...]]
ALLOWED = {"priorities": {"normal": 50}, "queues": ("default",), "owner": "ana"}


def job(**changes: object) -> dict[str, object]:
    return {"entrypoint": "python train.py", **changes}


@pytest.mark.parametrize(
    ("env", "field", "words", "help_"),
    [
        ({"A=B": "1"}, "env.A=B", '"A=B" is not a name of a variable', "letters, digits and _"),
        ({"": "1"}, "env.", '"" is not a name of a variable', "letters"),
        ({"1A": "1"}, "env.1A", "is not a name", "no digit first"),
        ({"A B": "1"}, "env.A B", "is not a name", "letters"),
        ({"a.b": "1"}, "env.a.b", "is not a name", "letters"),
        ({"A\nB": "1"}, "env.A\\nB", '"A\\nB" is not a name', "letters"),
        ({"A\n": "1"}, "env.A\\n", "is not a name", "letters"),
        ({"A\x1b[2J": "1"}, "env.A\\x1b[2J", "is not a name", "letters"),
        ({"ÄÖ": "1"}, "env.ÄÖ", "is not a name", "letters"),
        ({"X" * 256: "1"}, "env." + "X" * 60 + "…", "is not a name", "letters"),
        ({"PATH": "/nope"}, "env.PATH", 'with "/nope" the worker processes find no shell', "${PATH}"),
        ({"PATH": ""}, "env.PATH", "find no shell", "${PATH}"),
        ({"PATH": 5}, "env.PATH", "find no shell", "PATH=… python train.py"),
        ({"PATH": "/opt/bin:/usr/binaries"}, "env.PATH", "find no shell", "${PATH}"),
        ({"PATH": "/opt:$PATHS"}, "env.PATH", "find no shell", "${PATH}"),
        ({"PYTHONHOME": "/opt/conda"}, "env.PYTHONHOME", "from starting", "PYTHONHOME=… python train.py"),
        ({"HEADROOM_ATTEMPT": "7"}, "env.HEADROOM_ATTEMPT", "is set by Headroom", "another name"),
        ({"HEADROOM_LOCAL_RAY": "7"}, "env.HEADROOM_LOCAL_RAY", "is set by Headroom", "another name"),
        ({"RAY_ADDRESS": "auto"}, "env.RAY_ADDRESS", "finds its own Ray", "RAY_ADDRESS=… python"),
        ({"RAY_JOB_ID": "7"}, "env.RAY_JOB_ID", "finds its own Ray", "entrypoint"),
        ({"A": "x" * 131_072}, "env", "more than a process can be started with", "65536 or fewer"),
        ({f"A{number}": "x" * 100 for number in range(1000)}, "env", "more than a process", "65536 or fewer"),
        ({"A": "é" * 20_000}, "env", "more than a process", "65536 or fewer"),
        ({"A": "x\0y"}, "env.A", "U+0000", "remove it"),
        ({"A": "x\ud800"}, "env.A", "U+D800", "remove it"),
    ],
)
def test_an_environment_that_can_never_work_is_refused(
    env: dict[str, object], field: str, words: str, help_: str, faults_of: FaultsOf
) -> None:
    found = faults_of(parse_job, job(env=env), **ALLOWED)
    assert [fault.field for fault in found] == [field]
    assert words in found[0].message
    assert help_ in found[0].help
    assert all(fault.message.isprintable() for fault in found)


@pytest.mark.parametrize("entrypoint", ["x" * 900_000, "x" * (MOST_BYTES + 1), "é" * (MOST_BYTES // 2 + 1)])
def test_an_entrypoint_longer_than_any_command_is_refused(entrypoint: str, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_job, job(entrypoint=entrypoint))
    assert (fault.field, "more than a command may have" in fault.message) == ("entrypoint", True)
    assert "file of working_dir" in fault.help


@pytest.mark.parametrize(
    "env",
    [
        {"PATH": "/opt/tool/bin:${PATH}"},
        {"PATH": "$PATH:/opt/tool/bin"},
        {"PATH": "/opt/conda/bin:/usr/local/bin:/usr/bin:/bin"},
        {"PATH": "/bin"},
        {"PATH": "/usr/bin/"},
        {"HEADROOM_URL": "http://127.0.0.1:8321", "HEADROOM_TOKEN": "t"},
        {"RAY_DEDUP_LOGS": "0", "RAY_TRAIN_V2_ENABLED": "1"},
        {"LD_LIBRARY_PATH": "/opt/rocm/lib", "PYTHONPATH": "src", "HOME": "/nope"},
        {"_": "x", "lower_case": "grüße 🎉\n\tand more", "EMPTY": ""},
        {"N": 1, "R": 0.5},
        {"A": "x" * 60_000},
    ],
)
def test_what_can_work_is_left_to_its_owner(env: dict[str, object]) -> None:
    read = dict(parse_job(job(env=env), **ALLOWED).env)
    assert read == {name: str(value) for name, value in env.items()}


def test_all_faults_come_at_once_with_their_lines(faults_of: FaultsOf) -> None:
    text = 'entrypoint: python x.py\nenv:\n  A=B: 1\n  PATH: /nope\n  GOOD: 1\n  "N\\0": 1\nworkers: 0\npriority: no\n'
    document = parse_yaml(text, "job.yaml")
    found = faults_of(parse_job, document.data, file="job.yaml", lines=document.lines, **ALLOWED)
    assert [(fault.line, fault.field) for fault in found] == [
        (3, "env.A=B"),
        (4, "env.PATH"),
        (6, "env.N\\x00"),
        (7, "workers"),
        (8, "priority"),
    ]


def test_very_many_faults_are_counted_and_not_all_written(faults_of: FaultsOf) -> None:
    found = faults_of(read_job, job(**{f"key{number}": 1 for number in range(5000)}))
    assert len(found) == 101
    assert "more faults" in found[-1].message


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=40), max_size=4), st.text(max_size=60))
def test_whatever_is_accepted_starts_a_process_that_sees_it(env: dict[str, str], words: str) -> None:
    document = Document("", {"entrypoint": f"true {words}", "env": env}, {})
    try:
        accepted = read_job(document.data)
    except ConfigError:
        return
    assert accepted.env == env
    for text in (accepted.entrypoint, *env, *env.values()):
        assert b"\0" not in os.fsencode(text)


@pytest.mark.parametrize("size", [MOST_BYTES - 100, MOST_BYTES - 5000])
def test_the_largest_environment_and_the_longest_entrypoint_really_start(size: int) -> None:
    env = {"LONG": "x" * size}
    assert start_faults(Document("", job(env=env, entrypoint="true " + "y" * size), {})) == ()
    handed_on = {"RAY_JOB_CONFIG": json.dumps({"runtime_env": {"env_vars": env}}), **env}
    command = ["/bin/sh", "-c", "true " + "y" * size]
    assert subprocess.run(command, env=handed_on, check=False).returncode == 0  # made here


def test_a_variable_that_is_refused_really_breaks_the_interpreter(tmp_path: Path) -> None:
    """The rule about PYTHONHOME is Python's own; were it to change, the rule here should go."""
    broken = subprocess.run(  # this interpreter
        [sys.executable, "-c", ""], env={"PYTHONHOME": str(tmp_path)}, check=False, capture_output=True
    )
    assert broken.returncode != 0


def test_names_that_are_taken_are_those_that_headroom_sets() -> None:
    assert "HEADROOM_JOB_ID" in OURS
    assert not OURS & {"HEADROOM_URL", "HEADROOM_TOKEN"}
    assert all(name.startswith("RAY_") for name in RAYS)
