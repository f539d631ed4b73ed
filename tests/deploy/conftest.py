"""What `kubectl apply -k` would send, rendered by the real kubectl."""

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.test_kubectl import program

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
Rendered = Callable[[str], list[dict[str, Any]]]


@cache
def render(folder: str) -> str:
    """Return what kubectl makes of a folder below deploy/kubernetes; "" for that folder itself."""
    command = [program(), "kustomize", str(ROOT / folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def rendered() -> Rendered:
    """Return the objects of a folder."""
    return lambda folder: list(yaml.safe_load_all(render(folder)))
