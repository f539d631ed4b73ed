"""Training jobs: submit, look at, and change them."""

import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from scheduler.client.requests import Requests, part
from scheduler.connection import ResourceT
from scheduler.model.errors import ConfigError
from scheduler.wire.base import Listing, Single
from scheduler.wire.jobs import HoldOrder, Job, JobOrder, JobOutlook, PriorityOrder


class JobRequests(Requests):
    """What the client does with training jobs."""

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
            self.connection.request("PUT", f"/packages/{package.digest}", content=package.chunks, timeout=600.0)
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
        return self.get(f"/jobs/{part(job_id)}", Single[Job]).item

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
        yield from self.connection.lines(f"/jobs/{part(job_id)}/logs", params=parameters, timeout=timeout)

    def stop(self, job_id: str | int) -> Job:
        """End a job for good; a running attempt is given its grace period.

        Raises:
            NotFound: there is none.
            Conflict: it has ended otherwise.
        """
        return self.send("POST", f"/jobs/{part(job_id)}/stop", Single[Job]).item

    def hold(self, job_id: str | int, reason: str = "") -> Job:
        """Let a job give up its room and wait until it is resumed.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self.send("POST", f"/jobs/{part(job_id)}/hold", Single[Job], HoldOrder(reason=reason)).item

    def resume(self, job_id: str | int) -> Job:
        """Let a held job run again.

        Raises:
            NotFound: there is none.
            Conflict: it has ended.
        """
        return self.send("POST", f"/jobs/{part(job_id)}/resume", Single[Job]).item

    def set_priority(self, job_id: str | int, priority: str) -> Job:
        """Give a job another priority class.

        Raises:
            NotFound: there is no such job.
            ConfigError: there is no such class.
            Conflict: the job has ended.
        """
        return self.send("PUT", f"/jobs/{part(job_id)}/priority", Single[Job], PriorityOrder(priority=priority)).item

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
                return self.connection.read(self.connection.repeat(path, order.model_dump(mode="json"), key), kind)
            return self.send("POST", path, kind, order)
        except ConfigError as error:
            raise ConfigError(*(placed(fault, document) for fault in error.faults)) from error
