"""Standard Workload Format, as the Parallel Workloads Archive keeps the logs of parallel machines: a table of its jobs.

Eighteen numbers a line, -1 where nothing is known; lines that begin with a semicolon are the header. Version 2.2
(Feitelson, https://www.cs.huji.ac.il/labs/parallel/workload/swf.html).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from records.fault import RecordError, Say
from records.table import Row, Table

NAMES: Final = (
    "job_id", "submit_time", "wait", "run_time", "allocated_processors", "cpu_time", "memory", "requested_processors",
    "requested_time", "requested_memory", "status", "user", "group", "executable", "queue", "partition",
    "after_job", "think_time",
)  # fmt: skip
PROCESSORS: Final = "processors"
"""Column that is added: those allocated, or else requested."""
_PARTS: Final = frozenset({"2", "3", "4"})
"""States of lines that are a part of a job, which has a line of its own."""
_START: Final = re.compile(r";\s*UnixStartTime\s*:\s*(\d+)")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_FEW: Final = 3
"""A line of more numbers than this, below lines that begin with a semicolon, is one of a log."""
_HELP: Final = "correct or remove the line; or leave such lines out (--skip-bad-rows)"


def is_swf(text: str, name: str) -> bool:
    """Whether a file is in this format, by its name or its first line of jobs."""
    if ".swf" in name.casefold():
        return True
    first = next((line for line in text.splitlines() if line.strip() and not line.startswith(";")), "")
    return text.startswith(";") and len(first.split()) > _FEW and all(map(_NUMBER.fullmatch, first.split()))


def swf_table(text: str, say: Say, *, skip: bool = False) -> Table:
    """Return the jobs of a log, with `processors` beside its own columns; times are Unix times where it says its start.

    Args:
        text: the log.
        say: is told what was left out.
        skip: leave out lines that are no jobs, and tell, in place of raising.

    Raises:
        RecordError: a line is not eighteen numbers.
    """
    lines = text.splitlines()
    start_s = next((int(found[1]) for found in map(_START.match, lines) if found), 0)
    bad = list[int]()
    rows = list(_jobs(lines, start_s, bad))
    if bad and not skip:
        said = f"not {len(NAMES)} numbers, as Standard Workload Format has them"
        raise RecordError(said, line=bad[0], help=_HELP)
    if bad:
        where = f"line {bad[0]}{', …' if len(bad) > 1 else ''}"
        say(f"left out: {len(bad)} of {len(bad) + len(rows)} lines: not {len(NAMES)} numbers ({where})")
    status = NAMES.index("status")
    whole = [row for row in rows if row[1][status] not in _PARTS]
    if len(whole) < len(rows):
        say(f"left out: {len(rows) - len(whole)} of {len(rows)} lines: parts of jobs (status 2 to 4)")
    return Table([*NAMES, PROCESSORS], whole)


def _jobs(lines: Sequence[str], start_s: int, bad: list[int]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells or line.startswith(";"):
            continue
        if _is_job(cells):
            yield number, _told(dict(zip(NAMES, cells, strict=True)), start_s)
        else:
            bad.append(number)


def _told(job: Mapping[str, str], start_s: int) -> list[str]:
    """Return the cells of a job, "" where nothing is known."""
    known = {name: "" if float(cell) < 0 else cell for name, cell in job.items()}
    at_s = float(job["submit_time"]) + start_s
    processors = known["allocated_processors"] or known["requested_processors"]
    return [*{**known, "submit_time": f"{at_s:.15g}"}.values(), processors]


def _is_job(cells: Sequence[str]) -> bool:
    return len(cells) == len(NAMES) and all(map(_NUMBER.fullmatch, cells))
