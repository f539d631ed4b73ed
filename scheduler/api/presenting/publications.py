"""What jobs have published, added to what is shown of them."""

from scheduler.api.presenting.jobs import published_view
from scheduler.api.site import Parts
from scheduler.control.records import JobRecord
from scheduler.wire.jobs import Job


def with_published(parts: Parts, record: JobRecord, job: Job) -> Job:
    """Return a job with what became of what it publishes, where it does."""
    if record.spec.publishes is None:
        return job
    made = parts.service.store.publication(record.job_id)
    return job.model_copy(update={"publishes": published_view(record.spec.publishes, made)})
