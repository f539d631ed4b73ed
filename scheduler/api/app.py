"""The HTTP application: routes, errors, limits and the page, put together from a service and a board."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from scheduler.api.access import Guard
from scheduler.api.answers import WHAT_IS_WRONG, install_handlers
from scheduler.api.bodies import MOST_BYTES, well_formed
from scheduler.api.coming_starts import ComingStarts
from scheduler.api.headers import PlainHeaders
from scheduler.api.panels import PanelDesk
from scheduler.api.pointing import PointsToLeader
from scheduler.api.recent import Recent
from scheduler.api.routes import cluster, control, jobs, logs, models, page, progress, strays, stream, whatif
from scheduler.api.site import Logs, Parts, Questions, Reload, Site
from scheduler.api.static_files import install_static
from scheduler.config.schema import Token
from scheduler.control.leadership import Leader
from scheduler.control.reports.board import Board
from scheduler.control.service.progress import ProgressDesk
from scheduler.control.service.service import ControlService
from scheduler.wire.base import ErrorAnswer


def create_app(  # noqa: PLR0913  # the parts of a control plane, all by name
    *,
    service: ControlService,
    board: Board,
    site: Site,
    bind_host: str = "127.0.0.1",
    tokens: Sequence[Token] = (),
    public: bool = False,
    metrics: Callable[[], bytes] | None = None,
    logs_of: Logs | None = None,
    leader: Callable[[], Leader | None] | None = None,
    backup: Callable[[Path], object] | None = None,
    reload: Reload | None = None,
    questions: Questions | None = None,
    progress_desk: ProgressDesk | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        service: what can be asked of the control plane.
        board: what it shows.
        site: what the configuration says.
        bind_host: the address that is listened on; any but loopback demands tokens.
        tokens: who may do what; needed on any address but loopback.
        public: whether those without a token read what is shown to everybody.
        metrics: makes the text for Prometheus.
        logs_of: reads the output of attempts.
        leader: says from memory who leads, where this one waits and only answers questions.
        backup: writes the store to a new file.
        reload: reads the file of the control plane again.
        questions: answers what would be otherwise.
        progress_desk: takes what attempts say of themselves; None where it is read from their files.
    """
    # No interactive documentation: its scripts would come from elsewhere. /openapi.json is what programs need.
    app = FastAPI(
        title="Headroom",
        version=site.release,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        max_body_size=MOST_BYTES,
        dependencies=[Depends(well_formed)],
        responses={"default": {"model": ErrorAnswer, "description": WHAT_IS_WRONG}},
    )
    guard, recent, starts = Guard(bind_host, tokens, public=public), Recent(service), ComingStarts(site.policy)
    asked = (leader, backup, reload, questions, progress_desk)
    app.state.parts = Parts(service, board, site, guard, metrics, logs_of, recent, starts, *asked)
    app.state.panels = PanelDesk(app.state.parts)
    app.state.public_panels = PanelDesk(app.state.parts.for_everybody())
    for module in (jobs, logs, progress, cluster, models, strays, control, whatif, stream, page):
        app.include_router(module.router)
    install_static(app)
    install_handlers(app)
    if leader is not None:
        app.add_middleware(PointsToLeader, leader=leader)
    app.add_middleware(PlainHeaders)
    app.add_middleware(GZipMiddleware, minimum_size=1000)
    return app


def renewal(app: FastAPI, site: Site, guard: Guard) -> Callable[[], None]:
    """Return what has an application answer by another configuration."""
    parts: Parts = app.state.parts.by(site, guard)

    def renew() -> None:
        app.state.parts = parts
        app.state.panels.renew(parts)
        app.state.public_panels.renew(parts.for_everybody())

    return renew
