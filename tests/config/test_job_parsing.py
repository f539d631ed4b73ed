"""job.yaml: one parser for the client (with file and line) and the server (without)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.config.job import parse_job, read_job
from scheduler.config.yaml_file import parse_yaml
from scheduler.model.errors import ConfigError, Fault
from scheduler.model.resources import Shape
from scheduler.model.workloads import Gang

FaultsOf = Callable[..., tuple[Fault, ...]]

ALLOWED = {"priorities": {"high": 75, "normal": 50, "low": 25}, "queues": ("default", "research"), "owner": "ana"}
WHOLE = """\
name: talkpage-tone
entrypoint: python train.py
resources:
  cpus: 4
  memory: 8Gi
  gpus: 2
  gpu_model: [MI300X, MI210]
  gpu_memory: 64Gi
  host_labels: {zone: b, disk: ssd}
workers: 3
max_workers_per_host: 2
priority: high
queue: research
preemptible: false
max_runtime: 6h
checkpoint_interval: 10m
grace: 45s
working_dir: .
env: {B: "2", A: 1}
"""


def test_every_key_reaches_the_specification() -> None:
    document = parse_yaml(WHOLE, "job.yaml")
    spec = parse_job(document.data, file="job.yaml", lines=document.lines, working_dir="sha256:" + "0" * 64, **ALLOWED)
    shape = Shape(
        cpu_milli=4000, memory_mib=8192, gpu_count=2, gpu_models=frozenset({"MI300X", "MI210"}),
        device_memory_mib=65536, host_labels=(("disk", "ssd"), ("zone", "b")),
    )  # fmt: skip
    assert spec.gang == Gang(3, shape, 2)
    assert (spec.name, spec.entrypoint, spec.owner) == ("talkpage-tone", "python train.py", "ana")
    assert (spec.queue, spec.priority_class, spec.priority, spec.preemptible) == ("research", "high", 75, False)
    assert (spec.max_runtime_s, spec.checkpoint_interval_s, spec.grace_period_s) == (21600.0, 600.0, 45.0)
    assert spec.env == (("A", "1"), ("B", "2"))
    assert spec.working_dir == "sha256:" + "0" * 64


def test_an_entrypoint_is_enough() -> None:
    spec = parse_job({"entrypoint": "python train.py"}, **ALLOWED)
    assert spec.gang == Gang(1, Shape(cpu_milli=1000, memory_mib=1024))
    assert (spec.name, spec.priority, spec.queue, spec.preemptible, spec.working_dir) == (
        "train",
        50,
        "default",
        True,
        "",
    )


@pytest.mark.parametrize(
    ("gpus", "count", "milli"), [(0, 0, 1000), (0.25, 1, 250), (1, 1, 1000), (4, 4, 1000), (0.0001, 1, 1)]
)
def test_shares_of_a_device_become_thousandths(gpus: float, count: int, milli: int) -> None:
    shape = parse_job({"entrypoint": "x", "resources": {"gpus": gpus}}, **ALLOWED).gang.shape
    assert (shape.gpu_count, shape.gpu_milli) == (count, milli)


@pytest.mark.parametrize(
    ("entrypoint", "name"),
    [("python train.py", "train"), ("python -u src/fit_all.py --x 1", "fit_all"), ("bash run.sh", "run"),
     ("A=1 torchrun --standalone big.py", "big"), ("python", "job"), ("./1", "job"), ("echo 'unclosed", "echo"),
     ("/opt/bin/tool", "tool")],
)  # fmt: skip
def test_a_job_without_a_name_is_called_after_its_script(entrypoint: str, name: str) -> None:
    assert read_job({"entrypoint": entrypoint}).name == name


def test_all_faults_of_a_file_come_at_once_in_the_order_of_lines(faults_of: FaultsOf) -> None:
    text = (
        "name: x\n\n\n\nresources:\n  gpus: -1\n  memory: 16GB\nresorces: {}\npriority: hgih\nworkers: 0\n"
        "grace: 5 minutes\nqueue: reserch\nworkers: 2\n"
    )
    document = parse_yaml(text, "job.yaml")
    found = faults_of(parse_job, document.data, file="job.yaml", lines=document.lines, **ALLOWED)
    assert [str(fault) for fault in found] == [
        "job.yaml: entrypoint is missing",
        "job.yaml:6: resources.gpus: -1 is not a size",
        'job.yaml:7: memory "16GB" has no unit we know',
        'job.yaml:8: unknown key "resorces"',
        'job.yaml:9: unknown priority "hgih"',
        'job.yaml:11: grace "5 minutes" is not a duration',
        'job.yaml:12: unknown queue "reserch"',
    ]
    assert [fault.help for fault in found] == [
        'entrypoint: python train.py     (or --entrypoint "python train.py")',
        "use 0 or more; fractions of one GPU (0.25, 0.5) are allowed below 1",
        "16Gi (16 × 2^30 bytes) or 16G (10^9)",
        'did you mean "resources"? all keys: headroom explain job',
        'did you mean "high"? high 75, normal 50, low 25',
        "30s, 10m, 6h, 2d or 1d12h",
        'did you mean "research"? queues: default, research',
    ]


def test_a_request_has_the_same_faults_without_file_and_line(faults_of: FaultsOf) -> None:
    (fault,) = faults_of(parse_job, {"entrypoint": "x", "resources": {"gpu": 1}}, **ALLOWED)
    assert (str(fault), fault.file, fault.line, fault.field) == ('unknown key "gpu"', "", 0, "resources.gpu")
    assert fault.help == 'did you mean "gpus"? all keys: headroom explain job'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"entrypoint": "  "}, 'entrypoint: "  " is not allowed'),
        ({"name": "12"}, 'name: "12" is not allowed'),
        ({"name": "a b"}, 'name: "a b" is not allowed'),
        ({"name": "x" * 64}, "name: is too long"),
        ({"workers": 1.5}, "workers: 1.5 is not a whole number or a range"),
        ({"workers": -2}, "workers: -2 is too small"),
        ({"workers": {"min": 0, "max": 4}}, "workers: 0 is too small"),
        ({"workers": {"min": 4, "max": 2}}, "workers: at least 4 are more than at most 2"),
        ({"workers": "8-2"}, "workers: at least 8 are more than at most 2"),
        ({"workers": "few"}, "workers: few is not a whole number or a range"),
        ({"workers": True}, "workers: True is not a whole number or a range"),
        ({"workers": {"min": 2}}, "workers.max is missing"),
        ({"workers": {"min": 2, "max": 4, "most": 5}}, 'unknown key "most"'),
        ({"workers": {"min": 2, "max": "many"}}, 'workers.max: "many" is not a whole number'),
        ({"preemptible": "maybe"}, 'preemptible: "maybe" is neither true nor false'),
        ({"env": {"A": True}}, "env.A: true is not text"),
        ({"env": []}, "env: [] is not a mapping of keys to values"),
        ({"resources": 3}, "resources: 3 is not a mapping of keys to values"),
        ({"resources": {"gpus": 1.5}}, "resources.gpus: 1.5 is not a size"),
        ({"resources": {"cpus": -1}}, "resources.cpus: -1 is not a size"),
        ({"resources": {"memory": 16}}, 'memory "16" has no unit we know'),
        ({"resources": {"gpu_model": 3}}, "resources.gpu_model: 3 is not a list"),
        ({"priority": 7}, "priority: 7 is not text"),
        ({"max_runtime": -5}, "max_runtime: -5 is not a duration"),
    ],
)
def test_each_wrong_value_is_named(changes: dict, message: str, faults_of: FaultsOf) -> None:
    found = faults_of(parse_job, {"entrypoint": "x", **changes}, **ALLOWED)
    assert [fault.message for fault in found] == [message]


@pytest.mark.parametrize(
    ("workers", "fewest", "most"),
    [
        (4, 4, 0),
        ("4", 4, 0),
        ("2-8", 2, 8),
        ("2 – 8", 2, 8),
        ({"min": 2, "max": 8}, 2, 8),
        ({"min": 3, "max": 3}, 3, 0),
    ],
)
def test_workers_are_a_number_or_a_range(workers: object, fewest: int, most: int) -> None:
    gang = parse_job({"entrypoint": "x", "workers": workers}, **ALLOWED).gang
    assert (gang.workers, gang.max_workers, gang.is_elastic) == (fewest, most, bool(most))


@pytest.mark.parametrize("content", [[], "text", 3, None])
def test_what_is_no_mapping_is_refused(content: object, faults_of: FaultsOf) -> None:
    (fault,) = faults_of(read_job, content, file="job.yaml")
    assert str(fault) == "job.yaml: is not a mapping of keys to values"


def test_a_job_that_says_no_grace_period_gets_the_default_or_the_most_that_the_site_allows() -> None:
    assert parse_job({"entrypoint": "x"}, max_grace_s=10.0, **ALLOWED).grace_period_s == 10.0
    assert parse_job({"entrypoint": "x"}, max_grace_s=60.0, **ALLOWED).grace_period_s == 30.0
    assert parse_job({"entrypoint": "x"}, **ALLOWED).grace_period_s == 30.0


def test_a_longer_grace_period_than_the_site_allows_is_refused(faults_of: FaultsOf) -> None:
    (fault,) = faults_of(parse_job, {"entrypoint": "x", "grace": "2m"}, max_grace_s=60.0, **ALLOWED)
    assert fault.message == "grace: 2m is longer than this cluster waits when it preempts"
    assert fault.help == "use 1m or less"
    assert parse_job({"entrypoint": "x", "grace": "1m"}, max_grace_s=60.0, **ALLOWED).grace_period_s == 60.0


def test_the_examples_in_the_repository_are_sound() -> None:
    folder = Path(__file__).parents[2] / "configs" / "jobs"
    files = sorted(folder.glob("*.yaml"))
    assert files
    for file in files:
        document = parse_yaml(file.read_text(encoding="utf-8"), file.name)
        job = read_job(document.data, file=file.name, lines=document.lines)
        script = job.entrypoint.split()[1]
        assert (folder / job.working_dir / script).is_file()


@pytest.mark.parametrize("path", ["../secrets", "/etc", "a/../b", ".hidden", "a//b", "", "a\nb", "~/x"])
def test_what_a_job_publishes_lies_in_its_own_folder(path: str) -> None:
    mapping = {"entrypoint": "true", "publishes": {"model": "tone", "path": path}}
    with pytest.raises(ConfigError, match=r"publishes\.path"):
        read_job(mapping)
