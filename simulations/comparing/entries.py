"""Outcomes to be compared, as `headroom simulate --json` has written them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from scheduler.model.errors import ConfigError, Fault
from simulations.evidence import Evidence
from simulations.outcome import NUMBERS

_EVIDENCE: Final = TypeAdapter(Evidence)


@dataclass(frozen=True, eq=False)
class Entry:
    """Runs of one scenario.

    Attributes:
        name: of the scenario.
        days: counted in each run.
        hosts, gpus: how many there are.
        runs: numbers of the outcome by seed; NaN where there was nothing to count.
        evidence: what happened in one of them; None where nobody wrote it down.
        command: that plays it again; "" where nobody knows.
        release: of the Headroom that played it; "" likewise.
    """

    name: str
    days: float
    hosts: int
    gpus: int
    runs: Mapping[int, Mapping[str, float]]
    evidence: Evidence | None
    command: str
    release: str

    def values(self, number: str) -> list[float]:
        """Return one number of every run, by seed."""
        return [self.runs[seed][number] for seed in sorted(self.runs)]


def read_entries(path: Path) -> tuple[Entry, ...]:
    """Return the outcomes of a file.

    Raises:
        ConfigError: it cannot be read, or nobody wrote it that we know.
    """
    help_ = "a file that headroom simulate --json wrote"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "is not text"
        raise ConfigError(Fault("UnreadableFile", f"cannot be read: {said}", str(path), help=help_)) from error
    except ValueError as error:
        raise ConfigError(Fault("BadOutcome", "is not JSON", str(path), help=help_)) from error
    try:
        return tuple(map(entry_of, _documents(found)))
    except (KeyError, TypeError, ValidationError, AttributeError) as error:
        raise ConfigError(Fault("BadOutcome", "is no outcome of a simulation", str(path), help=help_)) from error


def entry_of(document: Mapping[str, Any]) -> Entry:
    """Return the outcome that `simulations.report.document` wrote."""
    evidence, made = document.get("evidence"), document.get("made", {})
    return Entry(
        name=document["scenario"],
        days=document["days"],
        hosts=document["hosts"],
        gpus=document["gpus"],
        runs={run["seed"]: {name: _number(run[name]) for name in NUMBERS} for run in document["runs"]},
        evidence=None if evidence is None else _EVIDENCE.validate_python(_with_nan(evidence), strict=False),
        command=made.get("command", ""),
        release=made.get("release", ""),
    )


def _documents(found: Any) -> Iterator[Mapping[str, Any]]:
    yield from found.get("scenarios", (found,))


def _number(value: float | None) -> float:
    return nan if value is None else float(value)


def _with_nan(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence with NaN where JSON has nothing: no number of it may be missing otherwise."""
    told = dict(evidence)
    told["points"] = [{key: _number(value) for key, value in point.items()} for point in evidence["points"]]
    told["jobs"] = [{key: _number(value) for key, value in job.items()} for job in evidence["jobs"]]
    told["stops"] = [{**stop, "away_s": _number(stop["away_s"])} for stop in evidence["stops"]]
    return told
