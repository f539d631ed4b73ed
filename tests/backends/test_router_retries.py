"""What the router does with requests that a revision fails, without a Ray: another revision answers, once."""

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from scheduler.backends.ray.routes import ModelRoutes, Route

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


class Handle:
    """Answers, or fails, and counts."""

    def __init__(self, *, fails: bool) -> None:
        self.fails, self.calls = fails, 0

    def remote(self, _: object) -> Awaitable[str]:
        """Answer one call."""
        self.calls += 1

        async def answer() -> str:
            if self.fails:
                raise RayTaskError("f", "tb", ValueError("cannot divide by zero"))
            return "fine"

        return answer()


def asked(folder: Path, share: float, *, old_fails: bool, new_fails: bool) -> tuple[list[int], Any, list[int]]:
    """Return the statuses of 100 requests, what was counted, and how often each revision was called."""
    from scheduler.backends.ray.router import Router  # noqa: PLC0415  # its import warns, of Ray's own doings

    handles = Handle(fails=old_fails), Handle(fails=new_fails)
    routes = {app: Route(app, "Model", handles[at], 1, revision=at + 1) for at, app in enumerate(("old", "new"))}
    model = ModelRoutes(1.0, routes, shares={2: share})
    router = Router.func_or_class("127.0.0.1", 0, str(folder / "counts.json"))
    router._models = {"m": model}

    async def ask() -> list[int]:
        return [(await router._serve("m", model, {})).status for _ in range(100)]

    return asyncio.run(ask()), router._tallies.as_json(), [handle.calls for handle in handles]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_what_the_new_one_fails_the_old_one_answers(share: float, tmp_path: Path) -> None:
    statuses, counts, calls = asked(tmp_path, share, old_fails=False, new_fails=True)
    assert set(statuses) == {200}
    assert counts["m@2"] == {"total": 100 * share, "late": 0, "failed": 100 * share}
    assert counts["m@1"] == {"total": 100 - 100 * share, "late": 0, "failed": 0}
    assert calls == [100, 100 * share]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_what_both_fail_is_tried_by_each_once_and_counts_for_who_had_it_first(share: float, tmp_path: Path) -> None:
    statuses, counts, calls = asked(tmp_path, share, old_fails=True, new_fails=True)
    assert set(statuses) == {500}
    assert counts["m@2"]["failed"] == 100 * share
    assert counts["m@1"]["failed"] == 100 - 100 * share
    assert calls == [100, 100]
