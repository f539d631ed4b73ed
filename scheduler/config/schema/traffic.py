"""Where the requests of models are read, and how recorded files write them."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from records.form import Form, check_separators, check_time_format
from scheduler.config.schema.base import DNS_NAME, Section
from scheduler.config.units import DurationSeconds


def _time_format(text: str) -> str:
    check_time_format(text)
    return text


class Written(Section):
    """How a recorded file writes times and numbers: what is left out is found out, or refused where it is ambiguous."""

    time_format: Annotated[str, AfterValidator(_time_format), Field(examples=["day-first"])] = ""
    """day-first, month-first, unix, unix-ms, unix-us, unix-ns, or a pattern such as "%d/%m/%Y %H:%M"."""
    local_times: bool | None = None
    """Whether times without an offset are local ones of `zone`; unsaid or false for UTC."""
    zone: str = "UTC"
    """Time zone of local times."""
    decimal: Literal["", ".", ","] = ""
    """What stands before decimals: "." or ","."""
    thousands: Literal["", "none", ".", ",", "'", "space"] = ""
    """What stands between thousands."""

    @model_validator(mode="after")
    def _separators_differ(self) -> Self:
        check_separators(self.decimal, self.thousands)
        return self

    @property
    def form(self) -> Form:
        """The same for those who read the file."""
        return Form(self.time_format, self.local_times, self.zone, self.decimal, self.thousands)


class ReplayTraffic(Written):
    """Traffic from a CSV or Parquet file, moved so that it plays on the control plane's clock."""

    kind: Literal["replay"]
    """Plays a recorded file."""
    file: Annotated[Path, Field(examples=["traffic.csv"])]
    """CSV, Parquet or JSON file, also packed (.gz); relative to this file's directory."""
    timestamp: str = "timestamp"
    """Column of the times."""
    value: str = "requests"
    """Column of the requests per bin."""
    zone: str = "UTC"
    """Time zone of the users, whose day and week the traffic follows."""
    holidays: Path | None = None
    """Days that go towards Sundays: iCalendar (.ics), or a date a line; relative to this file's directory."""
    scale: Annotated[float, Field(gt=0)] = 1.0
    """The file's values are requests per bin; they are divided by the bin's seconds and multiplied by this."""


class PrometheusTraffic(Section):
    """Traffic from a Prometheus server."""

    kind: Literal["prometheus"]
    """Asks a Prometheus server."""
    url: Annotated[str, Field(examples=["http://prometheus:9090"])]
    """Its address."""
    query: Annotated[str, Field(examples=["sum(rate(http_requests_total[5m]))"])] = ""
    """PromQL that yields one series in requests per second; this, or a preset."""
    preset: Literal["", "istio", "knative", "kserve"] = ""
    """A query by name: requests of `service` as Istio's proxies, Knative's queue-proxy or KServe's servers count."""
    namespace: Annotated[str, Field(pattern=DNS_NAME)] = ""
    """Namespace of a preset's service."""
    service: Annotated[str, Field(pattern=DNS_NAME, examples=["edit-check-predictor"])] = ""
    """A preset's service: istio and knative want the one of the predictor, kserve the name of the model there."""
    step: DurationSeconds = 3600.0
    """Width of a bin."""
    history: DurationSeconds = 42 * 86400.0
    """How far back to read."""
    zone: str = "UTC"
    """Time zone of the users, whose day and week the traffic follows."""
    holidays: Path | None = None
    """Days that go towards Sundays: iCalendar (.ics), or a date a line; relative to this file's directory."""
