"""What happens in the demo, and when: jobs by the time at which they are submitted, until the curtain falls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

CONFIG: Final = Path(__file__).parent / "demo.yaml"
TRAINING: Final = Path(__file__).parent / "training"
STARTS_AT: Final = datetime(2012, 9, 30, 16, 0, tzinfo=UTC)
SPEED: Final = 540.0
"""World seconds per wall second; start and speed are those of `demo.yaml`."""
ENDS_AT: Final = datetime(2012, 10, 2, 6, 0, tzinfo=UTC)
EVENING_FROM: Final = datetime(2012, 10, 1, 12, 0, tzinfo=UTC)
"""The evening whose peak the report is about begins here."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One job of the demo.

    Attributes:
        at: when it is submitted, on the world's clock.
        job: the content of its job.yaml; its working directory is `TRAINING`.
    """

    at: datetime
    job: Mapping[str, object]


def _submission(at: datetime, name: str, train: str, priority: str, **more: object) -> Submission:
    entrypoint = f"python train.py {train}"
    common = {"checkpoint_interval": "30m", "grace": "36m", "queue": "research"}
    return Submission(at, {"name": name, "entrypoint": entrypoint, "priority": priority, **common, **more})


_SUNDAY: Final = datetime(2012, 9, 30, 18, 0, tzinfo=UTC)
SUBMISSIONS: Final = (
    _submission(
        _SUNDAY, "addlink-de", "--steps 300 --pause 0.1", "high", resources={"gpus": 1, "cpus": 2, "memory": "4Gi"}
    ),
    _submission(
        _SUNDAY.replace(minute=10),
        "wikitext-lm",
        "--steps 340 --pause 0.1",
        "low",
        workers=2,
        resources={"gpus": 1, "cpus": 2, "memory": "4Gi"},
    ),
    _submission(
        _SUNDAY.replace(minute=20),
        "big-embed",
        "--steps 220 --pause 0.1",
        "normal",
        workers=4,
        resources={"gpus": 1, "cpus": 2, "memory": "4Gi"},
    ),
    _submission(
        _SUNDAY.replace(minute=30),
        "article-topics",
        "--steps 420 --pause 0.1",
        "normal",
        workers=2,
        resources={"gpus": 0.5, "cpus": 1, "memory": "2Gi"},
    ),
    _submission(
        _SUNDAY.replace(hour=20),
        "ores-retrain",
        "--steps 250 --pause 0.1",
        "low",
        queue="growth",
        resources={"cpus": 2, "memory": "2Gi"},
    ),
)
SWAPPED: Final = "cope-a-9b"
"""The community model: jobs train new versions of it, which are rolled out by themselves."""


def _version(at: datetime, name: str, train: str) -> Submission:
    job = {
        "name": name,
        "entrypoint": f"python scorer.py {train}",
        "priority": "high",
        "checkpoint_interval": "30m",
        "grace": "36m",
        "queue": "research",
        "resources": {"cpus": 2, "memory": "2Gi"},
        "publishes": {"model": SWAPPED, "path": "model", "deploy": "automatically"},
    }
    return Submission(at, job)


VERSIONS: Final = (
    _version(datetime(2012, 10, 1, 6, 0, tzinfo=UTC), "cope-a-better", "--steps 40"),
    _version(datetime(2012, 10, 1, 16, 0, tzinfo=UTC), "cope-a-broken", "--steps 10 --features 64"),
)
"""A better version of the community model, and one that nobody could have tested: its weights are too few.

Each is trained as soon as its time has come and the fate of the one before is known.
"""
