"""The Python SDK: everything the HTTP API offers, as methods that return the resources of `scheduler.wire`.

from scheduler.client import Client

client = Client()
job = client.submit(entrypoint="python train.py", gpus=1, workers=2, priority="high", working_dir=".")
for line in client.logs(job.id, follow=True):
print(line)
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from scheduler.model.errors import (
    ConfigError,
    Conflict,
    Fault,
    HeadroomError,
    NotFound,
    NotPermitted,
    Unreachable,
)
from scheduler.wire.base import ErrorAnswer, Listing, Resource, Single
from scheduler.wire.cluster import Capacity, DrainAnswer, DrainOrder, Forecast, Host, ServedModel, Status
from scheduler.wire.jobs import Event, HoldOrder, Job, JobOrder, PriorityOrder
from scheduler.wire.queues import Queue

DEFAULT_URL: Final = "http://127.0.0.1:8321"
API: Final = "/api/v1"
RESOURCE_KEYS: Final = frozenset({"cpus", "memory", "gpus", "gpu_model", "gpu_memory", "host_labels"})
"""Keys of `resources` in a job, which `Client.submit` also takes directly."""
_ERRORS: Final[Mapping[int, type[HeadroomError]]] = {
    401: NotPermitted,
    403: NotPermitted,
    404: NotFound,
    409: Conflict,
    413: ConfigError,
    422: ConfigError,
    502: Unreachable,
    503: Unreachable,
    504: Unreachable,
}
ResourceT = TypeVar("ResourceT", bound=Resource)


class Client:
    """Speaks with one control plane; use it as a context manager, or close it."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Choose the control plane; nothing is sent yet.

        Args:
            url: its address; else HEADROOM_URL, else this machine's default port.
            token: bearer token; else HEADROOM_TOKEN, else none.
            timeout_s: longest wait for an answer.
            transport: carries requests elsewhere than over the network, for tests.

        Raises:
            ConfigError: `url` is none.
        """
        self.url = (url or os.environ.get("HEADROOM_URL") or DEFAULT_URL).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(f'"{self.url}" is not a URL', help="begin it with http:// or https://")
        token = token or os.environ.get("HEADROOM_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout_s, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    # Every method may raise Unreachable (no answer), NotPermitted (the token's role) and what it names itself.

    def submit(
        self,
        job: Mapping[str, object] | str | os.PathLike[str] | None = None,
        *,
        working_dir: str | os.PathLike[str] | None = None,
        **fields: object,
    ) -> Job:
        """Submit a training job, its working directory included.

        Args:
            job: a mapping like the content of a job.yaml, or the path of such a file.
            working_dir: directory to upload; overrides the job's own. The one in a file is relative to that file.
            fields: further keys, which win over `job`; those of `resources` are taken directly (`gpus=1`).

        Returns:
            The job as accepted, with its id.

        Raises:
            ConfigError: with all faults, each with its file and line where it has one.
        """
        from scheduler.config.faults import fault_at  # noqa: PLC0415  # reading YAML costs time that others need not pay
        from scheduler.config.job import read_job  # noqa: PLC0415  # likewise

        document = _document(job, working_dir, fields)
        checked = read_job(document.data, file=document.file, lines=document.lines)
        package = self.upload(Path(checked.working_dir)) if checked.working_dir else ""
        order = JobOrder(job=document.data, working_dir=package)
        try:
            return self.send("POST", "/jobs", Single[Job], order).item
        except ConfigError as error:
            raise ConfigError(*(_placed(fault, document, fault_at) for fault in error.faults)) from error

    def upload(self, directory: Path) -> str:
        """Pack and upload a directory and return its digest; what is there already is uploaded again in vain.

        Raises:
            ConfigError: it is not there, or too large.
        """
        from scheduler.package import pack  # noqa: PLC0415  # few calls need it

        package = pack(directory)
        with package.file:
            self._request("PUT", f"/packages/{package.digest}", content=package.chunks(), timeout=600.0)
        return package.digest

    def jobs(self, **filters: str | int | bool) -> Listing[Job]:
        """Return jobs in the order of trying; only open ones unless `all=True`. Filters: state, queue, owner."""
        return self.get("/jobs", Listing[Job], **filters)

    def job(self, job_id: str | int) -> Job:
        """Return one job with its attempts, conditions and events.

        Raises:
            NotFound: there is none.
        """
        return self.get(f"/jobs/{_part(job_id)}", Single[Job]).item

    def logs(
        self, job_id: str | int, *, attempt: int | None = None, follow: bool = False, tail: int | None = None
    ) -> Iterator[str]:
        """Yield the lines of one attempt's log, the latest unless `attempt` says which.

        Args:
            job_id: whose.
            attempt: its number.
            follow: go on until the attempt has ended.
            tail: begin with the last so many lines.

        Raises:
            NotFound: no such job or attempt.
        """
        asked = {"attempt": attempt, "follow": follow or None, "tail": tail}
        parameters = {name: str(value).lower() for name, value in asked.items() if value is not None}
        timeout = httpx.Timeout(10.0, read=None if follow else 60.0)
        path = f"{API}/jobs/{_part(job_id)}/logs"
        as_it_comes = {"Accept-Encoding": "identity"}  # a compressor would hold lines back until it has enough of them
        try:
            with self._http.stream("GET", path, params=parameters, headers=as_it_comes, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise _error(answer)
                yield from answer.iter_lines()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    def stop(self, job_id: str | int) -> Job:
        """End a job for good; a running attempt is given its grace period.

        Raises:
            NotFound: there is none.
            Conflict: it has ended otherwise.
        """
        return self.send("POST", f"/jobs/{_part(job_id)}/stop", Single[Job]).item

    def hold(self, job_id: str | int, reason: str = "") -> Job:
        """Let a job give up its room and wait until it is resumed.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self.send("POST", f"/jobs/{_part(job_id)}/hold", Single[Job], HoldOrder(reason=reason)).item

    def resume(self, job_id: str | int) -> Job:
        """Let a held job run again.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self.send("POST", f"/jobs/{_part(job_id)}/resume", Single[Job]).item

    def set_priority(self, job_id: str | int, priority: str) -> Job:
        """Give a job another priority class.

        Raises:
            NotFound: there is no such job.
            ConfigError: there is no such class.
            Conflict: the job has ended.
        """
        return self.send("PUT", f"/jobs/{_part(job_id)}/priority", Single[Job], PriorityOrder(priority=priority)).item

    def hosts(self) -> Listing[Host]:
        """Return all hosts with what runs on them, by name."""
        return self.get("/hosts", Listing[Host])

    def cordon(self, host: str, reason: str = "") -> Host:
        """Let a host keep its work and take no more.

        Raises:
            NotFound: there is none.
        """
        return self.send("POST", f"/hosts/{_part(host)}/cordon", Single[Host], HoldOrder(reason=reason)).item

    def uncordon(self, host: str) -> Host:
        """Let a host take work again.

        Raises:
            NotFound: there is none.
        """
        return self.send("POST", f"/hosts/{_part(host)}/uncordon", Single[Host]).item

    def drain(self, host: str, order: DrainOrder | None = None) -> DrainAnswer:
        """Empty a host, or say what that would do.

        Raises:
            NotFound: there is none.
            Conflict: no plan was made yet, so nobody can say what it would do.
        """
        return self.send("POST", f"/hosts/{_part(host)}/drain", Single[DrainAnswer], order or DrainOrder()).item

    def models(self) -> Listing[ServedModel]:
        """Return the served models, most important first."""
        return self.get("/models", Listing[ServedModel])

    def queues(self) -> Listing[Queue]:
        """Return all queues in the order of declaration."""
        return self.get("/queues", Listing[Queue])

    def capacity(self) -> Capacity:
        """Return whether serving is covered, until when, and what is being done."""
        return self.get("/capacity", Single[Capacity]).item

    def forecast(self, model: str) -> Forecast:
        """Return the forecast of one model's traffic.

        Raises:
            NotFound: there is no such model.
        """
        return self.get(f"/forecast/{_part(model)}", Single[Forecast]).item

    def events(self, **filters: str | int) -> Listing[Event]:
        """Return the newest events, oldest first. Filters: after (an event's id), subject, limit."""
        return self.get("/events", Listing[Event], **filters)

    def status(self) -> Status:
        """Return the state of the control plane itself."""
        return self.get("/status", Single[Status]).item

    def get(self, path: str, kind: type[ResourceT], **parameters: str | float | bool) -> ResourceT:
        """Return any resource of the API with its envelope.

        Args:
            path: below /api/v1, for instance "/jobs/417".
            kind: what is there, for instance `Single[Job]`.
            parameters: of the query.
        """
        return self._read(self._request("GET", path, params=parameters), kind)

    def send(self, method: str, path: str, kind: type[ResourceT], body: Resource | None = None) -> ResourceT:
        """Change any resource of the API and return the answer with its envelope; as `get`."""
        return self._read(self._request(method, path, json=body.model_dump(mode="json") if body else {}), kind)

    def _request(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, API + path, **parts)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if not answer.is_success:
            raise _error(answer)
        return answer

    def _read(self, answer: httpx.Response, kind: type[ResourceT]) -> ResourceT:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            help_ = "is that another program, or another version of Headroom?"
            raise Unreachable(f"{self.url} does not answer as a control plane does", help=help_) from error

    def _unreachable(self, error: httpx.HTTPError) -> Unreachable:
        help_ = 'is "headroom run" up there? HEADROOM_URL or --url points elsewhere'
        return Unreachable(f"cannot reach {self.url} ({_cause(error)})", help=help_)


def _part(name: str | int) -> str:
    """Return a name as one part of a path, whatever is in it."""
    return quote(str(name), safe="")


def _cause(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    return str(error).partition("] ")[2].lower() or str(error) or type(error).__name__


def _error(answer: httpx.Response) -> HeadroomError:
    kind = _ERRORS.get(answer.status_code, HeadroomError)
    try:
        said = ErrorAnswer.model_validate_json(answer.content)
    except ValidationError:
        return kind(f"{answer.request.url} answered {answer.status_code} {answer.reason_phrase}")
    return kind(*(Fault(**body.model_dump()) for body in said.errors or (said.error,)))


def _document(job: object, working_dir: str | os.PathLike[str] | None, fields: Mapping[str, object]) -> Any:
    from scheduler.config.yaml_file import Document, read_yaml  # noqa: PLC0415  # reading YAML costs time

    given = read_yaml(Path(job)) if isinstance(job, str | os.PathLike) else Document("", job or {}, {})
    if not isinstance(given.data, Mapping):
        return given
    content = _merged(given.data, fields)
    if working_dir:
        content["working_dir"] = str(working_dir)
    elif isinstance(content.get("working_dir"), str) and content["working_dir"]:
        content["working_dir"] = str(Path(given.file).parent / str(content["working_dir"]))
    return replace(given, data=content)


def _merged(job: Mapping[str, object], fields: Mapping[str, object]) -> dict[str, object]:
    resources = {name: value for name, value in fields.items() if name in RESOURCE_KEYS}
    content = {**job, **{name: value for name, value in fields.items() if name not in RESOURCE_KEYS}}
    if resources:
        before = content.get("resources")
        content["resources"] = {**before, **resources} if isinstance(before, Mapping) else resources
    return content


def _placed(fault: Fault, document: Any, fault_at: Any) -> Fault:
    """Give a fault that the server found the line it has in the file."""
    if not document.file or not fault.field:
        return fault
    where = tuple(int(part) if part.isdigit() else part for part in fault.field.split("."))
    found: Fault = fault_at(document, where, fault.code, fault.message, fault.help)
    return found
