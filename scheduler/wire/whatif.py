"""Questions of the kind "what if", and their answers, on the wire."""

from datetime import datetime
from typing import Final

from pydantic import Field

from scheduler.wire.base import Resource

SHORTEST_S: Final = 3600.0
LONGEST_S: Final = 604_800.0
"""How far ahead a question may look."""


class Spike(Resource):
    """Traffic that is a multiple of what would come, for a while; nobody foresees it."""

    at: datetime
    lasts_s: float = Field(gt=0, le=1_209_600)
    factor: float = Field(ge=0, le=1000)


class NewHosts(Resource):
    """So many hosts more, each like one that is there."""

    like: str
    count: int = Field(ge=1, le=1000)


class WhatIfOrder(Resource):
    """What would be otherwise from now on; all that is left out stays as it is."""

    traffic: float = Field(default=1.0, ge=0, le=1000)
    """All traffic, as a multiple of what is forecast."""
    spikes: tuple[Spike, ...] = Field(default=(), max_length=20)
    lost_hosts: tuple[str, ...] = ()
    new_hosts: tuple[NewHosts, ...] = Field(default=(), max_length=20)
    rules: dict[str, object] | None = None
    """`policy` and `queues` as in cluster.yaml."""
    job: dict[str, object] | None = None
    """Submitted at once: the content of job.yaml."""
    model: dict[str, object] | None = None
    """Deployed at once: the content of a model's file."""
    until_s: float = Field(default=172_800.0, ge=SHORTEST_S, le=LONGEST_S)
    """How far ahead is looked."""
    runs: int = Field(default=20, ge=1, le=200)
    """How many ways in which chance may go are played."""
    seed: int = Field(default=1, ge=0, le=2**31)


class Estimate(Resource):
    """Quantiles over the runs; None for later than was looked at."""

    p50: datetime | None
    p90: datetime | None


class ShortTime(Resource):
    """When serving is short in some runs."""

    model: str
    since: datetime
    until: datetime
    runs: int
    lacks_room: bool


class WhatIfSide(Resource):
    """What comes, as means over the runs; headroom as the middle of the runs' lowest."""

    lowest_ratio: float | None
    lowest_model: str
    lowest_at: datetime | None
    short: tuple[ShortTime, ...]
    requests: float
    late_requests: float
    failed_requests: float
    preemptions: float
    trained_gpu_s: float
    jobs_ended: float


class JobSide(Resource):
    """What becomes of a job."""

    start: Estimate | None
    end: Estimate
    preempted_share: float
    """Share of the runs in which it is stopped for others."""
    preempted_at: Estimate | None
    preempted_for: str


class WhatIfJob(Resource):
    """A job on both sides."""

    job: str
    """Its number; "" for one that is to be submitted."""
    name: str
    running: bool
    as_is: JobSide | None
    what_if: JobSide
    start_later_s: float | None
    """Middle of the differences of the runs; None where it starts on one side only."""
    end_later_s: float | None


class WhatIfAnswer(Resource):
    """What is known after some runs."""

    cycle: int
    now: datetime
    until: datetime
    runs: int
    as_is: WhatIfSide
    what_if: WhatIfSide
    jobs: tuple[WhatIfJob, ...]
    cover: str
    """What would cover what serving lacks; "" until all runs are played."""


class WhatIf(Resource):
    """A question and how far its answer is."""

    name: str
    asked_by: str
    phase: str
    """waiting, playing, done or failed."""
    runs_wanted: int
    took_s: float
    """Wall seconds since it was begun."""
    failure: str
    answer: WhatIfAnswer | None
    """What is known by now."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase in {"done", "failed"}
