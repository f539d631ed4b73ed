"""What people may ask of models: deploy a revision, let it take over, stop that, take a model away."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from threading import Event

from scheduler.control.model_records import ModelRecord, Proposal, Publication, Revision, Rollout, RolloutPhase
from scheduler.control.models.draft import ModelDraft, artifact_in, changes, replicas_are_alike, with_artifact
from scheduler.control.models.rollout import withdrawing
from scheduler.control.ports import Clock, Store
from scheduler.control.records import EventKind, EventRecord
from scheduler.control.reports.board import Board
from scheduler.control.service.artifacts import ArtifactShelf, digest_in
from scheduler.control.service.people import SOMEBODY, Person
from scheduler.control.settings import Served
from scheduler.control.whatif.deployment import DeployOutlook, deploy_outlook
from scheduler.model.errors import Conflict, InvariantBroken, NotFound
from scheduler.model.policy import Policy
from scheduler.model.workloads import JobId


def nobody_reads(_body: str) -> Served:
    """Read no model: where none is deployed, nobody need say how."""
    raise InvariantBroken("nobody has said how a deployed model is read")


@dataclass(frozen=True, slots=True)
class ModelForm:
    """What a control plane knows of models beside its store.

    Attributes:
        declared: those of its file, by name; they belong to the file.
        read: makes a model of what the store has kept of its section.
        artifacts: where what jobs published is kept.
    """

    declared: Mapping[str, ModelDraft] = field(default_factory=dict)
    read: Callable[[str], Served] = nobody_reads
    artifacts: ArtifactShelf = field(default_factory=lambda: ArtifactShelf(Path("artifacts")))


class RolloutVerb(StrEnum):
    """What people want of a rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a deployment.

    Attributes:
        record: the model.
        revision: that was made; the one that was there when nothing is otherwise.
        is_new: whether it was made.
        is_rolled_out: whether replicas have to be replaced for it.
    """

    record: ModelRecord
    revision: Revision
    is_new: bool = True
    is_rolled_out: bool = True


@dataclass(frozen=True, slots=True)
class ModelService:
    """The use-cases of models. Thread-safe; a wish is stored, the loop is poked, the next turns carry it out."""

    store: Store
    board: Board
    clock: Clock
    policy: Policy
    form: ModelForm
    gate: AbstractContextManager[object]
    poke: Event

    def deploy(self, draft: ModelDraft, *, by: Person = SOMEBODY, take_over: bool = False) -> Deployed:
        """Make a model, or the next revision of one, and let it take over; it is on disk when this returns.

        A draft that is just as what is there, or on its way, changes nothing.

        Raises:
            Conflict: it belongs to the file and is not to be taken over, it is being removed, or a rollout of it is
                past being replaced.
        """
        with self.gate:
            record = self._found(draft.name)
            self._refuse(draft.name, record, take_over=take_over)
            known = self._taken_over(draft.name, by) if record is None and draft.name in self.form.declared else None
            base = known[0] if known else record
            made = self._next(base, draft, by)
            if not made.is_new and known is None:
                return made
            revisions = (*(known[1:] if known else ()), *((made.revision,) if made.is_new else ()))
            self.store.save_model(made.record, revisions, self._told_of(made, base, by))
        self.poke.set()
        return made

    def try_out(self, draft: ModelDraft, *, take_over: bool = False) -> tuple[Deployed, DeployOutlook]:
        """Say what a deployment would do, and change nothing.

        Raises:
            Conflict: as `deploy`; or no plan was made yet, so nobody can say.
        """
        record = self._found(draft.name)
        self._refuse(draft.name, record, take_over=take_over)
        known = self._taken_over(draft.name, SOMEBODY) if record is None and draft.name in self.form.declared else None
        made = self._next(known[0] if known else record, draft, SOMEBODY)
        if self.board.report is None:
            raise Conflict("no plan yet: the cluster was not observed", help="try again in a moment")
        served = draft.served.as_revision(made.revision.runs)
        is_beside = bool(made.record.serving) and made.is_rolled_out
        starts = made.is_new and made.is_rolled_out
        return made, deploy_outlook(self.board.report.cycle, served if starts else None, is_beside, self.policy)

    def from_job(self, name: str, job_id: JobId) -> ModelDraft:
        """Return a model as it is, but with the artifact that a job has published for it.

        The artifact is kept as if it had just been published, so that it is there when the draft is deployed.

        Raises:
            NotFound: no such model was deployed, the job has published nothing, or the artifact was pruned.
            Conflict: the model belongs to the file or runs no application, or the artifact is for another one.
        """
        record = self._deployed(name)
        current = self._current(record, name) or self.store.revision(name, record.latest)
        published = self._published(name, job_id)
        if not self.form.read(current.body).application:
            raise Conflict(f"{name} runs no application that could be given an artifact")
        body = with_artifact(current.body, str(self.form.artifacts.wanted(published.digest)))
        return ModelDraft(name, body, self.form.read(body), f"job {job_id} attempt {published.attempt}")

    def bodies_in_use(self) -> Iterator[str]:
        """Yield the sections of all models that are served, on their way, served before, or proposed."""
        yield from (draft.body for draft in self.form.declared.values())
        yield from (proposal.body for proposal in self.store.proposals())
        for record in self.store.models():
            numbers = {record.serving, record.before, record.main, record.on_trial} - {0}
            if record.removed_s is None:
                yield from (self.store.revision(record.name, number).body for number in numbers)

    def rollout(self, name: str, verb: RolloutVerb | None = None, *, to: int = 0, by: Person = SOMEBODY) -> ModelRecord:
        """Pause, resume or undo a rollout, or begin one to a revision that is there; None only asks how far it is.

        Raises:
            NotFound: no such model or revision.
            Conflict: there is nothing of the kind to be done.
        """
        with self.gate:
            record = self._deployed(name)
            if verb is None and not to:
                return record
            after, said = self._back_to(record, to) if to else _steered(record, verb or RolloutVerb.UNDO, self._now_s)
            if after is None:
                after, said = self._back_to(record, record.before)
            if after != record:
                self.store.save_model(after, (), (self._event(name, f"{name}: {said}", "", by),))
        self.poke.set()
        return after

    def remove(self, name: str, *, by: Person = SOMEBODY) -> ModelRecord:
        """Take a model away: its requests are answered, its room is freed, its history stays.

        Removing one that is being removed changes nothing.

        Raises:
            NotFound: there is none.
            Conflict: it belongs to the file.
        """
        with self.gate:
            record = self._deployed(name)
            if record.removing_s is None:
                record = replace(record, removing_s=self._now_s, rollout=_ended(record.rollout, self._now_s))
                title, detail = f"{name} is to be removed", "its replicas answer what they have, and go"
                self.store.save_model(record, (), (self._event(name, title, detail, by),))
        self.poke.set()
        return record

    def propose(self, draft: ModelDraft, *, by: Person = SOMEBODY) -> Proposal:
        """Ask operators to deploy a model; a later proposal of its name replaces one of the same person.

        Raises:
            Conflict: it belongs to the file, or somebody else has proposed one of that name.
        """
        if draft.name in self.form.declared and self._found(draft.name) is None:
            raise _of_the_file(draft.name)
        earlier = next((one for one in self.store.proposals() if one.name == draft.name), None)
        if earlier is not None and earlier.by != by.name:
            raise Conflict(f"{earlier.by} has proposed a {draft.name} already", help="choose another name, or wait")
        proposal = Proposal(draft.name, draft.body, by.name, self._now_s, draft.source)
        self.store.propose(proposal, self._event(draft.name, f"{draft.name} is proposed by {by.name}", "", by))
        return proposal

    def proposals(self) -> tuple[Proposal, ...]:
        """Return what operators have to decide, oldest first."""
        return self.store.proposals()

    def approve(self, name: str, draft_of: Callable[[Proposal], ModelDraft], *, by: Person = SOMEBODY) -> Deployed:
        """Deploy what is proposed; it is checked again, as the site may be another one by now.

        Raises:
            NotFound: nothing of that name is proposed.
            ConfigError: it does not fit the site any more.
            Conflict: as `deploy`.
        """
        proposal = self._proposed(name)
        made = self.deploy(draft_of(proposal), by=by)
        self.store.drop_proposal(name, self._event(name, f"{name} of {proposal.by} is approved", "", by))
        return made

    def reject(self, name: str, reason: str, *, by: Person = SOMEBODY) -> Proposal:
        """Decline what is proposed, and say why.

        Raises:
            NotFound: nothing of that name is proposed.
        """
        proposal = self._proposed(name)
        self.store.drop_proposal(name, self._event(name, f"{name} of {proposal.by} is rejected", reason, by))
        return proposal

    def _published(self, name: str, job_id: JobId) -> Publication:
        published = self.store.publication(job_id)
        if published is None:
            publishes = self.store.job(job_id).spec.publishes
            said = "has published nothing yet" if publishes else "publishes nothing"
            raise NotFound(f"job {job_id} {said}", help="publishes: in its job.yaml, see headroom explain job")
        if published.fault:
            raise NotFound(f"job {job_id} has published nothing: {published.fault}")
        if published.model != name:
            raise Conflict(f"what job {job_id} has published is for {published.model}, not for {name}")
        return published

    def _proposed(self, name: str) -> Proposal:
        proposed = self.store.proposals()
        found = next((one for one in proposed if one.name == name), None)
        if found is None:
            there = ", ".join(one.name for one in proposed) or "nothing"
            raise NotFound(f"no model {name} is proposed", help=f"proposed: {there}")
        return found

    def history(self, name: str) -> tuple[ModelRecord, tuple[Revision, ...]]:
        """Return a model that was ever deployed, and its revisions, oldest first.

        Raises:
            NotFound: there is none.
        """
        record = self._found(name)
        if record is None:
            raise self._unknown(name)
        return record, self.store.revisions(name)

    def all(self) -> tuple[ModelRecord, ...]:
        """Return all models that the store owns, removed ones too."""
        return self.store.models()

    @property
    def _now_s(self) -> float:
        return self.clock.now_s()

    def _found(self, name: str) -> ModelRecord | None:
        return next((record for record in self.store.models() if record.name == name), None)

    def _deployed(self, name: str) -> ModelRecord:
        record = self._found(name)
        if record is not None and record.removed_s is None:
            return record
        if record is None and name in self.form.declared:
            said = f"{name} belongs to the file that the control plane was started with"
            raise Conflict(
                said, help=f"change it there, or take it over: headroom models deploy {name}.yaml --take-over"
            )
        raise self._unknown(name)

    def _unknown(self, name: str) -> NotFound:
        if name in self.form.declared:
            return NotFound(f"{name} belongs to the file, which has no history", help="headroom models")
        there = [record.name for record in self.store.models() if record.removed_s is None]
        return NotFound(f"no model {name} was deployed", help=f"there are: {', '.join(there) or 'none'}")

    def _refuse(self, name: str, record: ModelRecord | None, *, take_over: bool) -> None:
        if record is None:
            if name in self.form.declared and not take_over:
                raise _of_the_file(name)
            return
        if record.removing_s is not None and record.removed_s is None:
            raise Conflict(f"{name} is being removed", help="deploy it again when it is gone")
        if record.active is not None and record.active.phase is RolloutPhase.REPLACING:
            said = f"revision {record.active.to} of {name} is taking over"
            raise Conflict(said, help=f"wait for it, or headroom models rollout {name} --undo")

    def _taken_over(self, name: str, by: Person) -> tuple[ModelRecord, Revision]:
        """Return a model of the file as one of the store: what serves is its first revision."""
        draft = self.form.declared[name]
        first = Revision(name, 1, draft.body, by.name, self._now_s, draft.source, 1, fate="served from the file")
        return ModelRecord(name, 1, 1), first

    def _next(self, record: ModelRecord | None, draft: ModelDraft, by: Person) -> Deployed:
        is_there = record is not None and record.removed_s is None
        number = record.latest + 1 if record is not None else 1
        current = self._current(record, draft.name) if record is not None and is_there else None
        if record is not None and current is not None and current.body == draft.body:
            return Deployed(record, current, is_new=False, is_rolled_out=False)
        changed = changes(current.body, draft.body) if current is not None else ()
        made = Revision(draft.name, number, draft.body, by.name, self._now_s, draft.source, number, changed)
        if record is None or not is_there:
            return Deployed(_begun(ModelRecord(draft.name, latest=number), made, self._now_s), made)
        is_settled = record.active is None and current is not None and record.serving > 0
        if is_settled and current is not None and replicas_are_alike(self.form.read(current.body), draft.served):
            made = replace(made, runs=record.runs, fate="took over at once: its replicas are the same")
            after = replace(record, serving=number, latest=number, before=record.serving, rollout=None)
            return Deployed(after, made, is_rolled_out=False)
        return Deployed(_begun(replace(record, latest=number), made, self._now_s), made)

    def _current(self, record: ModelRecord, name: str) -> Revision | None:
        """Return the revision that serves or is on its way; of a model of the file what that says."""
        number = record.active.to if record.active is not None else record.serving
        if not number:
            return None
        if self._found(name) is None:
            draft = self.form.declared[name]
            return Revision(name, 1, draft.body, "", 0.0, draft.source, 1)
        return self.store.revision(name, number)

    def _back_to(self, record: ModelRecord, number: int) -> tuple[ModelRecord, str]:
        if not number:
            raise Conflict(f"{record.name} has no revision before {record.serving}", help="nothing was changed")
        if record.active is not None:
            raise Conflict(f"revision {record.active.to} of {record.name} is on its way", help="--undo it first")
        revision = self.store.revision(record.name, number)
        if number == record.serving:
            return record, ""
        if digest := digest_in(artifact_in(revision.body)):
            self.form.artifacts.wanted(digest)
        if revision.runs == record.runs:
            after = replace(record, serving=number, before=record.serving, rollout=None)
            return after, f"revision {number} serves again: its replicas are the same"
        kept = tuple(runs for runs in record.withdrawn if runs != revision.runs)
        rollout = Rollout(number, revision.runs, self._now_s, phase_s=self._now_s, is_known=number == record.before)
        return replace(record, rollout=rollout, withdrawn=kept), f"revision {number} is to serve again"

    def _told_of(self, made: Deployed, base: ModelRecord | None, by: Person) -> tuple[EventRecord, ...]:
        number, changed = made.revision.number, "; ".join(made.revision.changed)
        if not made.is_new:
            return (self._event(made.record.name, f"{made.record.name} belongs to the store now", "", by),)
        title = f"{made.record.name}: revision {number} deployed" if base else f"{made.record.name} deployed"
        return (self._event(made.record.name, title, changed, by),)

    def _event(self, name: str, title: str, detail: str, by: Person) -> EventRecord:
        report = self.board.report
        cycle = report.cycle.number if report else 0
        return EventRecord(self._now_s, cycle, EventKind.SERVING, name, title, detail, actor=by.name)


def _of_the_file(name: str) -> Conflict:
    said = f"{name} belongs to the file that the control plane was started with"
    return Conflict(said, help="change it there, or take it over: headroom models deploy FILE --take-over")


def _begun(record: ModelRecord, revision: Revision, now_s: float) -> ModelRecord:
    """Return a model with a rollout of a revision; one that was on its way is given up for it."""
    withdrawn = withdrawing(record, record.active.runs) if record.active is not None else record.withdrawn
    return replace(record, rollout=Rollout(revision.number, revision.runs, now_s, phase_s=now_s), withdrawn=withdrawn)


def _ended(rollout: Rollout | None, now_s: float) -> Rollout | None:
    if rollout is None or rollout.phase.is_over:
        return rollout
    return replace(rollout, phase=RolloutPhase.ROLLED_BACK, phase_s=now_s, reason="the model was removed")


def _steered(record: ModelRecord, verb: RolloutVerb, now_s: float) -> tuple[ModelRecord | None, str]:
    """Return a model whose rollout is steered so; None for one to be undone that is over."""
    rollout = record.active
    if verb is RolloutVerb.UNDO:
        return (None, "") if rollout is None else _undone(record, rollout, now_s)
    if rollout is None:
        raise Conflict(f"no rollout of {record.name} goes on", help=f"headroom models history {record.name}")
    if rollout.phase is RolloutPhase.REPLACING:
        said = f"revision {rollout.to} of {record.name} is taking over already"
        raise Conflict(said, help="only --undo stops that")
    paused = verb is RolloutVerb.PAUSE
    words = "is paused: it stays where it is, and is judged on" if paused else "goes on"
    return replace(record, rollout=replace(rollout, paused=paused)), f"revision {rollout.to} {words}"


def _undone(record: ModelRecord, rollout: Rollout, now_s: float) -> tuple[ModelRecord, str]:
    if not record.serving:
        raise Conflict(
            f"{record.name} has no revision before {rollout.to}", help=f"headroom models remove {record.name}"
        )
    over = replace(rollout, phase=RolloutPhase.ROLLED_BACK, phase_s=now_s, reason="undone")
    after = replace(record, rollout=over, withdrawn=withdrawing(record, rollout.runs))
    return after, f"revision {rollout.to} is undone, revision {record.serving} serves on"
