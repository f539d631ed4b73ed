"""The load generator keeps to its rate, holds nothing back, and counts what became of each request."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from scheduler.demo.load import Count, LoadGenerator, Stream

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def server(handler: Handler) -> AsyncIterator[str]:
    """Answer POST requests with `handler` on a free port."""
    app = web.Application()
    app.router.add_post("/predict", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/predict"
    finally:
        await runner.cleanup()


def stream(url: str, rps: float = 40.0, late_after_s: float = 5.0) -> Stream:
    return Stream("edit-check", url, late_after_s, [0.0, 1e9], [rps, rps])


async def count(streams: list[Stream], wall_s: float = 1.0) -> Count:
    generator = LoadGenerator(streams, world_s=0.0, wall_s=time.monotonic(), speed=1.0, seed=3)
    stop = asyncio.Event()
    running = asyncio.create_task(generator.run(stop))
    await asyncio.sleep(wall_s)
    stop.set()
    await running
    return generator.counts["edit-check"]


async def answer(_request: web.Request) -> web.Response:
    return web.json_response({"score": 0.5})


def test_answers_in_time_are_neither_late_nor_failed() -> None:
    async def story() -> Count:
        async with server(answer) as url:
            return await count([stream(url)])

    counted = asyncio.run(story())
    assert counted.total > 5
    assert (counted.late, counted.failed) == (0, 0)


def test_slow_answers_are_late_and_hold_no_other_request_back() -> None:
    arrived = []

    async def slow(_request: web.Request) -> web.Response:
        arrived.append(time.monotonic())
        await asyncio.sleep(1.5)
        return web.json_response({})

    async def story() -> Count:
        async with server(slow) as url:
            return await count([stream(url, late_after_s=0.1)])

    counted = asyncio.run(story())
    assert counted.late == counted.total > 5
    assert arrived[-1] - arrived[0] < 1.5, "requests were sent while the first was still waiting"


def test_errors_and_refused_connections_have_failed_with_their_reason() -> None:
    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=503)

    async def story() -> tuple[Count, Count]:
        async with server(broken) as url:
            unavailable = await count([stream(url)])
        return unavailable, await count([stream(url)])

    unavailable, gone = asyncio.run(story())
    assert unavailable.failed == unavailable.total == unavailable.errors["HTTP 503"] > 0
    assert gone.failed == gone.total == gone.errors["ClientConnectorError"] > 0


def test_arrivals_follow_the_recorded_rate_on_a_fast_clock() -> None:
    """Ten seconds of the world at 0 a second and ten at 60, played twenty times as fast."""
    generator = LoadGenerator([], world_s=0.0, wall_s=0.0, speed=20.0, seed=1)
    polyline = Stream("m", "", 1.0, [0.0, 10.0, 10.1, 20.0], [0.0, 0.0, 60.0, 60.0])
    assert generator._rate(polyline, 0.25) == 0.0
    assert generator._rate(polyline, 0.75) == 60.0
    assert generator._rate(polyline, 99.0) == 60.0


@pytest.mark.parametrize(
    ("latency_s", "error", "expected"), [(0.5, "", (1, 0, 0)), (1.5, "", (1, 1, 0)), (1.5, "HTTP 500", (1, 0, 1))]
)
def test_a_failed_request_is_not_late_as_well(latency_s: float, error: str, expected: tuple[int, ...]) -> None:
    counted = Count()
    counted.add(latency_s, 1.0, error)
    assert (counted.total, counted.late, counted.failed) == expected


def test_as_a_process_it_ends_when_its_input_is_closed_and_says_what_it_counted() -> None:
    orders = {"streams": [], "world_s": 0.0, "speed": 1.0, "seed": 1}
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.demo.load"],
        input=json.dumps(orders) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [json.loads(line) for line in done.stdout.splitlines()][-1] == {}
