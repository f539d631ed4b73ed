"""What is held against a new revision: replicas that do not come up or stay up, failed and late requests. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policies.canary_test import Counted, Evidence, is_worse
from scheduler.control.model_records import RevisionCounts, Rollout
from scheduler.control.settings import RolloutTerms
from scheduler.model.counting import plural
from scheduler.model.workloads import Replica, ReplicaState

MOST_CRASHES: Final = 3
"""Times that replicas which were ready are not any more until a revision is rolled back."""
TESTS: Final = 2
"""Failures and lateness are tested apart: each may raise half of the false alarms."""
FAILED_MORE: Final = 0.005
LATE_MORE: Final = 0.02
"""Differences of the shares below which a revision is not called worse, whatever the evidence."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a model at one moment.

    Attributes:
        now_s: epoch seconds.
        replicas: of all its revisions.
        counts: requests of each revision since ever; None where nobody has counted yet.
        late_after_s: time after which a replica that only starts is not believed to come up.
    """

    now_s: float
    replicas: Sequence[Replica] = ()
    counts: Mapping[int, RevisionCounts] | None = None
    late_after_s: float = 60.0

    def of(self, revision: int) -> list[Replica]:
        """Return the replicas that carry the number of a revision and are not being stopped."""
        living = (one for one in self.replicas if one.state is not ReplicaState.STOPPING)
        return [one for one in living if one.revision == revision]

    def ready(self, revision: int) -> list[Replica]:
        """Return those that answer."""
        return [one for one in self.of(revision) if one.state is ReplicaState.READY]


def judged(rollout: Rollout, old: int, look: Look) -> Rollout:
    """Return a rollout with what was seen since it was last looked at."""
    ready = tuple(sorted(one.replica_id for one in look.ready(rollout.runs)))
    starting = {one.replica_id for one in look.of(rollout.runs)} - set(ready)
    crashes = rollout.crashes + len(starting.intersection(rollout.ready))
    counted = rollout if look.counts is None else _counted(rollout, old, look.counts)
    return replace(counted, ready=ready, crashes=crashes)


def why_bad(rollout: Rollout, terms: RolloutTerms, look: Look) -> str:
    """Return why a revision is to be rolled back, with figures; "" while nothing is held against it."""
    starting = [one for one in look.of(rollout.runs) if one.state is ReplicaState.STARTING]
    if faults := [one.fault for one in starting if one.fault]:
        return f"its replicas do not start: {faults[0]}"
    if rollout.crashes >= MOST_CRASHES:
        return f"its replicas went down {rollout.crashes} times"
    late = [one for one in starting if look.now_s - one.since_s > look.late_after_s]
    if late and not rollout.ready:
        return f"no replica was ready after {look.now_s - late[0].since_s:.0f} s, on {_hosts(late)}"
    return _why_worse(rollout, terms)


def _why_worse(rollout: Rollout, terms: RolloutTerms) -> str:
    alarms = terms.false_alarms / TESTS
    if is_worse(rollout.failures, alarms) and _more(rollout.failures) >= FAILED_MORE:
        return _figures("failed", rollout.failures)
    if is_worse(rollout.lateness, alarms) and _more(rollout.lateness) >= LATE_MORE:
        return _figures("were late", rollout.lateness)
    return ""


def _counted(rollout: Rollout, old: int, counts: Mapping[int, RevisionCounts]) -> Rollout:
    """Return it with the requests since the last look; a count that began anew is only noted."""
    now = counts.get(rollout.runs, RevisionCounts()), counts.get(old, RevisionCounts())
    if rollout.seen is None or any(n.total < s.total for n, s in zip(now, rollout.seen, strict=True)):
        return replace(rollout, seen=now)
    new, before = (_since(n, s) for n, s in zip(now, rollout.seen, strict=True))
    failures = rollout.failures.after(Counted(before.total, before.failed), Counted(new.total, new.failed))
    lateness = rollout.lateness.after(Counted(before.total, before.late), Counted(new.total, new.late))
    return replace(rollout, seen=now, failures=failures, lateness=lateness)


def _since(now: RevisionCounts, then: RevisionCounts) -> RevisionCounts:
    total = now.total - then.total
    late, failed = (min(total, max(0, n)) for n in (now.late - then.late, now.failed - then.failed))
    return RevisionCounts(total, late, failed)


def _more(evidence: Evidence) -> float:
    return evidence.new.share - evidence.old.share


def _figures(verb: str, evidence: Evidence) -> str:
    return f"{_of(evidence.new)} {verb}, and {_of(evidence.old)} of the revision before meanwhile"


def _of(counted: Counted) -> str:
    return f"{counted.bad} of {plural(counted.requests, 'request')} ({counted.share:.1%})"


def _hosts(replicas: Iterable[Replica]) -> str:
    return ", ".join(sorted({one.slot.host for one in replicas}))
