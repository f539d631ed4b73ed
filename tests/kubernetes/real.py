"""A real API server for the tests marked `envtest`: that of a kubeconfig, or one started from KUBEBUILDER_ASSETS."""

import base64
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

TOKEN = "envtest-administrator"  # noqa: S105  # of a server that lives as long as the tests
READY_S = 60.0


@dataclass(frozen=True)
class RealServer:
    """A real server and an administrator's client of it."""

    url: str
    client: httpx.Client
    kubeconfig: Path


def why_none() -> str:
    """Return why there is no real server to test against; nothing if there is one."""
    if os.environ.get("HEADROOM_TEST_KUBECONFIG") or os.environ.get("KUBEBUILDER_ASSETS"):
        return ""
    return "no real API server: set KUBEBUILDER_ASSETS or HEADROOM_TEST_KUBECONFIG"


@contextmanager
def real_server(where: Path) -> Iterator[RealServer]:
    """Give the server of the kubeconfig, or start one."""
    if given := os.environ.get("HEADROOM_TEST_KUBECONFIG"):
        with _client_of(Path(given), where) as client:
            yield RealServer(str(client.base_url), client, Path(given))
        return
    with _started(Path(os.environ["KUBEBUILDER_ASSETS"]), where) as server:
        yield server


def _client_of(kubeconfig: Path, where: Path) -> httpx.Client:
    """Return a client with the rights of a kubeconfig's current context: certificates or a token."""
    config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    context = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], context["cluster"])["cluster"]
    user = _named(config["users"], context["user"])["user"]
    trust = ssl.create_default_context()
    if "certificate-authority-data" in cluster:
        trust.load_verify_locations(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    if "client-certificate-data" in user:
        pair = where / "client.pem"
        parts = (base64.b64decode(user[word]) for word in ("client-certificate-data", "client-key-data"))
        pair.write_bytes(b"".join(parts))
        trust.load_cert_chain(pair)
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    return httpx.Client(base_url=cluster["server"], verify=trust, headers=headers, timeout=30)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


@contextmanager
def _started(assets: Path, where: Path) -> Iterator[RealServer]:
    """Start etcd and kube-apiserver on free ports; end both."""
    store, peer, port = _free_port(), _free_port(), _free_port()
    key = where / "service-account.key"
    subprocess.run(
        [shutil.which("openssl") or "openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True
    )
    tokens = where / "tokens.csv"
    tokens.write_text(f"{TOKEN},administrator,1,system:masters\n", encoding="utf-8")
    etcd = [assets / "etcd", f"--data-dir={where}/etcd", f"--listen-client-urls=http://127.0.0.1:{store}"]
    etcd += [f"--advertise-client-urls=http://127.0.0.1:{store}", f"--listen-peer-urls=http://127.0.0.1:{peer}"]
    server = [assets / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={port}"]
    server += ["--bind-address=127.0.0.1", f"--cert-dir={where}/certificates", f"--token-auth-file={tokens}"]
    server += [f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}"]
    server += ["--service-account-issuer=https://localhost", "--authorization-mode=RBAC"]
    with _running(etcd), _running(server):
        yield _when_ready(port, where)


@contextmanager
def _running(command: list[Any]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _when_ready(port: int, where: Path) -> RealServer:
    url, until = f"https://127.0.0.1:{port}", time.monotonic() + READY_S
    client = httpx.Client(base_url=url, verify=False, headers={"Authorization": f"Bearer {TOKEN}"})  # noqa: S501
    while time.monotonic() < until:
        try:
            if client.get("/readyz").is_success:
                break
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "test", "user": {"token": TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }
    (where / "kubeconfig").write_text(yaml.safe_dump(config), encoding="utf-8")
    return RealServer(url, client, where / "kubeconfig")
