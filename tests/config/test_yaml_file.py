"""YAML with lines: where everything stands, and what is wrong with it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.yaml_file import parse_yaml, read_yaml
from scheduler.model.errors import Fault

FaultsOf = Callable[..., tuple[Fault, ...]]


def test_values_and_lines_of_keys_and_items_are_known() -> None:
    document = parse_yaml("a: 1\nb:\n  - x\n  - {c: 2.5, d: true}\n", "f.yaml")
    assert document.data == {"a": 1, "b": ["x", {"c": 2.5, "d": True}]}
    assert document.lines["a",] == 1
    assert document.lines["b",] == 2
    assert document.lines["b", 1] == 4
    assert document.lines["b", 1, "d"] == 4


@pytest.mark.parametrize("word", ["no", "yes", "on", "off", "2012-02-04T18:40:00Z", "2012-02-04"])
def test_words_that_yaml_1_1_twists_stay_text(word: str) -> None:
    assert parse_yaml(f"a: {word}", "f.yaml").data == {"a": word}


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    document = parse_yaml("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n", "f.yaml")
    assert document.data == {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}
    assert document.faults == ()


def test_a_key_that_stands_twice_is_a_fault_with_both_lines() -> None:
    (fault,) = parse_yaml("a: 1\nb: {c: 1,\n  c: 2}\n", "f.yaml").faults
    assert str(fault) == 'f.yaml:3: "c" stands twice, first on line 2'
    assert (fault.code, fault.field, fault.help) == ("DuplicateKey", "b.c", "keep one of them")


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert parse_yaml("# nothing\n", "f.yaml").data == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\nb: 2", "f.yaml:2: is not YAML"),
        ("a: 1\n\tb: 2", "f.yaml:2: is not YAML"),
        ("a: *nowhere", "f.yaml:1: is not YAML"),
        ("a: !!python/object:os.system x", "f.yaml:1: is not YAML"),
        ("a: &x [*x]", "f.yaml:1: is not YAML"),
        ("a: 1\n---\nb: 2", "f.yaml:2: is not YAML"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, message: str, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(parse_yaml, text, "f.yaml")
    assert str(fault).startswith(message)
    assert fault.code == "BadYaml"


def test_a_control_character_is_named_with_its_line(faults_of: FaultsOf) -> None:
    (fault,) = faults_of(parse_yaml, "a: 1\nb: \x1f\n", "f.yaml")
    assert str(fault) == "f.yaml:2: is not YAML: it has the control character U+001F"


def test_files_that_cannot_be_read_are_named(tmp_path: Path, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_yaml, tmp_path / "none.yaml")
    assert fault.message == "cannot be read: No such file or directory"
    assert fault.file == str(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4")
    (fault,) = faults_of(read_yaml, tmp_path / "latin.yaml")
    assert fault.message == "is not UTF-8 text"
