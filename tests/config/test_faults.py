"""From what pydantic says of a document to sentences with file, line and help."""

from collections.abc import Callable
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from scheduler.config.faults import did_you_mean, dotted, fault_at, read_section
from scheduler.config.yaml_file import Document, parse_yaml
from scheduler.model.errors import Fault

FaultsOf = Callable[..., tuple[Fault, ...]]


class Cat(BaseModel):
    """One form."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)] = 9


class Dog(BaseModel):
    """Another form."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    name: Annotated[str, Field(min_length=1, max_length=5, examples=["rex"])]


class SiteLimits(BaseModel):
    """A section of everything."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
    pets: tuple[Annotated[Cat | Dog, Field(discriminator="kind")], ...] = ()
    by_room: dict[str, Annotated[Cat | Dog, Field(discriminator="kind")]] = Field(default_factory=dict)
    color: Literal["red", "green"] = "red"
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    """Small letters only."""
    height: Annotated[float, Field(gt=0, lt=10)] = 1.0


@pytest.mark.parametrize(
    ("text", "said", "help_"),
    [
        ("pets:\n  - {kind: cat}\n  - {kind: cat, lives: 12}", "3: pets.1.lives: 12 is too large", "use 9 or less"),
        ("pets:\n  - {kind: cat, lives: 0}", "2: pets.0.lives: 0 is too small", "use 1 or more"),
        ("pets:\n  - {kind: dog}", "2: pets.0.name is missing", "name: rex"),
        ("pets:\n  - {kind: dog, name: ''}", "2: pets.0.name: is empty", ""),
        ("pets:\n  - {kind: dog, name: toolong}", "2: pets.0.name: is too long", "use 5 characters or fewer"),
        ("pets:\n  - {kind: cow}", '2: pets.0.kind: "cow" is not one of cat, dog', ""),
        ("pets:\n  - {kind: cats}", '2: pets.0.kind: "cats" is not one of cat, dog', 'did you mean "cat"?'),
        ("pets:\n  - {lives: 2}", "2: pets.0.kind is missing", "kind says which of its forms is meant"),
        ("pets: cat", '1: pets: "cat" is not a list', ""),
        ("pets:\n  - cat", '2: pets.0: "cat" is not a mapping of keys to values', ""),
        ("by_room:\n  hall: {kind: cat, live: 3}", '2: unknown key "live"',
         'did you mean "lives"? all keys: headroom explain x'),
        ("by_room:\n  cat: {kind: cat, lives: x}", '2: by_room.cat.lives: "x" is not a whole number', ""),
        ("color: gren", '1: color: "gren" is not one of red, green', 'did you mean "green"?'),
        ("code: A1", '1: code: "A1" is not allowed', "Small letters only"),
        ("code: 7", "1: code: 7 is not text", 'put it in quotes: "7"'),
        ("height: 0", "1: height: 0 is too small", "use more than 0"),
        ("height: 10", "1: height: 10 is too large", "use less than 10"),
        ("height: high", '1: height: "high" is not a number', ""),
        ("colour: red", '1: unknown key "colour"', 'did you mean "color"? all keys: headroom explain x'),
        ("zzz: 1", '1: unknown key "zzz"', "all keys: headroom explain x"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_has_its_sentence(text: str, said: str, help_: str, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_section, parse_yaml(text, "f.yaml"), SiteLimits, "x")
    assert (str(fault), fault.help) == (f"f.yaml:{said}", help_)


def test_faults_stand_in_the_order_of_the_file(faults_of: FaultsOf) -> None:
    text = "height: 0\npets:\n  - {kind: cat, lives: 0}\ncolor: blue\nheight: 1\nzzz: 1\n"
    found = faults_of(read_section, parse_yaml(text, "f.yaml"), SiteLimits, "x")
    assert [fault.line for fault in found] == [3, 4, 5, 6]
    assert [fault.code for fault in found] == ["BadValue", "BadValue", "DuplicateKey", "UnknownField"]


def test_a_duplicate_key_alone_is_enough_to_refuse(faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_section, parse_yaml("color: red\ncolor: green", "f.yaml"), SiteLimits, "x")
    assert fault.code == "DuplicateKey"


def test_long_values_are_cut(faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_section, Document("", {"color": "x" * 500}, {}), SiteLimits, "x")
    assert len(fault.message) < 120
    assert "…" in fault.message


def test_a_sound_document_is_read() -> None:
    document = parse_yaml("pets: [{kind: dog, name: rex}]\nby_room: {hall: {kind: cat}}\n", "f.yaml")
    site_limits = read_section(document, SiteLimits, "x")
    assert site_limits.pets == (Dog(kind="dog", name="rex"),)
    assert site_limits.by_room == {"hall": Cat(kind="cat")}


def test_a_fault_has_the_line_of_the_nearest_thing_that_is_there() -> None:
    document = parse_yaml("a:\n  b:\n    c: 1\n", "f.yaml")
    assert fault_at(document, ("a", "b", "c"), "X", "m").line == 3
    assert fault_at(document, ("a", "b", "missing", "deeper"), "X", "m").line == 2
    assert fault_at(document, ("nowhere",), "X", "m").line == 0
    assert fault_at(document, ("a", "b"), "X", "m", "do").help == "do"


def test_words_far_from_everything_get_no_guess() -> None:
    assert did_you_mean("workrs", ["workers", "queue"]) == 'did you mean "workers"?'
    assert did_you_mean("xyzzy", ["workers", "queue"]) == ""
    assert did_you_mean("x", []) == ""
    assert dotted(("models", 0, "name")) == "models.0.name"
