"""Hosts on the wire: who has each device, what others run there, moves that are proposed, and orders about hosts."""

from datetime import datetime

from pydantic import Field

from scheduler.wire.base import Resource


class DeviceUse(Resource):
    """Who holds (a share of) a device."""

    holder: str
    """Model name or job id."""
    name: str
    """For people: model name, or the job's name."""
    kind: str
    """serving, community, starting, stopping, training, preempting, stray, occupied (by other work on the host), held
    (for a peak) or reserved (for them)."""
    gpu_milli: int
    """Thousandths of the device."""

    @property
    def is_kept(self) -> bool:
        """Whether nobody has it yet: it is kept empty."""
        return self.kind in {"held", "reserved"}


class Device(Resource):
    """One device and its holders; what is left is free, drained or lost by the host's state."""

    index: int
    memory_bytes: int = 0
    partitions: int = 1
    """Into how many equal parts the accelerator is cut that this is one of; 1 when it is whole."""
    uses: tuple[DeviceUse, ...] = ()


class HostBooking(Resource):
    """Room that a waiting job is planned to have later; until then others may use it."""

    job: str
    name: str
    at: datetime
    """From when on."""
    devices: tuple[int, ...] = ()


class Host(Resource):
    """A host with what runs on it."""

    name: str
    state: str
    """ready, cordoned, draining or lost."""
    reason: str = ""
    since: datetime | None = None
    gpu_model: str = ""
    devices: tuple[Device, ...] = ()
    cpus: float
    cpus_used: float
    memory_bytes: int
    memory_bytes_used: int
    labels: dict[str, str] = Field(default_factory=dict)
    bookings: tuple[HostBooking, ...] = ()
    """The earliest first."""

    @property
    def rest(self) -> str:
        """What its devices are that nobody has: free, drained (cordoned, too) or lost."""
        return {"ready": "free", "lost": "lost"}.get(self.state, "drained")

    @property
    def gpu_kind(self) -> str:
        """Model of its devices, and which part of one each is when they are partitioned: "MI300X/8" is an eighth."""
        parts = self.devices[0].partitions if self.devices else 1
        return self.gpu_model if parts == 1 else f"{self.gpu_model}/{parts}"


class ProposedMove(Resource):
    """A running job that could go on elsewhere."""

    job_id: str
    hosts: tuple[str, ...]
    """Where there is room for it now."""


class Proposal(Resource):
    """Moves that would make room for a waiting job; nothing is moved unless the site's policy says so."""

    job_id: str
    """The job that would fit."""
    moves: tuple[ProposedMove, ...]
    lost_gpu_s: float
    """Work that the moves lose, restarts included."""
    waits_s: float
    """How long the job is expected to wait otherwise."""


class Stray(Resource):
    """Something on the cluster that this control plane's store did not start; left alone until somebody decides."""

    name: str
    kind: str
    """run, group (room that is held) or application."""
    owner: str = ""
    """Identity of the store that started it, or its beginning; empty when it carries no mark."""
    hosts: tuple[str, ...] = ()
    gpus: float = 0.0
    cpus: float = 0.0
    memory_bytes: int = 0
    job: str = ""
    """Whose attempt it says it is."""
    attempt: int = 0
    adoptable: bool
    why: str = ""
    """Why it cannot be adopted."""
    ordered: str = ""
    """adopt or evict, when that was asked for and is not done yet."""


class StraysOrder(Resource):
    """Adopt or evict strays."""

    names: tuple[str, ...] = ()
    """Which; none for all of them (to adopt: all that can be)."""


class DrainOrder(Resource):
    """Empty a host."""

    reason: str = ""
    deadline_s: float | None = None
    """Jobs that end by themselves before it are not preempted."""
    force: bool = False
    """Even when serving falls short."""
    dry_run: bool = False


class DrainAnswer(Resource):
    """What a drain will do (or, with `dry_run`, would do)."""

    host: str
    steps: tuple[str, ...]
    """One sentence per replica or job that moves."""
    covered: bool
    short: tuple[str, ...] = ()
    """Models that would lack replicas; empty when covered."""
    empty_at: datetime | None
    applied: bool


class CordonOrder(Resource):
    """Take no new work on a host."""

    reason: str = ""
