"""The process that owns a local Ray cluster: starts it, writes its address, and takes it down when told or let go.

Run by `scheduler.backends.ray.local.LocalRay`, not by hand.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scheduler.backends.ray import machine, processes
from scheduler.backends.ray.local import LocalAddress, LocalHostSpec, write_address

STORE_BYTES: Final = machine.STORE_MIB * machine.MIB
SETTINGS: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_prestart_worker_first_driver": "0",  # a host that claims 64 cores would start 64 workers
    "RAY_enable_worker_prestart": "0",
    "RAY_health_check_period_ms": "1000",  # a lost host is seen in seconds; a slow one keeps the 10 s per answer
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",  # saves thread hops per request on few cores
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "1",  # a busy model must not fail its own health check
    "RAY_worker_niceness": "0",  # Ray's 15 would let anything on this machine go before a request
    "RAY_SERVE_LOG_TO_STDERR": "0",
}
"""What Ray's processes inherit."""


def main(order: Mapping[str, Any], *, leashed: bool) -> None:
    """Bring the cluster up, stay, and take it down on SIGTERM, SIGINT or when the leash is let go.

    Args:
        order: token, state_dir, ports and hosts, as `LocalRay` sends them.
        leashed: standard input is a pipe whose end means that the owner is gone.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit())
    processes.adopt_orphans()
    scratch = processes.scratch(order["token"])
    os.environ.update(SETTINGS, RAY_TMPDIR=str(scratch))
    try:
        scratch.mkdir()
        write_address(Path(order["state_dir"]), _bring_up(order))
        _stay(leashed=leashed)
    finally:
        processes.end_family(order["token"], os.getpid())
        shutil.rmtree(scratch, ignore_errors=True)


def _stay(*, leashed: bool) -> None:
    threading.Thread(target=_bury, name="bury", daemon=True).start()
    if leashed:
        sys.stdin.read()
    else:
        signal.pause()


def _bury() -> None:
    """Wait for children that ended, own and adopted ones: nobody else does, and they would stay as zombies."""
    while True:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)
            continue
        time.sleep(1.0)


def _bring_up(order: Mapping[str, Any]) -> LocalAddress:
    # Imported late: Ray reads its settings from the environment when it is imported.
    from ray.cluster_utils import Cluster  # noqa: PLC0415

    hosts = [LocalHostSpec(**host) for host in order["hosts"]]
    ports = machine.free_ports(len(hosts) + 2)
    cluster = Cluster(shutdown_at_exit=False)
    cluster.add_node(**_head(order["ports"], ports.pop(), ports.pop()))
    nodes = [
        cluster.add_node(wait=False, **_node(host, number, ports.pop())) for number, host in enumerate(hosts, start=11)
    ]
    cluster.wait_for_nodes()
    return LocalAddress(
        address=cluster.address,
        dashboard_url=f"http://{cluster.webui_url}",
        pid=os.getpid(),
        token=order["token"],
        hosts=tuple(hosts),
        raylet_pids=tuple(node.all_processes["raylet"][0].process.pid for node in nodes),
    )


def _head(ports: Mapping[str, int], dashboard_port: int, agent_port: int) -> dict[str, Any]:
    """Return what the head is started with: the ports that are asked for, others where none are."""
    return {
        **({"gcs_server_port": ports["gcs_port"]} if "gcs_port" in ports else {}),
        "num_cpus": 0,  # takes no work: it is not one of the hosts
        "node_ip_address": "127.0.0.10",
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": ports["dashboard_port"] or dashboard_port,
        "dashboard_agent_listen_port": agent_port,
        "object_store_memory": STORE_BYTES,
        "no_monitor": True,  # nothing to scale
        "include_log_monitor": False,  # nobody's terminal to copy logs to
    }


def _node(host: LocalHostSpec, number: int, agent_port: int) -> dict[str, Any]:
    return {
        "num_cpus": host.cpus,
        "num_gpus": host.gpus * host.gpu_partitions,
        "memory": host.memory_mib * machine.MIB,
        "node_ip_address": f"127.0.0.{number}",
        "dashboard_agent_listen_port": agent_port,  # one each, else Ray cannot read the logs of jobs
        "object_store_memory": STORE_BYTES,
        "labels": host.ray_labels(),
    }


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), leashed=sys.argv[2] == "leashed")
