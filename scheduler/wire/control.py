"""The control plane itself on the wire."""

from datetime import datetime

from scheduler.wire.base import Resource


class Status(Resource):
    """The control plane itself."""

    version: str
    cluster: str
    backend: str
    state: str
    """starting, live, degraded (with `message`), or standby: it waits for another one to end (see `leader`)."""
    message: str = ""
    waiting: str = ""
    """What plans are made without until it is heard, for instance "waits for traffic of 130 of 137 sources"."""
    period_s: float
    speed: float
    """World seconds per wall second; 1 but on a replay."""
    last_plan_at: datetime | None
    last_plan_age_s: float | None = None
    """Wall seconds since the last plan; None before the first."""
    plan_duration_s: float
    role: str = ""
    """The caller's role."""
    caller: str = ""
    """The caller's name, owner of the jobs it submits."""
    strays: int = 0
    """What others run on the cluster, see /api/v1/strays."""
    leader: str = ""
    """Address of the one that leads, when this one does not."""
