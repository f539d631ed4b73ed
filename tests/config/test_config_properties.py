"""Whatever is in a file, reading it ends in a value or in faults that people can act on; never in anything else."""

import string
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from scheduler.config.faults import did_you_mean, read_section
from scheduler.config.fields import keys
from scheduler.config.job import parse_job, read_job
from scheduler.config.nouns import shape_of
from scheduler.config.schema import Config, JobFile, Resources
from scheduler.config.yaml_file import Document, parse_yaml
from scheduler.model.errors import ConfigError, Fault

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
job_keys = st.sampled_from([*JobFile.model_fields, *Resources.model_fields, "other"])
config_keys = st.sampled_from([*Config.model_fields, "kind", "hosts", "name", "other"])
letters = st.text(string.ascii_lowercase, min_size=1)
words = st.text(string.ascii_letters + string.digits + " .-", max_size=9)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(letters, inner, max_size=3),
    max_leaves=10,
)


def judged(read: Callable[[], object]) -> bool:
    """Read something; whether it was sound. All its faults must be whole."""
    faults: tuple[Fault, ...] = ()
    try:
        read()
    except ConfigError as error:
        faults = error.faults
    assert all(fault.message and fault.code for fault in faults)
    return not faults


@given(st.dictionaries(job_keys, values, max_size=6))
def test_any_mapping_is_a_job_or_has_faults(mapping: Mapping[str, object]) -> None:
    judged(lambda: parse_job(mapping, priorities={"normal": 50}, queues=("default",), owner=""))


@given(st.dictionaries(config_keys, st.dictionaries(config_keys, values, max_size=3) | values, max_size=6))
def test_any_mapping_is_a_configuration_or_has_faults(mapping: Mapping[str, object]) -> None:
    judged(lambda: read_section(Document("f.yaml", mapping, {}), Config, "cluster"))


@given(st.text(max_size=60))
def test_any_text_is_yaml_or_has_faults(text: str) -> None:
    judged(lambda: parse_yaml(text, "f.yaml"))


@given(st.text(st.sampled_from("ab:{}[],&*<-|>#'\"! \n\t01"), max_size=40))
def test_any_soup_of_yaml_signs_is_yaml_or_has_faults(text: str) -> None:
    judged(lambda: parse_yaml(text, "f.yaml"))


@given(st.dictionaries(letters, plain, max_size=4))
def test_what_was_written_as_yaml_is_read_back_with_a_line_for_everything(content: dict[str, Any]) -> None:
    document = parse_yaml(yaml.safe_dump(content, allow_unicode=True), "f.yaml")
    assert document.data == content
    assert set(_places(content)) <= set(document.lines)
    assert all(line >= 1 for line in document.lines.values())


def _places(value: object, where: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [where, *(place for key, one in inner for place in _places(one, (*where, key)))]


@given(
    st.integers(1, 50), st.integers(0, 8) | st.floats(0.001, 0.999), st.floats(0, 200), st.integers(0, 1000),
    st.sampled_from(["", "MI210", "MI300X"]),
)  # fmt: skip
def test_a_sound_job_asks_for_exactly_what_was_written(
    workers: int, gpus: float, cpus: float, memory_gib: int, gpu_model: str
) -> None:
    resources: dict[str, object] = {"gpus": gpus, "cpus": cpus, "memory": f"{memory_gib}Gi"}
    if gpu_model:
        resources["gpu_model"] = gpu_model
    mapping = {"entrypoint": "python train.py", "workers": workers, "resources": resources}
    gang = parse_job(mapping, priorities={"normal": 50}, queues=("default",), owner="").gang
    assert gang.workers == workers
    assert abs(gang.shape.total_gpu_milli - 1000 * gpus) <= 0.5
    assert (gang.shape.gpu_count == 0) == (gpus == 0)
    assert abs(gang.shape.cpu_milli - 1000 * cpus) <= 0.5
    assert gang.shape.memory_mib == 1024 * memory_gib
    assert gang.shape.gpu_models == ({gpu_model} if gpu_model else set())


@given(st.integers(2, 100))
def test_several_devices_are_whole(gpus: int) -> None:
    shape = shape_of(Resources(gpus=gpus))
    assert (shape.gpu_count, shape.gpu_milli) == (gpus, 1000)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_a_name_made_from_any_entrypoint_is_one_that_may_be_given(entrypoint: str) -> None:
    if judged(lambda: read_job({"entrypoint": entrypoint})):
        name = read_job({"entrypoint": entrypoint}).name
        assert read_job({"entrypoint": entrypoint, "name": name}).name == name


@given(st.sampled_from([key.path.rpartition(".")[2] for key in keys(JobFile)]), st.data())
def test_one_slip_of_the_finger_is_understood(word: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(word) - 1))
    slipped = word[:position] + word[position + 1 :]
    known = {key.path.rpartition(".")[2] for key in keys(JobFile)}
    if len(word) >= 5 and slipped not in known:
        assert did_you_mean(slipped, known).startswith('did you mean "')
