"""A real job on a real Ray shrinks for another, goes on from its checkpoint with fewer workers, and grows again."""

from typing import Any

import pytest

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_job_shrinks_for_a_more_important_one_and_grows_again(fast_plane: Any) -> None:
    plane = fast_plane
    wide = plane.submit("wide", 200, workers="2-4", gpus=1, priority="low", grace="10m", checkpoint_interval="30m")
    plane.until(lambda: plane.client.job(wide).workers == 4 and (plane.client.job(wide).step or 0) >= 3)
    high = plane.submit("high", 20, gpus=2, priority="high")
    plane.until(lambda: plane.state(high) == "Running")
    plane.until(lambda: plane.state(wide) == "Running")
    assert plane.client.job(wide).workers == 2
    plane.until(lambda: plane.state(high) == "Succeeded", 90.0)
    plane.until(lambda: plane.client.job(wide).workers == 4, 120.0)
    plane.until(lambda: plane.state(wide) == "Succeeded", 120.0)

    attempts = plane.client.job(wide).attempts
    assert [attempt.workers for attempt in attempts] == [4, 2, 4]
    assert plane.sizes(wide) == ["4", "2", "4"], "the job is told its size"
    assert [attempt.outcome for attempt in attempts] == ["Preempted", "Preempted", "Succeeded"]
    assert 0 < attempts[1].resumed_from_step < attempts[2].resumed_from_step
    titles = " | ".join(event.title for event in plane.client.job(wide).events)
    for words in ("started with 4 of 2–4 workers", "shrunk from 4 to 2 workers", "grown from 2 to 4 workers"):
        assert words in titles
