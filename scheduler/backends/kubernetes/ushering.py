"""What is to be done for a gang that was started. Pure: what is there goes in, a decision comes out.

It is waited for until all its pods are at the gate, then all are let in together, or it is given up.
"""

from dataclasses import dataclass
from enum import StrEnum

from scheduler.backends.kubernetes.marks import GATE
from scheduler.backends.kubernetes.pairing import paired
from scheduler.backends.kubernetes.pods import Pod
from scheduler.backends.kubernetes.room import Room
from scheduler.backends.kubernetes.running import LOST, NOT_STARTED, Attempt, trouble_of


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long a gang is waited for, in seconds.

    Attributes:
        gather_s: until all its pods are there.
        regather_s: likewise for pods in place of others that failed, while it runs; controllers take their time there.
        bind_s: until kube-scheduler has bound them, after they were let in.
        start_s: until they run, after they were bound.
    """

    gather_s: float = 60.0
    regather_s: float = 600.0
    bind_s: float = 30.0
    start_s: float = 900.0


class Phase(StrEnum):
    """Where a gang is."""

    GATHERS = "gathers"
    """Not all its pods are there, or some wait at the gate."""
    BINDS = "binds"
    STARTS = "starts"
    RUNS = "runs"


@dataclass(frozen=True, slots=True)
class Standing:
    """How long a gang is where it is.

    Attributes:
        phase: see `Phase`.
        since_s: since when, epoch seconds.
        was_up: whether it has ever been whole and running.
    """

    phase: Phase
    since_s: float
    was_up: bool = False


@dataclass(frozen=True, slots=True)
class LetIn:
    """All pods that wait go in now, each pinned to its host."""

    pods: tuple[tuple[Pod, str], ...]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is suspended, with this reason."""

    reason: str


def standing(attempt: Attempt, before: Standing | None, now_s: float) -> Standing:
    """Return where a gang is, and since when."""
    was_up = attempt.is_up or (before is not None and before.was_up)
    phase = _phase(attempt)
    if before is not None and before.phase == phase:
        return before if before.was_up == was_up else Standing(phase, before.since_s, was_up)
    return Standing(phase, attempt.marks.started_at_s if before is None and phase is Phase.GATHERS else now_s, was_up)


def step(attempt: Attempt, at: Standing, room: Room, patience: Patience) -> LetIn | GiveUp | None:
    """Return what to do now; None to wait.

    Args:
        attempt: not told to stop.
        at: where it is.
        room: as the caches have it.
        patience: see there.
    """
    asking, late_s = attempt.seen.asking, room.now_s - at.since_s
    if asking is None:
        return None
    if at.phase is Phase.GATHERS:
        return _gathering(attempt, at, room, patience)
    if at.phase is Phase.BINDS and late_s >= patience.bind_s:
        return _given_up(at, f"not all of its pods were bound within {patience.bind_s:g} s", attempt)
    if at.phase is Phase.STARTS and late_s >= patience.start_s and not at.was_up:
        return _given_up(at, f"it did not come up within {patience.start_s:g} s", attempt)
    return None


def _gathering(attempt: Attempt, at: Standing, room: Room, patience: Patience) -> LetIn | GiveUp | None:
    asking, uid = attempt.seen.asking, attempt.seen.uid
    waits_s = patience.regather_s if at.was_up else patience.gather_s
    late_s = room.now_s - at.since_s
    if late_s >= waits_s + patience.bind_s:
        return _given_up(at, f"its pods could not be let in within {waits_s + patience.bind_s:g} s", attempt)
    if asking is not None and _is_gathered(attempt):
        why = room.missing(asking, attempt.marks.slots, but=uid)
        if why:
            return _given_up(at, why, attempt)
        pairs = paired(attempt, room.places(asking, attempt.marks.slots, but=uid))
        if len(pairs) == sum(1 for pod in attempt.gang if GATE in pod.gates):
            return LetIn(pairs)
    if late_s < waits_s:
        return None
    there = len(attempt.gang)
    missing = f"{there} of its {attempt.expected} pods were there within {waits_s:g} s"
    return _given_up(at, missing if there < attempt.expected else _no_seat(attempt), attempt)


def _is_gathered(attempt: Attempt) -> bool:
    """Whether all are there that are expected; a pod in place of another comes only when the other is gone."""
    return len(attempt.gang) >= attempt.expected and len(attempt.gang) == len(attempt.pods)


def _no_seat(attempt: Attempt) -> str:
    ending = [pod for pod in attempt.pods if pod.is_going]
    where = ", ".join(sorted({pod.node for pod in ending if pod.node}))
    return f"pods of it still end on {where}" if ending else "it has more pods than slots"


def _given_up(at: Standing, why: str, attempt: Attempt) -> GiveUp:
    trouble = trouble_of(attempt.pods)
    said = f"{why}; {trouble}" if trouble else why
    return GiveUp(f"{LOST if at.was_up else NOT_STARTED}: {said}")


def _phase(attempt: Attempt) -> Phase:
    if attempt.is_held_back or len(attempt.gang) < attempt.expected:
        return Phase.GATHERS
    if not all(pod.node for pod in attempt.gang):
        return Phase.BINDS
    return Phase.RUNS if attempt.is_up else Phase.STARTS
