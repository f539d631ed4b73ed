"""`headroom explain`: every key of the files that people write."""

from enum import StrEnum
from typing import Annotated, Final

import typer
from pydantic import BaseModel

from scheduler.cli.session import Session
from scheduler.cli.table import Column, Table, cell, render
from scheduler.config.faults import did_you_mean
from scheduler.config.fields import Key, keys
from scheduler.config.scenario import Scenario
from scheduler.config.schema import Config, JobFile, Model
from scheduler.model.errors import NotFound


class Topic(StrEnum):
    """Kinds of files."""

    JOB = "job"
    CLUSTER = "cluster"
    MODEL = "model"
    SCENARIO = "scenario"


_SECTIONS: Final[dict[Topic, type[BaseModel]]] = {
    Topic.JOB: JobFile,
    Topic.CLUSTER: Config,
    Topic.MODEL: Model,
    Topic.SCENARIO: Scenario,
}
_UNITS: Final = """\
duration  30s, 10m, 6h, 2d, 1d12h, 250ms; a bare number is seconds
size      8Gi (8 × 2^30 bytes) or 16G (16 × 10^9 bytes); a bare number is refused
*         stands for a name of your choice, [] for each entry of a list"""


def explain(
    context: typer.Context,
    topic: Annotated[Topic, typer.Argument(help="Which file.", show_default=False)],
    key: Annotated[str, typer.Argument(help="Only this key and those below it.", show_default=False)] = "",
) -> None:
    """List the keys of job.yaml, cluster.yaml, a model or a scenario, with meaning, unit and default."""
    session = Session.of(context)
    every = list(keys(_SECTIONS[topic]))
    shown = [one for one in every if one.path.startswith(key)]
    if not shown:
        known = [one.path for one in every]
        raise NotFound(f"no key {key} in {topic}", help=f"{did_you_mean(key, known)} headroom explain {topic}".strip())
    session.screen.say(render(_table(shown), session.screen))
    session.screen.note(session.screen.paint(_UNITS, "dim"))


def _table(shown: list[Key]) -> Table:
    columns = (Column("KEY"), Column("VALUES", drop=2), Column("DEFAULT", drop=1), Column("MEANING"))
    rows = tuple((cell(one.path, "bold"), one.values, one.default, one.meaning) for one in shown)
    return Table(columns, rows, tuple(one.path for one in shown))
