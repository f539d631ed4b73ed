"""The page in pieces: rendered once a cycle, so that a browser is sent only what has changed since it last looked."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from markupsafe import Markup

from scheduler.api.access import guard_of
from scheduler.api.formatting import ratio
from scheduler.api.freshness import age_s, patience_s
from scheduler.api.page_view import PageView, page_view
from scheduler.api.rendering import render
from scheduler.api.site import Parts

PANELS: Final = {
    "verdict": "verdict.html",
    "numbers": "numbers.html",
    "chart-note": "chart_note.html",
    "hosts-head": "hosts_head.html",
    "host-rows": "host_rows.html",
    "cpu-hosts": "cpu_hosts.html",
    "waiting": "waiting.html",
    "running": "running.html",
    "queues": "queues.html",
    "events": "events.html",
    "serving-models": "serving.html",
}
"""Template of each panel, by the id of its element."""
KEPT: Final = 200
"""A browser that was away for longer is sent everything."""


@dataclass(frozen=True, slots=True)
class Panels:
    """The pieces of one moment.

    Attributes:
        view: what they show.
        html: by the id of the element.
        rows: hosts one by one, parts of "host-rows".
        title: of the page.
    """

    view: PageView
    html: Mapping[str, Markup]
    rows: Mapping[str, Markup]
    title: str

    @property
    def digests(self) -> dict[str, str]:
        """A short digest of each piece."""
        return {name: _digest(html) for name, html in (*self.html.items(), *self.rows.items())}

    def changed_since(self, digests: Mapping[str, str] | None) -> dict[str, str]:
        """Return the pieces that differ; all panels when nothing is known of what the browser has.

        Hosts are sent one by one as long as the set of hosts is the same.
        """
        if digests is None:
            return dict(self.html)
        same_hosts = {name for name in digests if name.startswith("host-") and name not in PANELS} == set(self.rows)
        pieces = {**self.html, **self.rows} if same_hosts else self.html
        skipped = {"host-rows"} if same_hosts else set()
        return {
            name: str(html)
            for name, html in pieces.items()
            if name not in skipped and digests.get(name) != _digest(html)
        }


class PanelDesk:
    """Renders panels when there is something new, whoever asks; remembers what earlier ones looked like.

    Every rendering has a stamp: the number of its cycle, with a count behind it when a cycle is shown anew because
    the loop is held up ("18422", "18422.1"), and what is shown to everybody a word of its own ("18422.public"), so that
    a browser that has signed in is not taken to have what it was not shown.
    """

    def __init__(self, parts: Parts) -> None:
        """Render nothing yet."""
        self._parts = parts
        self._lock = threading.Lock()
        self._key: tuple[int, str, str] | None = None
        self._latest: tuple[str, Panels] | None = None
        self._digests: OrderedDict[str, dict[str, str]] = OrderedDict()

    def renew(self, parts: Parts) -> None:
        """Render by other parts from now on, what is shown now as well."""
        with self._lock:
            self._parts, self._key = parts, None

    def latest(self) -> tuple[str, Panels]:
        """Return the newest panels and their stamp."""
        report, board = self._parts.board.report, self._parts.board
        key = (report.cycle.number if report else 0, board.degraded, str(board.unheard))
        with self._lock:
            if self._latest is None or key != self._key:
                self._key = key
                self._latest = self._stamped(panels_of(page_view(self._parts)))
            return self._latest

    def update(self, after: str) -> dict[str, Any] | None:
        """Return what a browser that shows the stamp `after` needs; None when that is the newest."""
        stamp, panels = self.latest()
        if stamp == after:
            return None
        with self._lock:
            known = self._digests.get(after)
        return {
            "stamp": stamp,
            "cycle": panels.view.cycle,
            "age_s": round(age_s(self._parts), 1),
            "clock": panels.view.now.strftime("%H:%M"),
            "title": panels.title,
            "panels": {**panels.changed_since(known), "fresh": str(fresh(self._parts, panels.view))},
        }

    def _stamped(self, panels: Panels) -> tuple[str, Panels]:
        cycle, count = f"{panels.view.cycle}{'.public' * self._parts.is_public}", 0
        stamp = cycle
        while stamp in self._digests:
            count += 1
            stamp = f"{cycle}.{count}"
        self._digests[stamp] = panels.digests
        while len(self._digests) > KEPT:
            self._digests.popitem(last=False)
        return stamp, panels


def panel_desk_of(request: Request) -> PanelDesk:
    """Return the panels of the application that a request came to, as its reader sees them."""
    state = request.app.state
    panels: PanelDesk = state.public_panels if guard_of(request).is_stranger(request) else state.panels
    return panels


PanelsDep = Annotated[PanelDesk, Depends(panel_desk_of)]


def panels_of(view: PageView) -> Panels:
    """Render every piece of a view."""
    html = {name: Markup(render(template, view=view)) for name, template in PANELS.items()}  # noqa: S704  # escaped there
    rows = {f"host-{host.name}": Markup(render("host.html", host=host)) for host in view.gpu_hosts}  # noqa: S704  # likewise
    return Panels(view, html, rows, title_of(view))


def fresh(parts: Parts, view: PageView) -> Markup:
    """Render how old the last plan is; never kept, for it changes all the time."""
    return Markup(render("fresh.html", view=view, age_s=age_s(parts), patience_s=patience_s(parts.site)))  # noqa: S704  # escaped there


def title_of(view: PageView) -> str:
    """Return the text of the browser's tab, which begins with the headroom."""
    known = view.capacity is not None and view.capacity.headroom_ratio is not None
    lead = f"{ratio(view.capacity.headroom_ratio)} · " if known and view.capacity else ""
    return f"{lead}Headroom · {view.site.cluster}"


def _digest(html: str) -> str:
    return hashlib.blake2s(html.encode(), digest_size=6).hexdigest()
