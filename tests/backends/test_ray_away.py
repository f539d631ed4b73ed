"""A Ray that is not there is said to be so at once, and again on every turn."""

import socket

import pytest

from scheduler.backends.ray.claimant import Claimant
from scheduler.backends.ray.link import DriverLink
from scheduler.control.leadership import Fence, SoleLease
from scheduler.model.errors import Unreachable

CLAIMANT = Claimant(SoleLease(Fence("0f6e5a38-0000-4000-8000-000000000000", 1)))


def unused_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_nothing_listens() -> None:
    address = unused_address()
    link = DriverLink(address, CLAIMANT)
    for _ in range(2):
        with pytest.raises(Unreachable, match=f"Ray at {address} does not answer: .*refused") as raised:
            link.look()
    assert "backend.address" in raised.value.faults[0].help
    link.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:ray", ""])
def test_an_address_that_is_none(address: str) -> None:
    link = DriverLink(address, CLAIMANT)
    with pytest.raises(Unreachable):
        link.look()
    link.close()
