"""What a site allows, and all that is wrong with a submission."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scheduler.control.records import JobRecord
from scheduler.control.service.packages import PackageShelf
from scheduler.control.service.people import Person
from scheduler.model.errors import ConfigError, Conflict, Fault, NotFound, NotPermitted
from scheduler.model.hosts import Host
from scheduler.model.jobspec import JobSpec
from scheduler.model.ledger import Ledger
from scheduler.planning.reasons.feasibility import empty, never_fits_on


@dataclass(frozen=True, slots=True)
class PersonLimits:
    """How much of what there is one person may have.

    Attributes:
        most_pending: jobs of one owner that may wait at once; 0 for any number.
        by_role: the highest priority class that a role may use; any where there is none.
        by_queue: likewise in a queue, for everybody.
    """

    most_pending: int = 0
    by_role: Mapping[str, str] = field(default_factory=dict)
    by_queue: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """What a site allows.

    Attributes:
        priorities: integer of each priority class; higher goes first.
        queues: names that exist.
        submitters: who may submit to a queue, for queues that are not open to everybody.
        longest_grace_s: longest grace period a job may ask for; it is part of serving's lead time.
        limits: of single persons.
        secrets: names that jobs may use, each with whose jobs may; everybody's when there are none.
        given_elsewhere: where jobs are given instead of being submitted here; "" where they are submitted.
    """

    priorities: Mapping[str, int] = field(default_factory=dict)
    queues: tuple[str, ...] = ("default",)
    longest_grace_s: float = 60.0
    submitters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limits: PersonLimits = field(default_factory=PersonLimits)
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    given_elsewhere: str = ""

    def priority(self, name: str) -> int:
        """Return the integer of a priority class.

        Raises:
            ConfigError: there is none of that name.
        """
        if name not in self.priorities:
            raise ConfigError(_unknown("UnknownPriority", f'unknown priority "{name}"', "priority", self.priorities))
        return self.priorities[name]

    def refuse_priority(self, name: str, queue: str, by: Person) -> None:
        """Let a person use a priority class in a queue.

        Raises:
            NotPermitted: it is higher than their role, or anybody, may use there.
        """
        bounds = (
            (f"role {by.role}", self.limits.by_role.get(by.role)),
            (f"queue {queue}", self.limits.by_queue.get(queue)),
        )
        for where, highest in bounds:
            if highest is not None and self.priorities.get(name, 0) > self.priorities[highest]:
                said = f"priority {name} is above what {where} allows"
                raise NotPermitted(Fault("NotPermitted", said, field="priority", help=f"at most {highest}"))

    def refuse_one_more(self, owner: str, jobs: Iterable[JobRecord]) -> None:
        """Let an owner have one more job that waits; `jobs` are all open ones.

        Raises:
            Conflict: as many as one may have wait already.
        """
        if self.limits.most_pending:
            self.refuse_beside(owner, sum(job.spec.owner == owner and not job.state.holds_room for job in jobs))

    def refuse_beside(self, owner: str, waiting: int) -> None:
        """Let an owner have one more job that waits beside so many.

        Raises:
            Conflict: as many as one may have wait already.
        """
        most = self.limits.most_pending
        if most and waiting >= most:
            said = f"{waiting} jobs of {owner or 'nobody'} wait already, and one owner may have {most}"
            raise Conflict(said, help="submit it when some have started, or stop some")

    def refuse_output(self, spec: JobSpec, by: Person) -> None:
        """Let a person read what a job printed: its owner, whoever its queue is kept for, and operators.

        Raises:
            NotPermitted: they are none of these.
        """
        if by.role == "operator" or (by.name and by.name in {spec.owner, *self.submitters.get(spec.queue, ())}):
            return
        said = f"the output of this job is for {spec.owner or 'nobody'}, for its queue and for operators"
        raise NotPermitted(said, help="ask its owner, or an operator")


def faults_of(
    spec: JobSpec, site_limits: SiteLimits, packages: PackageShelf, hosts: Sequence[Host] | None
) -> Iterator[Fault]:
    """Yield all that is wrong with a submission; `hosts` are those last seen, None when none were yet."""
    if site_limits.given_elsewhere:
        said = "on this cluster jobs are not submitted, but given to the cluster itself"
        yield Fault("NotHere", said, help=site_limits.given_elsewhere)
        return
    yield from faults_here(spec, site_limits, None if hosts is None else empty(hosts))
    if spec.working_dir:
        yield from _faults_of_package(spec.working_dir, packages)


def faults_here(spec: JobSpec, site_limits: SiteLimits, whole: Ledger | None) -> Iterator[Fault]:
    """Yield all that the site and its hosts (their room when they are empty) have against a job, wherever it came."""
    if spec.queue not in site_limits.queues:
        yield _unknown("UnknownQueue", f'unknown queue "{spec.queue}"', "queue", site_limits.queues)
    allowed = site_limits.submitters.get(spec.queue)
    if allowed and spec.owner not in allowed:
        message = f"{spec.owner or 'nobody'} may not submit to queue {spec.queue}"
        yield Fault("NotPermitted", message, field="queue", help=f"it is open to: {', '.join(allowed)}")
    if spec.grace_period_s > site_limits.longest_grace_s:
        message = f"grace period {spec.grace_period_s:g} s is longer than the site allows"
        yield Fault("BadValue", message, field="grace", help=f"at most {site_limits.longest_grace_s:g} s")
    yield from _faults_of_secrets(spec, site_limits)
    why = never_fits_on(whole, spec.gang) if whole is not None else None
    if why is not None:
        yield Fault(why.reason.value, why.message, field="resources", help="ask for less, or for other hosts")


def _faults_of_package(digest: str, packages: PackageShelf) -> tuple[Fault, ...]:
    """Return what is wrong with a package; unpacks it if that was not done when it came, or was undone since."""
    try:
        packages.wanted(digest)
    except NotFound:
        return (Fault("UnknownPackage", f"no package {digest}", field="working_dir", help="upload it first"),)
    except ConfigError as error:
        return tuple(replace(fault, field="working_dir") for fault in error.faults)
    return ()


def _faults_of_secrets(spec: JobSpec, site_limits: SiteLimits) -> Iterator[Fault]:
    for variable, name in spec.secrets:
        owners = site_limits.secrets.get(name)
        if owners is None:
            yield _unknown("UnknownSecret", f'unknown secret "{name}"', f"env.{variable}", site_limits.secrets)
        elif owners and spec.owner not in owners:
            message = f'{spec.owner or "nobody"} may not use the secret "{name}"'
            yield Fault("NotPermitted", message, field=f"env.{variable}", help="ask an operator")


def _unknown(code: str, message: str, field_name: str, known: Iterable[str]) -> Fault:
    return Fault(code, message, field=field_name, help="there are: " + ", ".join(known))
