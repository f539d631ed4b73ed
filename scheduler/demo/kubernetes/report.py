"""What came of the Kubernetes demo: `demo-kubernetes-report.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scheduler.demo.report import JobOutcome, Peak
from scheduler.demo.watch import Watcher


@dataclass(frozen=True, slots=True)
class Applied:
    """One RayJob, and what its object says in the end.

    Attributes:
        job: what became of it.
        status: the annotation `headroom/status`.
        told: the events about it, as `kubectl describe` shows them, oldest first.
    """

    job: JobOutcome
    status: str
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scaled:
    """One model: the fewest and most replicas that were ready, and its lowest headroom."""

    model: str
    least_ready: int
    most_ready: int
    min_headroom_ratio: float


@dataclass(frozen=True, slots=True)
class KubernetesReport:
    """Everything that is in it; seconds are of the replay's clock.

    Attributes:
        cluster: what it was played on.
        mode: "forecast" or "reactive".
        speed: world seconds per wall second.
        wall_s: how long it took.
        hosts, gpus: of the cluster.
        min_headroom_ratio: the lowest of any model.
        preemptions: suspensions for serving or other jobs, all of them.
        preemptions_before_peak: those before the evening's peak.
        peak: the evening's highest load over all models.
        revisions: of models there in the end; one for each that Knative runs.
        jobs, serving: what became of each.
    """

    cluster: str
    mode: str
    speed: float
    wall_s: float
    hosts: int
    gpus: int
    min_headroom_ratio: float
    preemptions: int
    preemptions_before_peak: int
    peak: Peak
    revisions: int
    jobs: tuple[Applied, ...]
    serving: tuple[Scaled, ...]

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def preempted_at(jobs: Sequence[Applied]) -> list[str]:
    """Return when jobs were suspended, all of them, in no order."""
    return [at for applied in jobs for at in applied.job.preempted_at]


def scaled(watcher: Watcher) -> tuple[Scaled, ...]:
    """Return what was seen of the models."""
    return tuple(
        Scaled(name, seen.least_ready, seen.most_ready, round(seen.least_ratio, 3))
        for name, seen in sorted(watcher.models.items())
    )
