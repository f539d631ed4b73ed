"""Templates and static files: HTML from views, names of files that change with their content."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from scheduler.api import formatting
from scheduler.api.cells import cells_of, used_share
from scheduler.model.counting import plural
from scheduler.planning.reasons.wording import ranges
from scheduler.wire.jobs import devices_by_host, ended

ROWS_SHOWN: Final = 50
"""Of each table of jobs; nobody reads more on a page."""
STATIC_FOLDER: Final = Path(__file__).parent / "static"


@cache
def asset(name: str) -> str:
    """Return the address of one of our static files; a new content gives a new address, so it is kept for ever."""
    digest = hashlib.sha256((STATIC_FOLDER / name).read_bytes()).hexdigest()[:12]
    return f"/static/{digest}/{name}"


def render(template: str, **values: Any) -> str:
    """Fill in a template; everything in it is escaped."""
    return _environment().get_template(template).render(values).strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scheduler.api"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cells": cells_of,
        "clock": formatting.clock,
        "duration": formatting.duration,
        "ended": ended,
        "late_share": formatting.late_share,
        "number": formatting.number,
        "percent": formatting.percent,
        "rate": formatting.rate,
        "ratio": formatting.ratio,
        "span": formatting.span,
        "trimmed": formatting.trimmed,
        "warm_up": formatting.warm_up,
    }
    environment.globals |= {
        "asks_for": formatting.asks_for,
        "asset": asset,
        "devices_by_host": devices_by_host,
        "plural": plural,
        "ranges": ranges,
        "rows_shown": ROWS_SHOWN,
        "used_share": used_share,
    }
    return environment
