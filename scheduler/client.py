"""The Python SDK: everything the HTTP API offers, as methods that return the resources of `scheduler.wire`.

from scheduler.client import Client

client = Client()
job = client.submit(entrypoint="python train.py", gpus=1, workers=2, priority="high", working_dir=".")
for line in client.logs(job.id, follow=True):
print(line)
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote

import httpx

from scheduler.connection import Connection, ResourceT
from scheduler.model.errors import ConfigError, Unreachable
from scheduler.wire.base import BACKUP_TYPE, Listing, Resource, Single
from scheduler.wire.cluster import (
    Capacity,
    DrainAnswer,
    DrainOrder,
    Forecast,
    Host,
    ServedModel,
    Status,
    Stray,
    StraysOrder,
)
from scheduler.wire.jobs import Event, HoldOrder, Job, JobOrder, JobOutlook, PriorityOrder
from scheduler.wire.models import (
    Deployment,
    DeploymentOutlook,
    ModelHistory,
    ModelOrder,
    Proposal,
    Rejection,
    RolloutOrder,
)
from scheduler.wire.queues import Queue
from scheduler.wire.reload import Reloaded, ReloadOrder
from scheduler.wire.whatif import WhatIf, WhatIfOrder


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
        self._connection = Connection(url, token, timeout_s=timeout_s, transport=transport)

    @property
    def url(self) -> str:
        """The address of the control plane."""
        return self._connection.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of connections."""
        self._connection.close()

    # Every method may raise Unreachable (no answer), NotPermitted (the token's role) and what it names itself.

    def submit(
        self,
        job: Mapping[str, object] | str | os.PathLike[str] | None = None,
        *,
        working_dir: str | os.PathLike[str] | None = None,
        idempotency_key: str | None = None,
        **fields: object,
    ) -> Job:
        """Submit a training job, its working directory included; it becomes one job however often it must be sent.

        Args:
            idempotency_key: makes a submission that is repeated within a day the same job; made anew by default.
            job: a mapping like the content of a job.yaml, or the path of such a file.
            working_dir: directory to upload; overrides the job's own. The one in a file is relative to that file.
            fields: further keys, which win over `job`; those of `resources` are taken directly (`gpus=1`).

        Returns:
            The job as accepted, with its id.

        Raises:
            ConfigError: with all faults, each with its file and line where it has one.
        """
        key = idempotency_key or str(uuid.uuid4())
        return self._offer("/jobs", Single[Job], job, working_dir, fields, key=key).item

    def try_out(
        self,
        job: Mapping[str, object] | str | os.PathLike[str] | None = None,
        *,
        working_dir: str | os.PathLike[str] | None = None,
        **fields: object,
    ) -> Single[JobOutlook]:
        """Say what would become of a job, with all checks of `submit`; nothing is uploaded, accepted or changed.

        Raises:
            ConfigError: with all faults, as `submit`.
            Conflict: no plan was made yet, so nobody can say.
        """
        return self._offer("/jobs/outlook", Single[JobOutlook], job, working_dir, fields)

    def upload(self, directory: Path) -> str:
        """Pack and upload a directory and return its digest; what is there already is uploaded again in vain.

        Raises:
            ConfigError: it is not there, or too large.
        """
        from scheduler.package import pack  # noqa: PLC0415  # few calls need it

        package = pack(directory)
        with package.file:
            self._connection.request("PUT", f"/packages/{package.digest}", content=package.chunks, timeout=600.0)
        return package.digest

    def jobs(self, **filters: str | int | bool) -> Listing[Job]:
        """Return jobs in the order of trying; only open ones unless `all=True`.

        Filters: state, queue, owner; limit, and as cursor what the page before had as `next`.
        """
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
        yield from self._connection.lines(f"/jobs/{_part(job_id)}/logs", params=parameters, timeout=timeout)

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

    def strays(self) -> Listing[Stray]:
        """Return what others run on the cluster, by name."""
        return self.get("/strays", Listing[Stray])

    def adopt(self, *names: str) -> tuple[Stray, ...]:
        """Take strays over; without names all that can be. Returns those.

        Raises:
            NotFound: there is no such stray.
            Conflict: one cannot be adopted.
        """
        return self.send("POST", "/strays/adopt", Listing[Stray], StraysOrder(names=names)).items

    def evict_strays(self, *names: str) -> tuple[Stray, ...]:
        """End strays; without names all of them. Returns those.

        Raises:
            NotFound: there is no such stray.
        """
        return self.send("POST", "/strays/evict", Listing[Stray], StraysOrder(names=names)).items

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

    def deploy(
        self,
        model: Mapping[str, object] | str | os.PathLike[str],
        *,
        take_over: bool = False,
        from_job: str | int = "",
    ) -> Single[Deployment]:
        """Deploy a new model, or a new revision of one; what is just as what is there changes nothing.

        Args:
            model: a mapping like the content of a model's file, or the path of such a file.
            take_over: though it belongs to the file that the control plane was started with.
            from_job: number of a job; the model of that name, as it is, gets the artifact that the job has published.

        Raises:
            NotFound: the job has published nothing, or its artifact was pruned.
            ConfigError: with all faults, each with its file and line where it has one.
            Conflict: it belongs to the file, is being removed, or a revision of it is just taking over.
        """
        if from_job:
            return self.send("POST", "/models", Single[Deployment], _from_job(model, from_job))
        return self._offer_model("/models", Single[Deployment], model, take_over=take_over)

    def try_model(
        self,
        model: Mapping[str, object] | str | os.PathLike[str],
        *,
        take_over: bool = False,
        from_job: str | int = "",
    ) -> Single[DeploymentOutlook]:
        """Say what a deployment would do, with all checks of `deploy`; nothing is changed."""
        if from_job:
            return self.send("POST", "/models/outlook", Single[DeploymentOutlook], _from_job(model, from_job))
        return self._offer_model("/models/outlook", Single[DeploymentOutlook], model, take_over=take_over)

    def model_history(self, model: str) -> Single[ModelHistory]:
        """Return a deployed model with its revisions, oldest first; removed ones too.

        Raises:
            NotFound: no such model was ever deployed.
        """
        return self.get(f"/models/{_part(model)}/revisions", Single[ModelHistory])

    def steer(self, model: str, action: str, revision: int = 0) -> Single[ModelHistory]:
        """Steer the rollout of a model: "pause", "resume", "undo", or "to" a revision that is there.

        Raises:
            NotFound: no such model or revision.
            Conflict: there is nothing of the kind to be done.
        """
        order = RolloutOrder.model_validate({"action": action, "revision": revision})
        return self.send("POST", f"/models/{_part(model)}/rollout", Single[ModelHistory], order)

    def remove_model(self, model: str) -> Single[ModelHistory]:
        """Take a model away: its requests are answered, its room is freed, its history stays.

        Raises:
            NotFound: there is none.
            Conflict: it belongs to the file.
        """
        return self.send("DELETE", f"/models/{_part(model)}", Single[ModelHistory])

    def propose(self, model: Mapping[str, object] | str | os.PathLike[str]) -> Single[Proposal]:
        """Ask operators to deploy a model; what others than they propose is a community model.

        Raises:
            ConfigError: with all faults, as `deploy`.
            Conflict: it belongs to the file, or somebody else has proposed one of that name.
        """
        return self._offer_model("/proposals", Single[Proposal], model, take_over=False)

    def proposals(self) -> Listing[Proposal]:
        """Return the models that wait for an operator's word, oldest first."""
        return self.get("/proposals", Listing[Proposal])

    def approve(self, model: str) -> Single[Deployment]:
        """Deploy what is proposed.

        Raises:
            NotFound: nothing of that name is proposed.
            Conflict: as `deploy`.
        """
        return self.send("POST", f"/proposals/{_part(model)}/approve", Single[Deployment])

    def reject(self, model: str, reason: str = "") -> Single[Proposal]:
        """Decline what is proposed, and say why.

        Raises:
            NotFound: nothing of that name is proposed.
        """
        return self.send("POST", f"/proposals/{_part(model)}/reject", Single[Proposal], Rejection(reason=reason))

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

    def ask(self, order: WhatIfOrder) -> Single[WhatIf]:
        """Ask what would be otherwise from now on; `answer_to` its name says what is known by then.

        Raises:
            ConfigError: with all faults of the job, model or rules in it.
            NotFound: there is no such host.
            Conflict: no plan was made yet, or too many questions wait.
        """
        return self.send("POST", "/whatif", Single[WhatIf], order)

    def questions(self) -> Listing[WhatIf]:
        """Return the questions that are kept, oldest first."""
        return self.get("/whatif", Listing[WhatIf])

    def answer_to(self, name: str) -> Single[WhatIf]:
        """Return a question with what is known of its answer by now.

        Raises:
            NotFound: there is none, or it was forgotten.
        """
        return self.get(f"/whatif/{_part(name)}", Single[WhatIf])

    def what_if(
        self, order: WhatIfOrder, told: Callable[[WhatIf], None] = lambda _: None, *, poll_s: float = 1.0
    ) -> Single[WhatIf]:
        """Ask what would be otherwise, and return when all is known.

        Args:
            order: what would be otherwise.
            told: called with what is known by now, now and then.
            poll_s: seconds between looks.

        Raises:
            Unreachable: there is no answer, and why; else as `ask`.
        """
        found = self.ask(order)
        while not found.item.is_over:
            told(found.item)
            time.sleep(poll_s)
            found = self.answer_to(found.item.name)
        if found.item.failure:
            raise Unreachable(f"the question could not be answered: {found.item.failure}")
        return found

    def events(self, **filters: str | int) -> Listing[Event]:
        """Return the newest events, oldest first. Filters: after (an event's id), subject, limit, cursor."""
        return self.get("/events", Listing[Event], **filters)

    def status(self) -> Status:
        """Return the state of the control plane itself."""
        return self.get("/status", Single[Status]).item

    def reload(self, *, dry_run: bool = False) -> Single[Reloaded]:
        """Have the control plane read its file again, for operators; with `dry_run` only say what would change.

        Raises:
            ConfigError: with all that is wrong in the file, or needs a restart; nothing was changed.
            Conflict: it was not started from a file.
        """
        return self.send("POST", "/reload", Single[Reloaded], ReloadOrder(dry_run=dry_run))

    def backup(self, file: Path) -> None:
        """Write one consistent state of the control plane's store to a new file, for operators.

        Raises:
            ConfigError: the file exists, or cannot be written.
        """
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError as error:
            raise ConfigError(f"{file} exists", help="a backup is never overwritten: choose another name") from error
        except (OSError, ValueError) as error:
            raise _unwritable(file, error) from error
        try:
            with os.fdopen(handle, "wb") as written:
                for chunk in self._connection.chunks("/backup", BACKUP_TYPE):
                    written.write(chunk)
        except BaseException as error:
            file.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise _unwritable(file, error) from error
            raise

    def get(self, path: str, kind: type[ResourceT], **parameters: str | float | bool) -> ResourceT:
        """Return any resource of the API with its envelope.

        Args:
            path: below /api/v1, for instance "/jobs/417".
            kind: what is there, for instance `Single[Job]`.
            parameters: of the query.
        """
        return self._connection.read(self._connection.request("GET", path, params=parameters), kind)

    def send(self, method: str, path: str, kind: type[ResourceT], body: Resource | None = None) -> ResourceT:
        """Change any resource of the API and return the answer with its envelope; as `get`."""
        content = body.model_dump(mode="json") if body else {}
        return self._connection.read(self._connection.request(method, path, json=content), kind)

    def _offer_model(self, path: str, kind: type[ResourceT], model: object, *, take_over: bool) -> ResourceT:
        """Check a model here, send it, and give the faults found there the lines that they have here."""
        from scheduler.submission import model_document, placed  # noqa: PLC0415  # reading YAML costs time

        document = model_document(model)
        order = ModelOrder(model=document.data, source=Path(document.file).name, take_over=take_over)
        try:
            return self.send("POST", path, kind, order)
        except ConfigError as error:
            raise ConfigError(*(placed(fault, document) for fault in error.faults)) from error

    def _offer(  # noqa: PLR0913  # what the callers were given
        self,
        path: str,
        kind: type[ResourceT],
        job: Mapping[str, object] | str | os.PathLike[str] | None,
        working_dir: str | os.PathLike[str] | None,
        fields: Mapping[str, object],
        *,
        key: str = "",
    ) -> ResourceT:
        """Check a job here, send it, and give the faults found there the lines that they have here.

        With a key its directory is uploaded too, and it is sent again when nobody knows whether it came.
        """
        from scheduler.submission import document_of, placed  # noqa: PLC0415  # reading YAML costs time

        document, directory = document_of(job, working_dir, fields)
        package = self.upload(Path(directory)) if directory and key else ""
        order = JobOrder(job=document.data, working_dir=package)
        try:
            if key:
                return self._connection.read(self._connection.repeat(path, order.model_dump(mode="json"), key), kind)
            return self.send("POST", path, kind, order)
        except ConfigError as error:
            raise ConfigError(*(placed(fault, document) for fault in error.faults)) from error


def _from_job(model: object, job_id: str | int) -> ModelOrder:
    return ModelOrder(model={"name": str(model)}, from_job=str(job_id))


def _unwritable(file: Path, error: OSError | ValueError) -> ConfigError:
    said = error.strerror if isinstance(error, OSError) else str(error)
    return ConfigError(f"cannot write {file}: {said}", help="choose a folder with room")


def _part(name: str | int) -> str:
    """Return a name as one part of a path, whatever is in it; what is no text names nothing that there is."""
    return quote(str(name), safe="", errors="replace")
