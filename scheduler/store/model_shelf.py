"""Models deployed at run time, their revisions and proposals, and what jobs publish, in the database."""

from collections.abc import Sequence

from scheduler.control.model_records import ModelRecord, Proposal, Publication, Revision
from scheduler.control.records import EventRecord, JobRecord
from scheduler.model.workloads import JobId
from scheduler.store.engine import reading, writing
from scheduler.store.job_rows import with_attempts
from scheduler.store.models import (
    drop_proposal,
    read_models,
    read_proposals,
    read_revision,
    read_revisions,
    write_model,
    write_proposal,
)
from scheduler.store.publications import read_publication, unpublished_jobs, write_publication
from scheduler.store.shelf import Shelf


class ModelShelf(Shelf):
    """Models, their revisions and proposals, and publications of jobs."""

    def models(self) -> tuple[ModelRecord, ...]:
        """Return the models that were deployed at run time, in the order of their deployment."""
        with reading(self.engine) as connection:
            return read_models(connection)

    def revision(self, model: str, number: int) -> Revision:
        """Return one revision of a model; NotFound when there is none."""
        with reading(self.engine) as connection:
            return read_revision(connection, model, number)

    def revisions(self, model: str) -> tuple[Revision, ...]:
        """Return all revisions of a model, oldest first."""
        with reading(self.engine) as connection:
            return read_revisions(connection, model)

    def proposals(self) -> tuple[Proposal, ...]:
        """Return the models that are proposed, oldest first."""
        with reading(self.engine) as connection:
            return read_proposals(connection)

    def propose(self, proposal: Proposal, event: EventRecord) -> None:
        """Add a proposal, or replace the one of its name, and tell of it."""
        with writing(self.engine) as connection:
            drop_proposal(connection, proposal.name)
            write_proposal(connection, proposal)
            self.add(connection, [event])

    def drop_proposal(self, name: str, event: EventRecord) -> None:
        """Forget a proposal that was decided, and tell of it."""
        with writing(self.engine) as connection:
            drop_proposal(connection, name)
            self.add(connection, [event])

    def save_model(
        self, record: ModelRecord, revisions: Sequence[Revision] = (), events: Sequence[EventRecord] = ()
    ) -> None:
        """Add a model or replace its record, add or replace revisions, and add events, all or nothing."""
        with writing(self.engine) as connection:
            write_model(connection, record, revisions)
            self.add(connection, events)

    def unpublished(self) -> tuple[JobRecord, ...]:
        """Return jobs that succeeded and of which it is open what they publish, oldest first."""
        with reading(self.engine) as connection:
            return tuple(with_attempts(connection, connection.execute(unpublished_jobs()).all()))

    def publication(self, job_id: JobId) -> Publication | None:
        """Return what a job has published; None while that is not known, and of one that publishes nothing."""
        with reading(self.engine) as connection:
            return read_publication(connection, job_id)

    def publish(self, publication: Publication, events: Sequence[EventRecord] = ()) -> None:
        """Replace what a job has published, and add events, all or nothing."""
        with writing(self.engine) as connection:
            write_publication(connection, publication)
            self.add(connection, events)
