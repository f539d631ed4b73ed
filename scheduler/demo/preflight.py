"""What must be so before the demo starts anything; all that is not is said at once."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

from scheduler.backends.ray import machine
from scheduler.demo.play import Ports
from scheduler.model.errors import ConfigError, Fault

NEEDED_MIB = 4_000
"""What the demo was seen to use at most, 2,900 MiB, with a third on top."""


def check(ports: Ports) -> Ports:
    """Return ports that are free, with 0 replaced by one that is.

    Raises:
        ConfigError: too little memory, or a port is taken; all faults at once.
    """
    faults = [*_memory_faults(), *_port_faults((ports.api, "--port"), (ports.router, "--router-port"))]
    if faults:
        raise ConfigError(*faults)
    free = iter(machine.free_ports(2))
    return Ports(ports.api or next(free), ports.router or next(free))


def free_port(port: int) -> int:
    """Return a port of the API that is free: this one, or any for 0.

    Raises:
        ConfigError: it is taken.
    """
    if faults := [*_port_faults((port, "--port"))]:
        raise ConfigError(*faults)
    return port or next(iter(machine.free_ports(1)))


def _memory_faults() -> Iterator[Fault]:
    available = machine.available_mib()
    if available < NEEDED_MIB:
        yield Fault(
            "TooLittleMemory",
            f"the demo needs {NEEDED_MIB} MiB of memory, {available} MiB are free",
            help="end other programs; `headroom simulate` shows the planner without Ray and needs 300 MiB",
        )


def _port_faults(*wanted: tuple[int, str]) -> Iterator[Fault]:
    with ExitStack() as bound:
        for port, flag in wanted:
            try:
                bound.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                help_ = f"{flag} 0 picks a free one, or stop it"
                yield Fault("PortTaken", f"port {port} is taken by another program", field=flag, help=help_)
