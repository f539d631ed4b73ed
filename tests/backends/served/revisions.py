"""Revisions of a model for tests that run inside Ray: each says which it is, some do not start, some fail."""

from collections.abc import Mapping
from pathlib import Path

from ray import serve


@serve.deployment(name="Model", max_ongoing_requests=8, graceful_shutdown_wait_loop_s=0.2)
class Revision:
    """Says which version it is."""

    def __init__(self, version: str) -> None:
        """Refuse to start when told to."""
        if version == "does-not-start":
            msg = "weights are missing"
            raise RuntimeError(msg)
        self.version = version

    def __call__(self, _: Mapping[str, object]) -> Mapping[str, str]:
        """Answer one call, or break."""
        if self.version == "fails":
            msg = "cannot divide by zero"
            raise ValueError(msg)
        return {"version": self.version}


def build(args: Mapping[str, str]) -> serve.Application:
    """Return the application; its version is what an artifact says, where there is one."""
    artifact = args.get("artifact")
    return Revision.bind(Path(artifact, "version").read_text() if artifact else args["version"])
