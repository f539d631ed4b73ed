"""How quantities and moments are written for people."""

from datetime import datetime, timedelta
from typing import Final

from scheduler.cli.screen import Screen
from scheduler.config.units import format_duration
from scheduler.wire.jobs import Job

_WEEK: Final = timedelta(days=6)
NOTHING: Final = "-"
"""What stands where nothing is known."""


def moment(at: datetime | None, now: datetime, screen: Screen) -> str:
    """Return "17:02" of today, "Tue 04:10" of this week, else "4 Feb 2012 18:40"."""
    if at is None:
        return NOTHING
    there, here = screen.local(at), screen.local(now)
    if there.date() == here.date():
        return f"{there:%H:%M}"
    if abs(there - here) < _WEEK:
        return f"{there:%a %H:%M}"
    return f"{there.day} {there:%b %Y %H:%M}"


def zone_name(now: datetime, screen: Screen) -> str:
    """Return the short name of the zone that is shown, for a header."""
    return screen.local(now).tzname() or "UTC"


def seconds(amount: float | None) -> str:
    """Return "4h10m", or "-"."""
    return NOTHING if amount is None else format_duration(amount)


def number(amount: float | None, digits: int = 1) -> str:
    """Return a number with that many decimals, or "-"."""
    return NOTHING if amount is None else f"{amount:.{digits}f}"


def plain(amount: float) -> str:
    """Return "4", "0.5": no zeros that say nothing."""
    return f"{round(amount, 2):g}"


def thousands(amount: int) -> str:
    """Return "48 200"."""
    return f"{amount:,}".replace(",", " ")


def percent(part: float, whole: float) -> str:
    """Return "72 %", or "-" of nothing."""
    return f"{100 * part / whole:.0f} %" if whole else NOTHING


def asks(job: Job) -> str:
    """Return "3×MI300X", "2×any" or "4 CPU"."""
    if not job.gpus:
        return f"{plain(job.cpus_per_worker * job.workers)} CPU"
    return f"{plain(job.gpus)}×{'|'.join(job.gpu_models) or 'any'}"


def workers_of(job: Job) -> str:
    """Return "4", "4 of 2–8" of a job that can shrink and grow, or "2–8" while it does not run."""
    if not job.max_workers:
        return str(job.workers)
    between = f"{job.min_workers}–{job.max_workers}"
    return f"{job.workers} of {between}" if job.where else between


def hosts_of(job: Job) -> str:
    """Return the hosts a job is on, each once, in the order of its workers."""
    return ", ".join(dict.fromkeys(where.partition(":")[0] for where in job.where))
