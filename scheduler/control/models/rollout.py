"""How a rollout goes on: from a record and what is seen of the model to the next record. Pure."""

from dataclasses import dataclass, replace
from typing import Final

from scheduler.control.jobs.event_text import span
from scheduler.control.model_records import ModelRecord, Rollout, RolloutPhase
from scheduler.control.models.judging import Look, judged, why_bad
from scheduler.control.records import EventKind
from scheduler.control.settings import RolloutTerms
from scheduler.model.counting import plural


@dataclass(frozen=True, slots=True)
class Advanced:
    """What became of a model.

    Attributes:
        record: as it is now.
        title: what to tell, "" for nothing.
        detail: with figures.
        kind: of what is told.
        fate: how the revision did, where that is known now; "" while it is not.
    """

    record: ModelRecord
    title: str = ""
    detail: str = ""
    kind: EventKind = EventKind.SERVING
    fate: str = ""


def advanced(record: ModelRecord, terms: RolloutTerms, look: Look) -> Advanced:
    """Return what becomes of a model whose replicas look so: at most one step further."""
    if record.removing_s is not None:
        return _removed(record, look)
    if record.active is None:
        return Advanced(_forgetful(record, look))
    rollout = judged(record.active, record.runs, look)
    if reason := why_bad(rollout, terms, look):
        return _given_up(record, rollout, reason, look.now_s)
    step = _STEPS.get(rollout.phase)
    return step(replace(record, rollout=rollout), rollout, terms, look) if step else Advanced(record)


def _removed(record: ModelRecord, look: Look) -> Advanced:
    if look.replicas or record.removed_s is not None:
        return Advanced(record)
    gone = replace(record, serving=0, runs=0, removed_s=look.now_s, withdrawn=())
    return Advanced(gone, f"{record.name} is removed", "its room is free; its revisions are kept")


def _forgetful(record: ModelRecord, look: Look) -> ModelRecord:
    """Return it without withdrawn revisions of which nothing is left."""
    there = {one.revision for one in look.replicas}
    last = record.rollout.runs if record.rollout is not None else 0
    kept = tuple(number for number in record.withdrawn if number in there or number == last)
    return record if kept == record.withdrawn else replace(record, withdrawn=kept)


def _given_up(record: ModelRecord, rollout: Rollout, reason: str, now_s: float) -> Advanced:
    phase = RolloutPhase.ROLLED_BACK if record.serving else RolloutPhase.FAILED
    over = replace(rollout, phase=phase, phase_s=now_s, reason=reason)
    after = replace(record, rollout=over, withdrawn=withdrawing(record, rollout.runs))
    title = f"{record.name}: revision {rollout.to} {phase}"
    goes_on = f"; revision {record.serving} serves on" if record.serving else "; nothing is served"
    return Advanced(after, title, f"{reason}{goes_on}", EventKind.FAILURE, f"{phase}: {reason}")


def _started(record: ModelRecord, rollout: Rollout, terms: RolloutTerms, look: Look) -> Advanced:
    """Go on once a replica of the revision is ready."""
    if not rollout.ready or (rollout.paused and record.serving):
        return Advanced(record)
    if not record.serving:
        return _done(record, rollout, look.now_s, f"first ready after {span(look.now_s - rollout.began_s)}")
    if rollout.is_known or not terms.steps:
        return _to(record, rollout, RolloutPhase.REPLACING, look.now_s, "takes over")
    trying = replace(rollout, share=terms.steps[0])
    return _to(record, trying, RolloutPhase.TRYING, look.now_s, f"gets {trying.share:.0%} of the requests")


def _tried(record: ModelRecord, rollout: Rollout, terms: RolloutTerms, look: Look) -> Advanced:
    """Go on to the next share, or have it take over, once it was good for long enough."""
    answered, lasted_s = rollout.failures.new.requests - rollout.step_from, look.now_s - rollout.step_s
    enough = lasted_s >= terms.step_s and (answered >= terms.step_requests or lasted_s >= terms.patience_s)
    if rollout.paused or not enough or not rollout.ready:
        return Advanced(record)
    step = rollout.step + 1
    if step >= len(terms.steps):
        return _to(record, rollout, RolloutPhase.REPLACING, look.now_s, f"was good, {_figures(rollout)}: it takes over")
    trying = replace(rollout, step=step, share=terms.steps[step])
    words = f"was good, {_figures(rollout)}: it gets {trying.share:.0%} of the requests"
    return _to(record, trying, RolloutPhase.TRYING, look.now_s, words)


def _replaced(record: ModelRecord, rollout: Rollout, _terms: RolloutTerms, look: Look) -> Advanced:
    """Have it serve once nothing of another revision is left."""
    numbers = {one.revision for one in look.replicas}
    if numbers - {rollout.runs} or (numbers and not rollout.ready):
        return Advanced(record)
    fate = f"took over within {span(look.now_s - rollout.began_s)}; {_figures(rollout)}"
    return _done(record, rollout, look.now_s, fate)


def _to(record: ModelRecord, rollout: Rollout, phase: RolloutPhase, now_s: float, words: str) -> Advanced:
    since_s = rollout.phase_s if phase is rollout.phase else now_s
    step_from = rollout.failures.new.requests
    moved = replace(rollout, phase=phase, phase_s=since_s, step_s=now_s, step_from=step_from)
    return Advanced(replace(record, rollout=moved), f"{record.name}: revision {rollout.to} {words}")


def _done(record: ModelRecord, rollout: Rollout, now_s: float, fate: str) -> Advanced:
    over = replace(rollout, phase=RolloutPhase.DONE, phase_s=now_s)
    after = replace(record, serving=rollout.to, runs=rollout.runs, before=record.serving, rollout=over)
    return Advanced(after, f"{record.name}: revision {rollout.to} serves", fate, fate=fate)


def _figures(rollout: Rollout) -> str:
    new, late = rollout.failures.new, rollout.lateness.new
    return f"{plural(new.requests, 'request')}, {new.bad} failed, {late.bad} late"


def withdrawing(record: ModelRecord, runs: int) -> tuple[int, ...]:
    """Return the numbers of replicas that are not to serve, with one more."""
    return (*(number for number in record.withdrawn if number != runs), runs)


_STEPS: Final = {
    RolloutPhase.STARTING: _started,
    RolloutPhase.TRYING: _tried,
    RolloutPhase.REPLACING: _replaced,
}
