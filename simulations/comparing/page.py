"""A comparison as one HTML file that asks no network for anything."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from scheduler.api.chart import library_folder
from scheduler.api.palette import ThemeName
from simulations.comparing import charts
from simulations.comparing.answers import sentences
from simulations.comparing.differences import hours, span, table
from simulations.comparing.entries import Entry
from simulations.comparing.waiting import groups

THEMES: Final[tuple[ThemeName, ...]] = ("light", "dark")
MOST_STOPS: Final = 200
"""Preemptions that are listed of a scenario."""


def page(entries: Sequence[Entry]) -> str:
    """Return the comparison of outcomes, the first being what others are compared with."""
    drawn = {theme: _drawn(entries, theme) for theme in THEMES}
    return _environment().get_template("comparison.html").render(
        answer=sentences(entries),
        entries=entries,
        rows=table(entries),
        drawn=_script(drawn),
        library=Markup(_library()),  # noqa: S704  # Bokeh's own file
        most_stops=MOST_STOPS,
    )  # fmt: skip


def _drawn(entries: Sequence[Entry], theme: ThemeName) -> dict[str, dict[str, Any]]:
    """Return every picture by the id of its place."""
    found: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        if entry.evidence is not None and entry.evidence.points:
            found[f"timeline-{number}"] = charts.timeline(entry, entry.evidence, theme)
            found[f"occupancy-{number}"] = charts.occupancy(entry.evidence, theme)
        if entry.evidence is not None and entry.evidence.jobs:
            found[f"waits-{number}"] = charts.waits(entry.evidence, theme)
    return found


def _script(drawn: object) -> Markup:
    """Return data that may stand in a script: nothing in it ends one."""
    text = json.dumps(drawn, allow_nan=True).replace("NaN", "null").replace("</", "<\\/")
    return Markup(text)  # noqa: S704  # escaped by hand, for a script


@cache
def _library() -> str:
    return (library_folder() / "bokeh.min.js").read_text(encoding="utf-8").replace("</script", "<\\/script")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("simulations.comparing"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"span": span, "hours": hours, "moment": _moment, "waits": groups}
    return environment


def _moment(at_s: float) -> str:
    at = datetime.fromtimestamp(at_s, UTC)
    return f"{at.day} {at:%b %H:%M}"
