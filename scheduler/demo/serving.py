"""The served models of the demo: a small text scorer behind a service time that stands in for an accelerator's.

The GPUs of the demo are bookkeeping, so a replica waits `service_time_s` where a real one would wait for its device;
what it answers is computed for real. It works on `concurrency` requests at once and queues the rest, as a saturated
replica does.
"""

import asyncio
import json
import time
import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from ray import serve

FEATURES: Final = 4096


@serve.deployment(name="Model")
class Model:
    """Scores a revision's text with hashed character trigrams and a logistic layer.

    Args:
        service_time_s: seconds the absent accelerator would take.
        concurrency: requests worked on at once.
        load_s: seconds that loading weights onto it would take.
    """

    def __init__(self, service_time_s: float, concurrency: int, load_s: float) -> None:
        time.sleep(load_s)
        self._service_time_s = service_time_s
        self._places = asyncio.Semaphore(concurrency)
        self._weights = np.random.default_rng(0).normal(size=FEATURES)

    async def __call__(self, call: Mapping[str, Any]) -> dict[str, float]:
        """Answer one request: JSON in `body`, with the revision in `rev_id`."""
        async with self._places:
            await asyncio.sleep(self._service_time_s)
            return {"score": self._score(json.loads(call["body"] or b"{}"))}

    def _score(self, revision: Mapping[str, Any]) -> float:
        text = f"revision {revision.get('rev_id', 0)}"
        hits = [zlib.crc32(text[i : i + 3].encode()) % FEATURES for i in range(len(text) - 2)]
        return float(1.0 / (1.0 + np.exp(-self._weights[hits].mean())))


def build(args: Mapping[str, Any]) -> serve.Application:
    """Return the application; configurations name this function.

    Args:
        args: `service_time_s`, and `concurrency` (1) and `load_s` (0) where they differ from what stands here.
    """
    return Model.options(max_ongoing_requests=1000).bind(  # type: ignore[attr-defined]  # made by the decorator
        service_time_s=float(args["service_time_s"]),
        concurrency=int(args.get("concurrency", 1)),
        load_s=float(args.get("load_s", 0)),
    )
