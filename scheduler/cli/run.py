"""`headroom run`: the control plane for a cluster, in the foreground until it is told to stop."""

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from scheduler.cli.errors import warn
from scheduler.cli.hangup import heeding, told_by_hangup
from scheduler.cli.screen import Screen
from scheduler.cli.session import Session
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, Superseded, Unreachable

if TYPE_CHECKING:
    import uvicorn

    from scheduler.backends.ray.local import LocalAddress, LocalRay
    from scheduler.cli.composition.cluster import Seat
    from scheduler.cli.composition.plane import ControlPlane
    from scheduler.cli.composition.reloading import Read
    from scheduler.config.schema import Config, Kubernetes, RemoteRay, Section
    from scheduler.config.yaml_file import Document
    from scheduler.store.leases import HeldLease

SectionT = TypeVar("SectionT", bound="Section")
LAST_TURN_S = 30.0
"""Wall seconds that the loop gets to finish its turn."""
LAST_STEP_S = 5.0
"""Wall seconds that pruning gets to finish its step; it may be cut off anywhere."""


def run(  # noqa: PLR0913  # one argument a flag
    context: typer.Context,
    *,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The cluster's YAML, for instance configs/laptop.yaml.")
    ],
    port: Annotated[int | None, typer.Option(help="Port of the API; 0 for a free one.", show_default=False)] = None,
    router_port: Annotated[int | None, typer.Option(help="Port of the front router.", show_default=False)] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where state is kept.", show_default=False)] = None,
    reactive: Annotated[
        bool, typer.Option("--reactive", help="Plan by the load of the moment, without the forecast.")
    ] = False,
    standby: Annotated[
        bool, typer.Option("--standby", help="Where another one leads, answer questions and wait to take over.")
    ] = False,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Take the cluster over from a control plane of another store that is silent."),
    ] = False,
) -> None:
    """Start the control plane and keep it running until Ctrl-C. Flags win over the file."""
    from scheduler.cli.composition.cluster import Seat, this_process  # noqa: PLC0415  # other commands need not load it
    from scheduler.cli.composition.state import store_url  # noqa: PLC0415  # likewise
    from scheduler.cli.standby import lead_in_turn  # noqa: PLC0415  # likewise
    from scheduler.config.loading import load_with_lines  # noqa: PLC0415  # likewise
    from scheduler.store.ownership import Candidacy  # noqa: PLC0415  # likewise

    signal.signal(signal.SIGTERM, _leave)
    os.umask(0o077)  # what we and our children make is for us only
    screen, hung_up = Session.of(context).screen, told_by_hangup()

    def read() -> "tuple[Config, Document]":
        found, document = load_with_lines(config)
        sections = {
            "api": _updated(found.api, port=port),
            "router": _updated(found.router, port=router_port),
            "control": _updated(found.control, reactive=reactive or None),
            "state_dir": state_dir or found.state_dir,
        }
        return found.model_copy(update=sections), document

    loaded, _ = read()
    with listening(loaded.api.host, loaded.api.port) as listener:
        url = loaded.api.url or url_of(listener)
        with Candidacy(store_url(loaded), holder=this_process(), address=url) as candidacy:

            def lead(lease: "HeldLease") -> None:
                with reached(loaded, screen, lease) as where:
                    serve(loaded, where, Seat(lease, url, take_over), listener, screen, Again(read, hung_up))

            if standby:
                lead_in_turn(loaded, candidacy, listener, screen, lead)
            else:
                lead(candidacy.insist())


@dataclass(frozen=True, slots=True)
class Again:
    """How the file is read again.

    Attributes:
        read: reads it, the flags of the command line included.
        told: set when a signal asks for it.
    """

    read: "Read"
    told: threading.Event


def serve(  # noqa: PLR0913, PLR0917  # the parts of a control plane
    config: "Config",
    where: "RemoteRay | Kubernetes",
    seat: "Seat",
    listener: socket.socket,
    screen: Screen,
    again: Again,
) -> None:
    """Run the loop and the API until a signal, or until somebody else leads.

    Raises:
        HeadroomError: what ended the loop.
    """
    from scheduler.api.serving import server_of  # noqa: PLC0415  # other commands need not load it
    from scheduler.cli.composition.plane import compose, web_app  # noqa: PLC0415  # likewise

    with closing(compose(config, where, seat, partial(warn, screen=screen), read=again.read)) as plane:
        with suppress(Unreachable):  # the loop says so, and asks again
            plane.cluster.claim()
        server = server_of(web_app(plane))
        screen.note(_banner(config, where, listener))
        reload = plane.reloader.reload_on_signal if plane.reloader else str
        with looping(plane, server, screen, seat.lease), heeding(again.told, reload, screen):
            server.run(sockets=[listener.dup()])  # it closes what it is given


