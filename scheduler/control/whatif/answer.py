"""The answer to a question of the kind "what if": what comes as it is, beside what would come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """Quantiles over the runs, epoch seconds; infinity for later than was looked at."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True, slots=True)
class ShortTime:
    """When serving is short in some runs.

    Attributes:
        model: that is short most often then.
        from_s, to_s: epoch seconds.
        runs: in how many runs it is short at some time in between.
        lacks_room: whether there was no room for its replicas; else they were not ready in time.
    """

    model: str
    from_s: float
    to_s: float
    runs: int
    lacks_room: bool


@dataclass(frozen=True, slots=True)
class Side:
    """What comes, as means over the runs but where it says otherwise.

    Attributes:
        lowest_ratio: the middle of the runs' lowest headroom; infinity where nothing is served here.
        lowest_model: whose it is.
        lowest_at_s: when, epoch seconds.
        short: when serving is short, the first first.
        requests: that come to models served here.
        late, failed: of them.
        preemptions: attempts that are stopped for others.
        trained_gpu_s: devices that training holds, times seconds.
        ended: jobs that are over within the time.
    """

    lowest_ratio: float
    lowest_model: str
    lowest_at_s: float
    short: tuple[ShortTime, ...]
    requests: float
    late: float
    failed: float
    preemptions: float
    trained_gpu_s: float
    ended: float


@dataclass(frozen=True, slots=True)
class JobSide:
    """What becomes of a job.

    Attributes:
        start: when it starts next; None for one that runs.
        end: when it is over.
        stopped_share: share of the runs in which it is stopped for others.
        stopped_at: when it is stopped first, in those runs; None where it is in none.
        stopped_for: for whom, most often.
    """

    start: Spread | None
    end: Spread
    stopped_share: float
    stopped_at: Spread | None
    stopped_for: str


@dataclass(frozen=True, slots=True)
class JobAnswer:
    """A job on both sides.

    Attributes:
        job_id, name: its number ("" for one that is to be submitted), and name.
        runs_now: whether it runs.
        as_is: None for a job that is to be submitted.
        what_if: what would become of it.
        start_moves_s, end_moves_s: middle of the differences, run by run; 0 where it is as late as can be on both.
    """

    job_id: str
    name: str
    runs_now: bool
    as_is: JobSide | None
    what_if: JobSide
    start_moves_s: float = 0.0
    end_moves_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known after some of the runs.

    Attributes:
        cycle: number of the turn from which it goes on.
        now_s, until_s: what is looked at, epoch seconds.
        runs: that were played, of both sides.
        as_is, what_if: the two sides.
        jobs: in the order of the snapshot, the one to be submitted last.
        cover: a sentence that says what would cover what serving lacks, or that it lacks nothing.
    """

    cycle: int
    now_s: float
    until_s: float
    runs: int
    as_is: Side
    what_if: Side
    jobs: tuple[JobAnswer, ...]
    cover: str
