"""Models for tests that run inside Ray; found through PYTHONPATH, see tests/conftest.py."""

import time
from collections.abc import Mapping
from typing import Any

from ray import serve


@serve.deployment(name="Model", max_ongoing_requests=8, graceful_shutdown_wait_loop_s=0.2)
class Echo:
    """Says what it was asked, and breaks or dawdles when the query says so."""

    def __init__(self, greeting: str) -> None:
        """Refuse to start when told to."""
        if greeting == "broken":
            msg = "weights are missing"
            raise RuntimeError(msg)
        self.greeting = greeting

    def __call__(self, call: Mapping[str, Any]) -> Mapping[str, Any] | bytes | str:
        """Answer one call."""
        match call["query"]:
            case "fail":
                msg = "cannot divide by zero"
                raise ValueError(msg)
            case "slow":
                time.sleep(0.4)
            case "text":
                return "plain"
            case "bytes":
                return b"\0\1"
        said = {"greeting": self.greeting, "body": call["body"].decode()}
        return said | {key: call[key] for key in ("method", "path")}


def build(args: Mapping[str, str]) -> serve.Application:
    """Return the application."""
    return Echo.bind(args["greeting"])
