"""What jobs publish when they succeed: taken in beside the loop, recorded, and handed on to the model they are for."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Final

from scheduler.control.model_records import Publication
from scheduler.control.ports import Clock, Store
from scheduler.control.records import EventKind, EventRecord, JobRecord
from scheduler.control.reports.board import Board
from scheduler.control.service.artifacts import ArtifactShelf
from scheduler.control.service.models import ModelService
from scheduler.control.service.people import Person
from scheduler.model.counting import plural
from scheduler.model.errors import ConfigError, Conflict, HeadroomError, InvariantBroken, NotFound, Superseded
from scheduler.model.jobspec import Publishes
from scheduler.model.workloads import JobId

REST_S: Final = 2.0
"""Wall seconds between looks."""
log = logging.getLogger(__name__)


class Publisher:
    """Takes in what jobs that succeeded have published. Used by one thread.

    Each step may be cut off anywhere, and is done again: taking in the same content, and deploying what is deployed,
    change nothing.
    """

    def __init__(  # noqa: PLR0913  # where things lie, by name
        self,
        *,
        store: Store,
        models: Callable[[], ModelService],
        artifacts: ArtifactShelf,
        folder_of: Callable[[JobId], Path],
        may_deploy: Callable[[str], bool],
        clock: Clock,
        board: Board,
        prove: Callable[[], object],
    ) -> None:
        """Look in `folder_of` each job; `may_deploy` says it of an owner, `prove` proves the right to act.

        `models` gives the use-cases of models as they are now: the file may be read again.
        """
        self._store, self._models, self._artifacts = store, models, artifacts
        self._folder_of, self._may_deploy, self._prove = folder_of, may_deploy, prove
        self._clock, self._board = clock, board

    def step(self) -> None:
        """Publish what is to be published.

        Raises:
            Superseded: another control plane leads.
            Unreachable: the store does not answer.
        """
        self._prove()
        for job in self._store.unpublished():
            try:
                self._publish(job)
            except HeadroomError:
                raise
            except Exception as error:  # one that cannot be published keeps no other from it
                log.info("job %s cannot be published", job.job_id, exc_info=error)

    def _publish(self, job: JobRecord) -> None:
        asked = job.spec.publishes
        if asked is None:
            raise InvariantBroken(f"job {job.job_id} publishes nothing")
        made = self._store.publication(job.job_id)
        if made is None:
            made = self._taken_in(job, asked)
            goes_on = asked.is_deployed and not made.fault
            made = replace(made, is_open=goes_on)
            self._store.publish(made, (self._told(job, made),))
        if made.is_open:
            over = replace(made, is_open=False, followed=self._handed_on(job, made))
            title = f"{job.job_id} {job.spec.name}: what it published {over.followed}"
            self._store.publish(over, (self._event(EventKind.TRAINING, job, title),))

    def _taken_in(self, job: JobRecord, asked: Publishes) -> Publication:
        attempt = job.attempt.number if job.attempt is not None else 0
        base = Publication(job.job_id, attempt, asked.model, job.spec.owner, self._clock.now_s())
        base = replace(base, data_version=asked.data_version)
        try:
            found = self._artifacts.take_in(self._folder_of(job.job_id), asked.path)
        except ConfigError as error:
            return replace(base, fault=str(error))
        except OSError as error:
            return replace(base, fault=f"cannot be kept: {error.strerror or type(error).__name__}")
        return replace(base, digest=found.digest, size_bytes=found.size_bytes, files=found.files)

    def _handed_on(self, job: JobRecord, made: Publication) -> str:
        """Deploy an artifact, or propose it where its owner may not; return what became of it."""
        is_operator = self._may_deploy(made.owner)
        by = Person(made.owner, "operator" if is_operator else "submitter")
        try:
            models = self._models()
            draft = models.from_job(made.model, job.job_id)
            if is_operator:
                return f"is revision {models.deploy(draft, by=by).revision.number} of {made.model}"
            models.propose(draft, by=by)
        except (ConfigError, Conflict, NotFound) as error:
            return f"was not deployed: {error}"
        return f"is proposed as the next revision of {made.model}"

    def _told(self, job: JobRecord, made: Publication) -> EventRecord:
        named = f"{job.job_id} {job.spec.name}"
        if made.fault:
            return self._event(EventKind.FAILURE, job, f"{named} published nothing for {made.model}", made.fault)
        size = f"{made.digest}, {plural(made.files, 'file')}, {plural(made.size_bytes, 'byte')}"
        return self._event(EventKind.TRAINING, job, f"{named} published an artifact for {made.model}", size)

    def _event(self, kind: EventKind, job: JobRecord, title: str, detail: str = "") -> EventRecord:
        report = self._board.report
        cycle = report.cycle.number if report else 0
        return EventRecord(self._clock.now_s(), cycle, kind, job.job_id, title, detail)


def publish_forever(publisher: Publisher, stop: Event) -> None:
    """Take steps until `stop` is set or another control plane leads; what fails is tried again."""
    while not stop.wait(REST_S):
        try:
            publisher.step()
        except Superseded:
            return
        except HeadroomError as error:
            log.info("publishing waits: %s", error)
        except Exception as error:  # nothing that one job left may end it for good
            log.info("publishing failed", exc_info=error)
