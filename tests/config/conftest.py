"""Files to read, and the faults that reading them gives."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.model.errors import ConfigError, Fault

CLUSTER = """\
cluster: small
backend:
  kind: local
  hosts:
    - {name: gpu-1, gpus: 4, gpu_model: MI300X}
traffic:
  wiki: {kind: prometheus, url: "http://127.0.0.1:9090", query: up}
models:
  - name: edit-check
    capacity: {kind: rate, rps_per_replica: 15}
    traffic: wiki
    served_elsewhere: true
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Callable[..., Path]:
    """Write a cluster.yaml; each argument is a (text, replacement) in a small sound one."""

    def write(*changes: tuple[str, str]) -> Path:
        text = CLUSTER
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "cluster.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def faults_of() -> Callable[..., tuple[Fault, ...]]:
    """Call something that must raise a ConfigError and return its faults."""

    def call(function: Callable[..., object], *arguments: object, **named: object) -> tuple[Fault, ...]:
        with pytest.raises(ConfigError) as caught:
            function(*arguments, **named)
        return caught.value.faults

    return call
