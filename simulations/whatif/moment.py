"""All of the running control plane that a question is asked of: plain values that another process can be given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from forecasting.fitted import Fitted
from forecasting.shares import Share
from scheduler.control.reports.board import ModelOutlook, Report
from scheduler.control.runtimes import RunTimes
from scheduler.control.settings import Served, Settings
from scheduler.model.demand import Demand
from scheduler.model.policy import Policy
from scheduler.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class ModelTraffic:
    """What is known of a model's requests.

    Attributes:
        rps_now: requests per second at the moment.
        source: name of its traffic.
        share: of the model in it.
        lead_s: from when a replica is asked for until it answers, at most.
    """

    rps_now: float
    source: str
    share: Share
    lead_s: float

    @classmethod
    def of(cls, outlook: ModelOutlook) -> Self:
        """Read what people are shown of it."""
        return cls(outlook.rps_now, outlook.source, outlook.share, outlook.lead_time_s)


@dataclass(frozen=True, slots=True)
class Moment:
    """The state after one turn.

    Attributes:
        number: of the turn.
        snapshot: what was planned from.
        demand: what serving needed.
        served: models, most important first.
        traffic: of each model, by name.
        forecasts: by source, where there is one.
        run_times: how long jobs took.
        policy, settings: how the site decides.
    """

    number: int
    snapshot: Snapshot
    demand: Demand
    served: tuple[Served, ...]
    traffic: Mapping[str, ModelTraffic]
    forecasts: Mapping[str, Fitted]
    run_times: RunTimes
    policy: Policy
    settings: Settings

    @classmethod
    def of(cls, report: Report, policy: Policy, settings: Settings) -> Self:
        """Take all that a report holds."""
        outlooks = report.outlooks
        return cls(
            number=report.cycle.number,
            snapshot=report.cycle.snapshot,
            demand=report.cycle.demand,
            served=report.served,
            traffic={outlook.model: ModelTraffic.of(outlook) for outlook in outlooks},
            forecasts={one.source: one.forecast for one in outlooks if one.forecast is not None},
            run_times=report.run_times,
            policy=policy,
            settings=settings,
        )

    @property
    def now_s(self) -> float:
        """Epoch seconds."""
        return self.snapshot.taken_at_s

    def __reduce__(self) -> tuple[object, ...]:
        """Go to another process without what is only counted from the rest: it knows objects by where they lie."""
        parts = {name: getattr(self, name) for name in self.__slots__ if name != "snapshot"}
        return _moment_again, (parts, _parts_of(self.snapshot), self.snapshot.work)


_PARTS = ("version", "taken_at_s", "hosts", "jobs", "models", "replicas", "reservations", "moves", "queues", "usage",
          "foreign", "occupied")  # fmt: skip


def _parts_of(snapshot: Snapshot) -> dict[str, object]:
    return {name: getattr(snapshot, name) for name in _PARTS}


def _moment_again(parts: dict[str, object], snapshot: dict[str, object], work: object) -> Moment:
    made = replace(Snapshot.of(**snapshot), work=work)  # type: ignore[arg-type]  # what `_parts_of` has read
    return Moment(**parts, snapshot=made)  # type: ignore[arg-type]  # likewise
