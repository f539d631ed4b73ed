"""Drops what is over and old, beside the loop: a little at a time, never what is open, and each kind for itself."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event
from typing import Final

from scheduler.control.isolation.bulkheads import Bulkheads, Part
from scheduler.control.ports import Clock, Store
from scheduler.control.records import EventKind, EventRecord
from scheduler.control.reports.board import Board
from scheduler.control.service.artifacts import ArtifactShelf
from scheduler.control.service.packages import PackageShelf
from scheduler.control.upkeep.retention import Archive, Ended, Remains, Retention
from scheduler.control.upkeep.sweeping import sweep
from scheduler.model.counting import plural
from scheduler.model.errors import Superseded, Unreachable

SUBJECT: Final = "pruning"
"""Whom its events are about."""
FIRST_S: Final = 30.0
"""Wall seconds before the first step: a start has other things to do."""
BUSY_S: Final = 2.0
"""Rest while there is more to drop."""
IDLE_S: Final = 600.0
"""Rest once there is not."""
JOBS: Final = 200
"""Looked at in one step."""
EVENTS: Final = 500
PACKAGES: Final = 20
DAY_S: Final = 86_400.0
_MEANWHILE: Final = "what is old is kept meanwhile"
_JOBS: Final = Part("pruning of jobs", SUBJECT, _MEANWHILE)
_EVENTS: Final = Part("pruning of events", SUBJECT, _MEANWHILE)
_PACKAGES: Final = Part("pruning of packages", SUBJECT, _MEANWHILE)
_ARTIFACTS: Final = Part("pruning of artifacts", SUBJECT, _MEANWHILE)
_LEFT_OVER: Final = Part("sweeping of what interrupted uploads left", SUBJECT, _MEANWHILE)
_PRUNED: Final = "pruned "
_WHY: Final = "over and old, see retention: in headroom explain cluster"
log = logging.getLogger(__name__)


class Pruner:
    """Takes steps. Used by one thread.

    Files of a job go before its row, so that a step that is interrupted leaves nothing that nobody knows of.

    Attributes:
        rules: for how long what is over is kept; others may be set at any time.
    """

    def __init__(  # noqa: PLR0913  # where things lie, by name
        self,
        *,
        rules: Retention,
        store: Store,
        archive: Archive,
        remains: Remains,
        packages: PackageShelf,
        artifacts: ArtifactShelf,
        in_use: Callable[[], Iterable[str]],
        clock: Clock,
        board: Board,
        prove: Callable[[], object],
    ) -> None:
        """Drop by `rules` while `prove` does not raise: it proves the right to act, before each thing is dropped.

        Artifacts stay that are named in one of the texts that `in_use` yields.
        """
        self._artifacts, self._in_use = artifacts, in_use
        self.rules, self._clock, self._board, self._prove = rules, clock, board, prove
        self._store, self._archive, self._remains, self._packages = store, archive, remains, packages
        self._walls = Bulkheads(clock.speed)
        self._after_job = self._after_event = 0
        self._after_package = ""
        self._stuck: dict[str, OSError] = {}
        self._dropped = Counter[str]()

    def step(self) -> bool:
        """Look at a little of each kind, and drop what is over and old; return whether there is more to look at.

        Raises:
            Superseded: another control plane leads.
            Unreachable: the store does not answer.
        """
        self._prove()
        now_s = self._clock.now_s()
        self._walls.begin(now_s, self._cycle)
        kinds = (
            (_JOBS, self._jobs),
            (_EVENTS, self._events),
            (_PACKAGES, self._old_packages),
            (_ARTIFACTS, self._old_artifacts),
            (_LEFT_OVER, self._sweep),
        )
        more = [self._walls.within(part, partial(work, now_s), lambda: False) for part, work in kinds]
        self._tell(now_s, is_done=not any(more))
        return any(more)

    @property
    def _cycle(self) -> int:
        report = self._board.report
        return report.cycle.number if report else 0

    def _jobs(self, now_s: float) -> bool:
        if not self.rules.first_of_job_s:
            return False
        ended = self._archive.ended(now_s - self.rules.first_of_job_s, self._after_job, JOBS)
        more = len(ended) == JOBS
        self._after_job = int(ended[-1].job_id) if more else 0
        bare = [job.job_id for job in ended if self._is_bare(job, now_s)]
        if self.rules.jobs_s:
            self._dropped["job"] += self._archive.drop_jobs(bare, now_s - self.rules.jobs_s, now_s)
        if self._stuck:
            raise next(iter(self._stuck.values()))
        return more

    def _is_bare(self, job: Ended, now_s: float) -> bool:
        """Drop the files of a job that are no longer kept; return whether it has none that could not be dropped."""
        try:
            if _is_over(job.ended_at_s, self.rules.logs_s, now_s):
                self._prove()
                self._dropped["log"] += self._remains.drop_logs(job)
            if not _is_over(job.ended_at_s, self.rules.checkpoints_s, now_s):
                return True
            is_bare = self._drop_checkpoints(job)
        except OSError as error:
            self._stuck[job.job_id] = error
            return False
        self._stuck.pop(job.job_id, None)
        return is_bare

    def _drop_checkpoints(self, job: Ended) -> bool:
        """Drop checkpoints, unless an open job names their folder; return whether there are none any more."""
        if not self._remains.has_checkpoints(job.job_id):
            return True
        if self._archive.is_named(f"checkpoints/{job.job_id}"):
            return False
        self._prove()
        self._remains.drop_checkpoints(job.job_id)
        self._dropped["checkpoint folder"] += 1
        return True

    def _events(self, now_s: float) -> bool:
        if not self.rules.events_s:
            return False
        count, self._after_event = self._archive.drop_events(now_s - self.rules.events_s, self._after_event, EVENTS)
        self._dropped["event"] += count
        return self._after_event > 0

    def _old_packages(self, now_s: float) -> bool:
        if not self.rules.packages_s:
            return False
        since_s = now_s - self.rules.packages_s

        def is_old(changed_s: float) -> bool:
            return self._clock.to_world_s(changed_s) < since_s

        waiting = [digest for digest in self._packages.old(is_old) if digest > self._after_package]
        for digest in waiting[:PACKAGES]:
            self._after_package = digest
            if not self._archive.is_named(digest, since_s):
                self._prove()
                self._dropped["package"] += self._packages.drop(digest, is_old)
        if len(waiting) > PACKAGES:
            return True
        self._after_package = ""
        return False

    def _old_artifacts(self, now_s: float) -> bool:
        if not self.rules.artifacts_s:
            return False

        def is_old(changed_s: float) -> bool:
            return _is_over(self._clock.to_world_s(changed_s), self.rules.artifacts_s, now_s)

        if old := self._artifacts.old(is_old):
            needed = tuple(self._in_use())
            for digest in old:
                if not any(digest.removeprefix("sha256:") in text for text in needed):
                    self._prove()
                    self._dropped["artifact"] += self._artifacts.drop(digest, is_old)
        return False

    def _sweep(self, now_s: float) -> bool:
        def age_s(changed_s: float) -> float:
            return (now_s - self._clock.to_world_s(changed_s)) / self._clock.speed

        self._dropped["left-over"] += sweep(self._packages.folder.parent, age_s, self._prove)
        return False

    def _tell(self, now_s: float, *, is_done: bool) -> None:
        """Write down what failed, and once a day what was dropped until there was nothing more."""
        news = list(self._walls.news)
        said = ", ".join(plural(count, noun) for noun, count in self._dropped.items() if count)
        told = said and is_done and self._is_due(now_s)
        if told:
            news.append(EventRecord(now_s, self._cycle, EventKind.CONTROL, SUBJECT, f"{_PRUNED}{said}", _WHY))
        if news:
            self._store.record(*news)
        self._walls.told(self._walls.news)
        if told:
            self._dropped.clear()

    def _is_due(self, now_s: float) -> bool:
        said = (event.at_s for event in self._store.events(subject=SUBJECT) if event.title.startswith(_PRUNED))
        return not 0 <= now_s - max(said, default=0.0) < DAY_S


def _is_over(ended_at_s: float, kept_s: float, now_s: float) -> bool:
    return kept_s > 0 and ended_at_s < now_s - kept_s


def prune_forever(pruner: Pruner, stop: Event) -> None:
    """Take steps until `stop` is set or another control plane leads; what fails is tried again after a rest."""
    rest_s = FIRST_S
    while not stop.wait(rest_s):
        rest_s = IDLE_S
        try:
            rest_s = BUSY_S if pruner.step() else IDLE_S
        except Superseded:
            return
        except Unreachable as error:
            log.info("pruning waits: %s", error)
        except Exception as error:  # nothing that pruning meets may end it for good
            log.info("pruning failed", exc_info=error)
