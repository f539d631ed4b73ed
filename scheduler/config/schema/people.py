"""Who may do what and have how much, what is kept, and where people and programs ask."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from scheduler.config.schema.base import Section
from scheduler.config.units import DurationSeconds


class Limits(Section):
    """How much of what there is one person may have."""

    pending_jobs_per_owner: Annotated[int, Field(ge=0)] = 1000
    """Jobs of one owner that may wait at once; 0 for any number."""
    highest_priority: dict[Literal["submitter", "operator"], Annotated[str, Field(examples=["high"])]] = Field(
        default_factory=dict
    )
    """Highest priority class that a role may use; any where left out."""


class Retention(Section):
    """For how long what is over is kept, in time of the world's clock; 0 for ever. What is open is always kept."""

    jobs: DurationSeconds = 90 * 86_400.0
    """Jobs that ended, with their attempts; the newest job stays. Run times and fair share are learned from them."""
    events: DurationSeconds = 90 * 86_400.0
    """Events; those of open jobs stay."""
    logs: DurationSeconds = 90 * 86_400.0
    """What the attempts of jobs that ended have printed; gone with the job at the latest."""
    checkpoints: DurationSeconds = 30 * 86_400.0
    """Checkpoints of jobs that ended; gone with the job at the latest, kept while an open job names them."""
    packages: DurationSeconds = 30 * 86_400.0
    """Uploaded working directories, since one was sent last and the last job that names it, of those kept, ended."""
    artifacts: DurationSeconds = 90 * 86_400.0
    """What jobs published, since then or since it was last deployed; kept while a revision that serves, is on its way
    or served before has it."""


class SecretSource(Section):
    """Where a secret of the site lies; jobs name it in `env`."""

    file: Path | None = None
    """File that has it, best readable by the control plane only; relative to this file's directory."""
    env: str = ""
    """Variable of the control plane's environment that has it, instead of a file."""
    owners: tuple[str, ...] = ()
    """Whose jobs may have it, by the name of their token; everybody's when left out."""


class Token(Section):
    """A bearer token of the API, known by its digest only."""

    name: Annotated[str, Field(min_length=1, examples=["ci"])]
    """Who uses it; the owner of what is submitted with it."""
    role: Literal["viewer", "submitter", "operator"]
    """What its bearer may do; each role includes the ones before."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the token: printf %s TOKEN | sha256sum."""


class Api(Section):
    """The HTTP API."""

    host: str = "127.0.0.1"
    """Address to listen on; anything but loopback needs tokens."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8321
    """Port; 0 picks a free one."""
    url: Annotated[str, Field(examples=["https://headroom.example.org"])] = ""
    """Where others reach it, said by those that wait for it (`headroom run --standby`); else its host and port. Pods on
    Kubernetes are told it, too: only where it is given can their jobs say how far they are."""
    tokens: tuple[Token, ...] = ()
    """Who may do what. Needed on any address but loopback."""
    public: bool = False
    """Whether the page, most of the API for reading and /metrics are shown without a token too, without who anybody is
    and what people wrote."""


class Router(Section):
    """The front door of all served models; they answer under /models/<name>/."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """0 for a free one. Where Serve runs already, it keeps its own address."""
