"""One that stands by goes on trying to lead, whatever keeps it from showing what the leader last planned."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from scheduler.cli import standby
from scheduler.model.errors import Unreachable


@pytest.mark.parametrize("fault", [IndexError("no shares"), KeyError("plan"), ValueError("odd"), Unreachable("silent")])
def test_it_leads_once_the_leader_is_gone_though_its_last_plan_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    monkeypatch.setattr(standby, "LOOK_S", 0.001)
    lease, tries, said = object(), iter([None, None, "lease"]), list[str]()
    candidacy: Any = SimpleNamespace(take=lambda: lease if next(tries) else None, leader=lambda: None)

    def follow(_message: str) -> None:
        raise fault

    stand_in: Any = SimpleNamespace(follow=follow, board=SimpleNamespace(degrade=said.append))
    assert standby._taken(candidacy, stand_in, [None], threading.Event()) is lease
    assert any(str(fault) in one for one in said), said
