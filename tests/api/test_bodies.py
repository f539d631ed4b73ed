"""No body is taken that is longer than what belongs there, whatever its head claims."""

from collections.abc import Iterator
from typing import Any

import httpx

from scheduler.api.bodies import MOST_BYTES


def test_an_order_above_the_limit_is_refused(world: Any) -> None:
    before = len(world.store.jobs(open_only=False))
    answer = world.http().post("/api/v1/jobs", json={"entrypoint": "x" * (MOST_BYTES + 1)})
    assert answer.status_code == 413
    assert len(world.store.jobs(open_only=False)) == before


def test_a_body_that_hides_its_length_is_counted(http: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(MOST_BYTES // 1000 + 2):
            yield b"x" * 1000

    answer = http.post("/api/v1/jobs", content=endless())
    assert answer.status_code == 413


def test_packages_may_be_larger_but_not_without_end(http: httpx.Client) -> None:
    path = f"/api/v1/packages/sha256:{'0' * 64}"
    assert http.put(path, content=b"x" * (MOST_BYTES + 1)).status_code == 422
    too_large = http.put(path, content=b"x" * (2 * 2**20 + 1))
    assert (too_large.status_code, "larger than" in too_large.json()["error"]["message"]) == (422, True)
