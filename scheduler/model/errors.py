"""Errors, named by who must act.

    HeadroomError
    ├── ConfigError          the operator or the submitter: a file or a flag is wrong (exit 2, HTTP 422)
    ├── Unreachable          retry: a cluster, store or traffic source does not answer (exit 3, HTTP 503)
    ├── NotPermitted         the caller lacks the role (exit 4, HTTP 401 or 403)
    ├── NotFound             no such job, host or model (exit 5, HTTP 404)
    ├── Conflict             the state moved on, or forbids it (exit 6, HTTP 409)
    │   └── Superseded       another control plane leads: this one must not act (exit 6, HTTP 503)
    │       └── ClusterTaken likewise, and it keeps its records in another store
    ├── ActionFailed         the cluster refused one action; the loop goes on and replans
    └── InvariantBroken      a bug in Headroom: the last plan stays, and it is said

Scarcity is not here: what does not fit is a value, `scheduler.model.plan.Unplaced`.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an input.

    Attributes:
        code: stable, for programs, for instance "UnknownField".
        message: what is wrong, for people.
        file: where, or "" for a flag or a request body.
        line: 1-based; 0 when unknown.
        field: dotted path of the field, or "".
        help: what to do about it.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    field: str = ""
    help: str = ""

    def __str__(self) -> str:
        """Return "file:line: message"."""
        where = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        return f"{where}: {self.message}" if where else self.message


class HeadroomError(Exception):
    """Base of all errors that Headroom raises on purpose.

    Attributes:
        faults: what is wrong, at least one.
    """

    code = "Error"
    exit_code = 1

    def __init__(self, *faults: Fault | str, help: str = "") -> None:  # noqa: A002  # the word users see
        """Take faults, or a sentence (with what to do about it) that becomes one."""
        self.faults = tuple(f if isinstance(f, Fault) else Fault(self.code, f, help=help) for f in faults)
        super().__init__("; ".join(str(fault) for fault in self.faults))


class ConfigError(HeadroomError):
    """An input is wrong; nothing was changed."""

    code = "BadInput"
    exit_code = 2


class Unreachable(HeadroomError):
    """Something that must answer does not; trying again may help."""

    code = "Unreachable"
    exit_code = 3


class NotPermitted(HeadroomError):
    """The caller lacks the role for it."""

    code = "NotPermitted"
    exit_code = 4


class NotFound(HeadroomError):
    """There is no such thing."""

    code = "NotFound"
    exit_code = 5


class Conflict(HeadroomError):
    """The state has moved on, or does not allow it."""

    code = "Conflict"
    exit_code = 6


class Superseded(Conflict):
    """Another control plane leads: this one may neither write nor give orders, and must say so.

    Attributes:
        leader: where the other one answers, for instance "http://10.0.0.6:8321"; "" when nobody knows.
    """

    code = "NotLeader"

    def __init__(self, message: str, *, help: str = "", leader: str = "") -> None:  # noqa: A002  # as its base
        """Take a sentence, what to do about it, and where the other one answers."""
        super().__init__(message, help=help)
        self.leader = leader


class ClusterTaken(Superseded):
    """The cluster is claimed by a control plane with another store: waiting does not help."""

    code = "ClusterTaken"


class ActionFailed(HeadroomError):
    """The cluster could not carry out one action."""

    code = "ActionFailed"


class InvariantBroken(HeadroomError):
    """A promise of Headroom's own code does not hold."""

    code = "InvariantBroken"
