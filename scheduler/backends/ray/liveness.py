"""Whether a local cluster lives: its GCS and its dashboard answer, and a host of it is there."""

import socket
import time
from typing import TYPE_CHECKING, Final

import httpx

if TYPE_CHECKING:
    from scheduler.backends.ray.local import LocalAddress

ANSWER_S: Final = 20.0
"""Wall seconds that a cluster which was found has to show that it lives."""
KNOCK_S: Final = 3.0


def answers(address: "LocalAddress", within_s: float = ANSWER_S) -> bool:
    """Whether a cluster that was found is one: its GCS and its dashboard answer, and a host of it is alive.

    The dashboard is asked for the nodes, which it does not know by itself.
    """
    deadline = time.monotonic() + within_s
    while not _has_hosts(address):
        if time.monotonic() > deadline or not _listens(address.address):
            return False
        time.sleep(0.5)
    return True


def is_dead(address: "LocalAddress") -> bool:
    """Whether nobody listens where the GCS or the dashboard did: without either nothing can be seen or started."""
    return not (_listens(address.address) and _listens(address.dashboard_url))


def _has_hosts(address: "LocalAddress") -> bool:
    try:
        answer = httpx.get(f"{address.dashboard_url}/api/v0/nodes", timeout=ANSWER_S / 2, trust_env=False)
        nodes = answer.raise_for_status().json()["data"]["result"]["result"]
        return any(node["state"] == "ALIVE" and not node["is_head_node"] for node in nodes)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False


def _listens(address: str) -> bool:
    host = address.removeprefix("http://").rpartition(":")[0]
    try:
        socket.create_connection((host, port_of(address)), timeout=KNOCK_S).close()
    except (OSError, ValueError):
        return False
    return True


def port_of(address: str) -> int:
    """Return the port of an address or a URL."""
    return int(address.rpartition(":")[2])
