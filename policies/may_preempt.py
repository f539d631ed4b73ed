"""Who may have whom stopped. Serving may always; this is about one training job for another."""

from scheduler.model.workloads import TrainingJob


def higher_priority(beneficiary: TrainingJob, victim: TrainingJob) -> bool:
    """Allow it for strictly higher priority: equals never stop each other."""
    return beneficiary.priority > victim.priority


def never(_beneficiary: TrainingJob, _victim: TrainingJob) -> bool:
    """Stop training for serving only."""
    return False
