"""Open-loop load on the front router: Poisson arrivals whose rate follows recorded traffic on the replay clock.

Run as a process of its own (`python -m scheduler.demo.load < orders.json`), so that neither the control plane nor a
slow answer ever holds an arrival back. It prints one JSON object a wall second, the counts so far by model, and ends
when its standard input is closed.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import aiohttp
import numpy as np

GIVE_UP_S = 15.0
"""A request without an answer for this long has failed."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Requests to one model.

    Attributes:
        model: its name.
        url: where they go.
        late_after_s: an answer later than this is late, wall seconds.
        at_s, rps: the load as a polyline over the world's time, requests per wall second.
    """

    model: str
    url: str
    late_after_s: float
    at_s: Sequence[float]
    rps: Sequence[float]


@dataclass(slots=True)
class Count:
    """What became of the requests to one model; latencies are wall seconds."""

    total: int = 0
    late: int = 0
    failed: int = 0
    worst_s: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)

    def add(self, latency_s: float, late_after_s: float, error: str) -> None:
        """Count one request that is over; `error` is "" for an answer."""
        self.total += 1
        self.worst_s = max(self.worst_s, latency_s)
        if error:
            self.failed += 1
            self.errors[error] = self.errors.get(error, 0) + 1
        elif latency_s > late_after_s:
            self.late += 1


class LoadGenerator:
    """Sends every stream's requests for as long as it is left running."""

    def __init__(self, streams: Sequence[Stream], world_s: float, wall_s: float, speed: float, seed: int) -> None:
        """Take the moment at which the world's clock shows `world_s` and the wall's `wall_s` (monotonic)."""
        self._streams = streams
        self._world_s, self._wall_s, self._speed = world_s, wall_s, speed
        self._rng = np.random.default_rng(seed)
        self._requests: set[asyncio.Task[None]] = set()
        self.counts: dict[str, Count] = {stream.model: Count() for stream in streams}

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set, then wait for the answers that are still due."""
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=GIVE_UP_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            senders = [asyncio.create_task(self._send(session, stream)) for stream in self._streams]
            await stop.wait()
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, *self._requests, return_exceptions=True)

    async def _send(self, session: aiohttp.ClientSession, stream: Stream) -> None:
        async for number in self._arrivals(stream):
            task = asyncio.create_task(self._request(session, stream, number))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)

    async def _arrivals(self, stream: Stream) -> AsyncIterator[int]:
        """Yield at the arrivals of a Poisson process of changing rate (unit exponentials over its integral)."""
        due_wall_s, number = time.monotonic(), 0
        while True:
            due_wall_s += self._rng.exponential(1.0 / max(self._rate(stream, due_wall_s), 0.01))
            await asyncio.sleep(max(due_wall_s - time.monotonic(), 0.0))
            number += 1
            yield number

    def _rate(self, stream: Stream, wall_s: float) -> float:
        world_s = self._world_s + (wall_s - self._wall_s) * self._speed
        return float(np.interp(world_s, stream.at_s, stream.rps))

    async def _request(self, session: aiohttp.ClientSession, stream: Stream, number: int) -> None:
        sent_s, error = time.monotonic(), ""
        try:
            async with session.post(stream.url, json={"rev_id": number}) as answer:
                await answer.read()
                error = "" if answer.ok else f"HTTP {answer.status}"
        except (TimeoutError, aiohttp.ClientError) as fault:
            error = type(fault).__name__
        self.counts[stream.model].add(time.monotonic() - sent_s, stream.late_after_s, error)


def report(counts: Mapping[str, Count]) -> None:
    """Write the counts to standard output as one line of JSON."""
    sys.stdout.write(json.dumps({model: asdict(count) for model, count in counts.items()}) + "\n")
    sys.stdout.flush()


async def serve_orders(orders: Mapping[str, object]) -> None:
    """Run the load generator that `orders` describe until standard input ends."""
    streams = [Stream(**stream) for stream in orders["streams"]]  # type: ignore[attr-defined]  # JSON written by us
    generator = LoadGenerator(
        streams,
        world_s=float(str(orders["world_s"])),
        wall_s=time.monotonic(),
        speed=float(str(orders["speed"])),
        seed=int(str(orders["seed"])),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(generator.run(stop))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        await asyncio.wait({ended}, timeout=1.0)
        report(generator.counts)
    stop.set()
    await running
    report(generator.counts)


if __name__ == "__main__":
    asyncio.run(serve_orders(json.loads(sys.stdin.readline())))
