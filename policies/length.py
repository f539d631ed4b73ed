"""How long a waiting job is expected to take, for policies that let short ones go first."""

from typing import Final

from scheduler.model.workloads import TrainingJob

FIRST_TURN_S: Final = 900.0
"""A job of unknown length is expected to take so long at least: most that will be short are over by then."""


def takes_s(job: TrainingJob) -> float:
    """Return how long it says that it takes, or else as long again as it has run.

    For the widely spread lengths of training jobs what has run for long goes on for long, so the newest is the best
    guess of the shortest: least attained service (Nuyens & Wierman, The foreground-background queue, 2008; for gangs Gu
    et al., Tiresias, NSDI 2019).
    """
    return max(FIRST_TURN_S, job.ran_before_s) if job.word_s is None else job.word_s
