"""The served models of the demo: a small text scorer behind a service time that stands in for an accelerator's.

The GPUs of the demo are bookkeeping, so a replica waits `service_time_s` where a real one would wait for its device;
what it answers is computed for real. It works on `concurrency` requests at once and queues the rest, as a saturated
replica does.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from ray import serve

from scheduler.demo.scoring import score, weights_of


@serve.deployment(name="Model")
class Model:
    """Scores a revision's text.

    Args:
        service_time_s: seconds the absent accelerator would take.
        concurrency: requests worked on at once.
        load_s: seconds that loading weights onto it would take.
        artifact: folder with the weights that a job has trained; "" for some that nobody trained.
    """

    def __init__(self, service_time_s: float, concurrency: int, load_s: float, artifact: str = "") -> None:
        time.sleep(load_s)
        self._service_time_s = service_time_s
        self._places = asyncio.Semaphore(concurrency)
        self._weights = weights_of(artifact)

    async def __call__(self, call: Mapping[str, Any]) -> dict[str, float]:
        """Answer one request: JSON in `body`, with the revision in `rev_id`."""
        async with self._places:
            await asyncio.sleep(self._service_time_s)
            return {"score": score(self._weights, json.loads(call["body"] or b"{}").get("rev_id", 0))}


def build(args: Mapping[str, Any]) -> serve.Application:
    """Return the application; configurations name this function.

    Args:
        args: `service_time_s`, and `concurrency` (1) and `load_s` (0) where they differ from what stands here;
            Headroom adds `artifact`, the folder that a job has published for it.
    """
    return Model.options(max_ongoing_requests=1000).bind(  # type: ignore[attr-defined]  # made by the decorator
        service_time_s=float(args["service_time_s"]),
        concurrency=int(args.get("concurrency", 1)),
        load_s=float(args.get("load_s", 0)),
        artifact=str(args.get("artifact", "")),
    )
