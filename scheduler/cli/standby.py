"""`headroom run --standby`: answers questions while another control plane leads, and takes over when that ends."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from scheduler.api.pointing import pointing_to
from scheduler.api.serving import server_of
from scheduler.cli.composition.stand_in import StandIn, compose_stand_in
from scheduler.cli.screen import Screen
from scheduler.config.schema import Config
from scheduler.control.leadership import Leader
from scheduler.model.errors import ClusterTaken, Superseded, Unreachable
from scheduler.store.leases import HeldLease
from scheduler.store.ownership import Candidacy

LOOK_S: Final = 0.5
"""How often it tries to lead."""
FOLLOW_S: Final = 2.0
"""How often the last plan is read again, where that is quick."""
FOLLOW_SPARE: Final = 10.0
"""On a large site it is read so much more seldom than it takes."""
GRACE_S: Final = 1
"""Wall seconds that open streams get when the API goes over to the leader's."""

Lead = Callable[[HeldLease], None]


def lead_in_turn(config: Config, candidacy: Candidacy, listener: socket.socket, screen: Screen, lead: Lead) -> None:
    """Lead whenever nobody else does, and wait in between, until a signal.

    Args:
        config: checked by `load_config`.
        candidacy: tries to lead.
        listener: where the API answers, waiting or leading.
        screen: for people.
        lead: is the control plane; ends with `Superseded` when somebody else leads.

    Raises:
        HeadroomError: what ended it while it led.
    """
    while True:
        lease = None
        with suppress(Unreachable):
            lease = candidacy.take()
        lease = lease or waited(config, candidacy, listener, screen)
        try:
            lead(lease)
        except ClusterTaken:
            raise  # another store's: waiting does not help
        except Superseded as error:
            screen.note(str(error))
        except Unreachable as error:
            lease.release()  # it could not begin: somebody else may
            screen.note(str(error))
            time.sleep(FOLLOW_S)
        else:
            return


def waited(config: Config, candidacy: Candidacy, listener: socket.socket, screen: Screen) -> HeldLease:
    """Answer questions until this process leads."""
    known: list[Leader | None] = [None]
    stand_in = _composed(config, lambda: known[0], screen)
    server = server_of(stand_in.app, GRACE_S)
    with suppress(Unreachable):
        known[0] = candidacy.leader()
        screen.note(str(pointing_to(known[0])))
    leases: list[HeldLease] = []
    over = threading.Event()

    def look() -> None:
        leases.extend(filter(None, [_taken(candidacy, stand_in, known, over)]))
        server.should_exit = True

    thread = threading.Thread(target=look, name="standby", daemon=True)
    thread.start()
    try:
        server.run(sockets=[listener.dup()])
    finally:
        over.set()
        thread.join()
        stand_in.store.close()
    if not leases:
        raise SystemExit(0)
    screen.note("this one leads now")
    return leases[0]


def _composed(config: Config, leader: Callable[[], Leader | None], screen: Screen) -> StandIn:
    """Wait for a store that does not answer: that may be why this one has stepped down."""
    while True:
        try:
            return compose_stand_in(config, leader)
        except Unreachable as error:
            screen.note(str(error))
            time.sleep(FOLLOW_S)


def _taken(
    candidacy: Candidacy, stand_in: StandIn, known: list[Leader | None], over: threading.Event
) -> HeldLease | None:
    """Try to lead until it succeeds, or until it is over; keep who leads meanwhile as the only one of `known`."""
    next_s = 0.0
    while not over.is_set():
        try:
            if (lease := candidacy.take()) is not None:
                return lease
            known[0] = candidacy.leader()
            if (began_s := time.monotonic()) >= next_s:
                stand_in.follow(str(pointing_to(known[0])))
                next_s = began_s + max(FOLLOW_S, FOLLOW_SPARE * (time.monotonic() - began_s))
        except Unreachable as error:
            known[0] = None
            stand_in.board.degrade(str(error))
        except Exception as error:  # noqa: BLE001  # whatever it is, one that stands by goes on trying to lead
            stand_in.board.degrade(f"the last plan cannot be shown: {type(error).__name__}: {error}")
        over.wait(LOOK_S)
    return None