@contextmanager
def looping(plane: "ControlPlane", server: "uvicorn.Server", screen: Screen, lease: "HeldLease") -> Iterator[None]:
    """Run the control loop beside the block, until another one leads; raise at its end what ended it."""
    from scheduler.cli.ticker import tell_cycles  # noqa: PLC0415  # other commands need not load it
    from scheduler.control.loop import run_forever  # noqa: PLC0415  # likewise
    from scheduler.control.service.publishing import publish_forever  # noqa: PLC0415  # likewise
    from scheduler.control.upkeep.pruning import prune_forever  # noqa: PLC0415  # likewise
    from scheduler.control.whatif.etas import MOST_SPEED  # noqa: PLC0415  # likewise

    died: list[BaseException] = []
    lost = threading.Event()

    def leave() -> None:
        for event in (lost, plane.stop, plane.poke):
            event.set()
        server.should_exit = True

    def loop() -> None:
        try:
            run_forever(plane.cycle, plane.stop, plane.poke)
        except BaseException as error:  # noqa: BLE001  # raised again by whoever waits for the thread
            died.append(error)
            server.should_exit = True

    threads = [
        threading.Thread(target=loop, name="control-loop", daemon=True),
        threading.Thread(target=tell_cycles, args=(plane.board, plane.stop, screen), name="ticker", daemon=True),
        threading.Thread(target=prune_forever, args=(plane.pruner, plane.stop), name="pruning", daemon=True),
        threading.Thread(target=publish_forever, args=(plane.publisher, plane.stop), name="publishing", daemon=True),
    ]
    if plane.clock.speed <= MOST_SPEED:
        threads.append(threading.Thread(target=plane.etas.run_forever, args=(plane.stop,), name="etas", daemon=True))
    for thread in threads:
        thread.start()
    lease.when_lost(leave)
    try:
        yield
    finally:
        plane.stop.set()
        plane.poke.set()
        threads[0].join(timeout=LAST_TURN_S)
        for beside in threads[2:4]:
            beside.join(timeout=LAST_STEP_S)
    if died:
        raise died[0]
    if lost.is_set():
        lease.prove()  # says who leads now


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind the API's address before anything else is started.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is taken by another program", help="--port 0 picks a free one, or stop it"
            ) from error
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}", help="set api.host to an address of this machine"
        ) from error
    with listener:
        yield listener


@contextmanager
def reached(config: "Config", screen: Screen, lease: "HeldLease") -> Iterator["RemoteRay | Kubernetes"]:
    """Yield where the cluster answers; a local Ray is started or found again, and ended with the block."""
    from scheduler.cli.composition.cluster import local_ray  # noqa: PLC0415  # other commands need not load it
    from scheduler.config.schema import Kubernetes, RemoteRay  # noqa: PLC0415  # likewise

    if isinstance(config.backend, RemoteRay | Kubernetes):
        yield config.backend
        return
    local, began_s = local_ray(config.backend, config.state_dir), time.monotonic()
    screen.note(
        f"starting Ray on this machine: {plural(len(config.backend.hosts), 'host')}, their GPUs are bookkeeping"
    )
    try:
        address = local.start()
        screen.note(f"Ray is up after {time.monotonic() - began_s:.0f} s")
        with kept_alive(local, address, lease, screen):
            yield RemoteRay(kind="ray", address=address.address, dashboard=address.dashboard_url)
    except Superseded:
        raise  # what runs there is the other one's now
    except BaseException:
        local.stop()
        raise
    local.stop()


@contextmanager
def kept_alive(local: "LocalRay", address: "LocalAddress", lease: "HeldLease", screen: Screen) -> Iterator[None]:
    """Start a local cluster anew when it dies within the block."""
    from scheduler.cli.reviving import keep_alive  # noqa: PLC0415  # other commands need not load it

    over = threading.Event()
    builder = threading.Thread(
        target=keep_alive, args=(local, address, lease, over, screen), name="ray-builder", daemon=True
    )
    builder.start()
    try:
        yield
    finally:
        over.set()
        builder.join(timeout=LAST_TURN_S)


def url_of(listener: socket.socket) -> str:
    """Return where others reach what listens here, as far as this machine knows its name."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared with, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _updated(section: "SectionT", **changes: object) -> "SectionT":
    """Return a section with the changes that are not None."""
    return section.model_copy(update={name: value for name, value in changes.items() if value is not None})


def _banner(config: "Config", where: "RemoteRay | Kubernetes", listener: socket.socket) -> str:
    from importlib.metadata import version  # noqa: PLC0415  # slow, and needed once

    store = config.store.partition(":")[0] or "sqlite"
    release = version("headroom-scheduler")
    cluster = (
        f"Ray at {where.address}" if where.kind == "ray" else f"Kubernetes, {where.context or 'as it is reached here'}"
    )
    return f"headroom {release} · {cluster} · store {store} · page and API at {url_of(listener)}/"


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
