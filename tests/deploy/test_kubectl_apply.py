"""The real kubectl puts deploy/kubernetes on the double, as docs/kubernetes.md says."""

import subprocess
from pathlib import Path

import pytest

from simulations.kubernetes.rest import Rest, path
from simulations.kubernetes.server import Server
from simulations.kubernetes.transport import client
from tests.deploy.conftest import ROOT
from tests.kubernetes.conftest import fresh_api, write_kubeconfig
from tests.kubernetes.test_kubectl import program

RENEWED = "poddisruptionbudget"
"""Its selector is always sent by kubectl: the API says of it that it is replaced, never merged."""


@pytest.mark.parametrize("folder", ["", "overlays/two-replicas"])
def test_what_is_shipped_is_applied_and_a_second_time_changes_nothing(folder: str, tmp_path: Path) -> None:
    api = fresh_api()
    with Server(api) as server:
        config = write_kubeconfig(tmp_path / "kubeconfig", server.url)
        command = [
            program(),
            "--kubeconfig",
            str(config),
            "--cache-dir",
            str(tmp_path),
            "apply",
            "-k",
            str(ROOT / folder),
        ]
        first, second = (
            subprocess.run(command, capture_output=True, text=True, timeout=60, check=False) for _ in range(2)
        )
    assert (first.returncode, first.stderr) == (0, "")
    assert {line.split()[-1] for line in first.stdout.splitlines()} == {"created"}
    assert {line.split()[-1] for line in second.stdout.splitlines() if not line.startswith(RENEWED)} == {"unchanged"}
    rest = Rest(client(api))
    (made,) = rest.list(path("apps/v1", "deployments", "headroom"))
    assert made["spec"]["replicas"] == (2 if folder else 1)
